"""The tool that changes many events."""

from typing import Annotated, Any, Final

from nextcloud_mcp.apps.calendar import bulk
from nextcloud_mcp.apps.calendar.bulk import BulkItem
from nextcloud_mcp.apps.calendar.events import Filter, Range
from nextcloud_mcp.apps.calendar.ical.event_changes import Change
from nextcloud_mcp.apps.calendar.tools.arguments import Reminder, Status, When, names_of_event_calendars, read_range
from nextcloud_mcp.apps.calendar.tools.names import CalendarName, Priority, writes
from nextcloud_mcp.boundary.call import AsUser
from nextcloud_mcp.boundary.changes import require_change
from nextcloud_mcp.boundary.declaration import CommaList, Result
from nextcloud_mcp.boundary.schemas import one_of
from nextcloud_mcp.errors import InvalidArgumentError, quoted
from nextcloud_mcp.nextcloud.client import Nextcloud

Selection = tuple[list[str], Range | None, Filter]
"""Which events an operation changes: in these calendars, in this range, by this filter."""


class BulkDone(Result):
    """The result for each matching event."""

    operation: str
    total_found: int
    updated_count: int = 0
    deleted_count: int = 0
    moved_count: int = 0
    failed_count: int
    results: list[BulkItem]


_FILTER_REMEDY: Final = (
    "pass at least one of title_contains, categories, calendar_name, start_date, end_date, status and location_contains"
)
_NARROWER_FILTER_REMEDY: Final = (
    "pass another filter too, such as start_date, or delete the calendar itself with nc_calendar_manage_calendar"
)
_OPERATION_REMEDY: Final = "use update, delete, or move with a target_calendar"


@writes("Change many events", scopes="calendar:read calendar:write", destructive=True, idempotent=True)
async def nc_calendar_bulk_operations(
    operation: Annotated[str, one_of("update", "delete", "move")],
    nextcloud: AsUser,
    title_contains: str | None = None,
    categories: CommaList | None = None,
    calendar_name: CalendarName | None = None,
    start_date: When = "",
    end_date: When = "",
    status: Status | None = None,
    location_contains: str | None = None,
    new_title: str | None = None,
    new_description: str | None = None,
    new_location: str | None = None,
    new_categories: CommaList | None = None,
    new_priority: Priority | None = None,
    new_reminder_minutes: Reminder | None = None,
    target_calendar: CalendarName | None = None,
) -> BulkDone:
    """Update, delete or move all events that match the filters, and report on each.

    An empty new_… argument changes nothing.
    """
    has_filter = any([title_contains, categories, start_date, end_date, status, location_contains])
    _check_selection(operation, calendar_name, has_filter=has_filter)
    wanted = Filter(
        categories=categories, status=status, title_contains=title_contains, location_contains=location_contains
    )
    change = Change(
        title=new_title or None,  # "" means unchanged here: it would clear the field of every match
        description=new_description or None,
        location=new_location or None,
        categories=new_categories or None,
        priority=new_priority,
        reminder_minutes=new_reminder_minutes,
    )
    within = await read_range(nextcloud, start_date, end_date, "")
    calendars = [calendar_name] if calendar_name else await names_of_event_calendars(nextcloud, writable=True)
    return _bulk_done(
        operation, await _apply(nextcloud, operation, (calendars, within, wanted), change, target_calendar)
    )


def _check_selection(operation: str, calendar_name: str | None, *, has_filter: bool) -> None:
    if not (has_filter or calendar_name):
        raise InvalidArgumentError("No filter says which events to change", _FILTER_REMEDY)
    if operation == "delete" and not has_filter:
        raise InvalidArgumentError(
            "The only filter is the calendar, which would lose all its events", _NARROWER_FILTER_REMEDY
        )


async def _apply(
    nextcloud: Nextcloud, operation: str, selection: Selection, change: Change, target_calendar: str | None
) -> list[BulkItem]:
    """Run an operation on the selected events.

    Raises:
        InvalidArgumentError: the operation does not exist, or lacks its arguments.
    """
    if operation == "update":
        require_change(vars(change).values(), "pass at least one of the new_… arguments")
        return await bulk.update(nextcloud, *selection, change)
    if operation == "delete":
        return await bulk.delete(nextcloud, *selection)
    if operation == "move" and target_calendar:
        return await bulk.move(nextcloud, *selection, target_calendar)
    raise InvalidArgumentError(
        "Invalid {argument} {given}", _OPERATION_REMEDY, argument="operation", given=quoted(operation)
    )


def _bulk_done(operation: str, results: list[BulkItem]) -> BulkDone:
    counts = {
        status: sum(item.status == status for item in results) for status in ("updated", "deleted", "moved", "failed")
    }
    fields: dict[str, Any] = {f"{status}_count": count for status, count in counts.items()}
    return BulkDone(operation=operation, total_found=len(results), results=results, **fields)
