"""The tools for calendars."""

from typing import Annotated, Final

from nextcloud_mcp.apps.calendar.caldav import calendars, management
from nextcloud_mcp.apps.calendar.caldav.calendars import Calendar
from nextcloud_mcp.apps.calendar.tools.names import CalendarName, hidden_calendars, reads, writes
from nextcloud_mcp.boundary.call import Admitted, AsUser
from nextcloud_mcp.boundary.changes import require_change
from nextcloud_mcp.boundary.declaration import Result
from nextcloud_mcp.boundary.schemas import described, one_of
from nextcloud_mcp.boundary.shared import left_share_message
from nextcloud_mcp.errors import InvalidArgumentError, quoted

DEFAULT_COLOR: Final = "#1976D2"
"""The contract's default for `color`. In an update it counts as not passed, so the color stays."""


class Calendars(Result):
    """The calendars of the user, including shared ones."""

    calendars: list[Calendar]
    total_count: int


class CalendarManaged(Result):
    """The result for a calendar; `calendars` for the action "list"."""

    action: str
    calendar_name: str | None
    calendars: list[Calendar] | None = None
    status_code: int
    message: str


@reads("List calendars", scopes="calendar:read")
async def nc_calendar_list_calendars(nextcloud: AsUser, admission: Admitted) -> Calendars:
    """List the user's calendars. components: VEVENT if it takes events, VTODO if it takes tasks."""
    found = await calendars.list_calendars(nextcloud, without=hidden_calendars(admission))
    return Calendars(calendars=found, total_count=len(found))


@writes("Manage calendars", scopes="calendar:read calendar:write", destructive=True, idempotent=False)
async def nc_calendar_manage_calendar(
    action: Annotated[str, one_of("create", "update", "delete", "list")],
    nextcloud: AsUser,
    admission: Admitted,
    calendar_name: CalendarName = "",
    display_name: str = "",
    description: str = "",
    color: Annotated[str, described("#RRGGBB")] = DEFAULT_COLOR,
) -> CalendarManaged:
    """Create, update, delete or list calendars. A new calendar takes events and tasks.

    delete moves a calendar with all its events to the trash bin.
    """
    if action == "list":
        found = await calendars.list_calendars(nextcloud, without=hidden_calendars(admission))
        return CalendarManaged(
            action=action, calendar_name=None, calendars=found, status_code=207, message=f"{len(found)} calendars."
        )
    if action == "create":
        await management.create_calendar(
            nextcloud, calendar_name, display_name=display_name or calendar_name, description=description, color=color
        )
        return _managed(action, calendar_name, 201, "created")
    if action == "update":
        kept = "" if color == DEFAULT_COLOR else color
        fields = [each or None for each in (display_name, description, kept)]
        require_change(fields, "pass display_name, description or another color")
        await management.change_calendar(
            nextcloud, calendar_name, display_name=display_name, description=description, color=kept
        )
        return _managed(action, calendar_name, 207, "updated")
    if action == "delete":
        status, shared_by = await management.delete_calendar(nextcloud, calendar_name)
        deleted = _managed(action, calendar_name, status, "deleted")
        if shared_by is not None:
            deleted.message = left_share_message(f"the calendar {calendar_name}", shared_by)
        return deleted
    raise InvalidArgumentError(
        "Invalid action {action}", "use create, update, delete or list", argument="action", action=quoted(action)
    )


def _managed(action: str, calendar_name: str, status: int, done: str) -> CalendarManaged:
    return CalendarManaged(
        action=action,
        calendar_name=calendar_name,
        status_code=status,
        message=f"Calendar {calendar_name} is {done}.",
    )
