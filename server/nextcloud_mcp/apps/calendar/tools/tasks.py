"""The tools for tasks, which are stored in calendars that take VTODO.

Each tool also requires the scope `calendar:read`, because it finds a task through its calendar.
"""

from typing import Annotated, Final

from nextcloud_mcp.apps.calendar import tasks
from nextcloud_mcp.apps.calendar.ical.task import Todo
from nextcloud_mcp.apps.calendar.ical.task_changes import Change
from nextcloud_mcp.apps.calendar.tasks import Filter, Found
from nextcloud_mcp.apps.calendar.tools.names import CalendarName, Priority, hidden_calendars, reads, writes
from nextcloud_mcp.boundary.arguments import NonEmptyText
from nextcloud_mcp.boundary.call import Admitted, AsUser
from nextcloud_mcp.boundary.changes import require_change
from nextcloud_mcp.boundary.declaration import CommaList, Result
from nextcloud_mcp.boundary.paging import DEFAULT_LIMIT, Paged, page
from nextcloud_mcp.boundary.schemas import ETAG, Cursor, described, one_of


class Todos(Paged):
    """Tasks, open ones first, by due date; `unreadable` has the paths of tasks that could not be read."""

    todos: list[Todo]
    calendar_name: str | None = None
    total_count: int
    unreadable: list[str]


class TodoWritten(Result):
    """A task after a change: the HTTP status of Nextcloud's answer, and the ETag for the next change.

    `message` says what the caller did not name, such as when a task that repeats is due again.
    """

    uid: str
    href: str
    etag: str
    status_code: int
    message: str | None = None


class TodoDeleted(Result):
    """The result of a deletion: the HTTP status, and what it means."""

    status_code: int
    message: str


STATUS: Final = one_of("NEEDS-ACTION", "IN-PROCESS", "COMPLETED", "CANCELLED")
MinPriority = Annotated[int | None, described("3 finds 1 (highest) to 3")]
When = Annotated[str, described("date, or time in ISO 8601")]


@reads("List tasks", scopes="calendar:read todo:read")
async def nc_calendar_list_todos(
    calendar_name: CalendarName,
    nextcloud: AsUser,
    status: Annotated[str | None, STATUS] = None,
    min_priority: MinPriority = None,
    categories: Annotated[CommaList | None, described("comma-separated; any of them")] = None,
    summary_contains: str | None = None,
    limit: int = DEFAULT_LIMIT,
    cursor: Cursor = "",
) -> Todos:
    """List the tasks of a calendar that takes tasks (VTODO)."""
    wanted = Filter(status=status, min_priority=min_priority, categories=categories, summary_contains=summary_contains)
    return _todos(await tasks.list_in(nextcloud, calendar_name, wanted), calendar_name, limit, cursor)


@writes("Create a task", scopes="calendar:read todo:write", destructive=False, idempotent=False)
async def nc_calendar_create_todo(
    calendar_name: CalendarName,
    summary: str,
    nextcloud: AsUser,
    description: str = "",
    status: Annotated[str, STATUS] = "NEEDS-ACTION",
    priority: Priority = 0,
    due: When = "",
    dtstart: When = "",
    categories: CommaList = "",
) -> TodoWritten:
    """Create a task in a calendar that takes tasks (VTODO)."""
    change = Change(
        summary=summary,
        description=description,
        status=status,
        priority=priority,
        due=due,
        dtstart=dtstart,
        categories=categories,
    )
    uid, written = await tasks.create(nextcloud, calendar_name, change)
    return TodoWritten(uid=uid, href=written.href, etag=written.etag, status_code=written.status_code)


@writes("Change a task", scopes="calendar:read todo:write", destructive=True, idempotent=False)
async def nc_calendar_update_todo(
    calendar_name: CalendarName,
    todo_uid: str,
    nextcloud: AsUser,
    summary: str | None = None,
    description: str | None = None,
    status: Annotated[NonEmptyText, STATUS] = None,
    priority: Priority | None = None,
    percent_complete: int | None = None,
    due: When | None = None,
    dtstart: When | None = None,
    completed: When | None = None,
    categories: CommaList | None = None,
    etag: Annotated[str, ETAG] = "",
) -> TodoWritten:
    """Change a task. What is omitted or null stays; "" clears.

    To complete a task, pass status COMPLETED: percent_complete and completed are set too. A repeating task then becomes
    open again, for its next date.
    """
    change = Change(
        summary=summary,
        description=description,
        status=status,
        priority=priority,
        percent_complete=percent_complete,
        due=due,
        dtstart=dtstart,
        completed=completed,
        categories=categories,
    )
    require_change(vars(change).values(), "pass at least one field, such as status")
    done = await tasks.update(nextcloud, calendar_name, todo_uid, change, etag=etag)
    written = done.written
    return TodoWritten(
        uid=todo_uid,
        href=written.href,
        etag=written.etag,
        status_code=written.status_code,
        message=done.remark,
    )


@writes("Delete a task", scopes="calendar:read todo:write", destructive=True, idempotent=True)
async def nc_calendar_delete_todo(
    calendar_name: CalendarName, todo_uid: str, nextcloud: AsUser, etag: Annotated[str, ETAG] = ""
) -> TodoDeleted:
    """Move a task to the trash bin of its calendar."""
    status = await tasks.delete(nextcloud, calendar_name, todo_uid, etag=etag)
    return TodoDeleted(status_code=status, message=f"Task {todo_uid} is deleted.")


@reads("Find tasks", scopes="calendar:read todo:read")
async def nc_calendar_search_todos(
    nextcloud: AsUser,
    admission: Admitted,
    status: Annotated[str | None, STATUS] = None,
    min_priority: MinPriority = None,
    categories: Annotated[CommaList | None, described("comma-separated; any of them")] = None,
    summary_contains: str | None = None,
    limit: int = DEFAULT_LIMIT,
    cursor: Cursor = "",
) -> Todos:
    """Find tasks in all calendars and, if the scope deck:read is granted, Deck's cards."""
    wanted = Filter(status=status, min_priority=min_priority, categories=categories, summary_contains=summary_contains)
    return _todos(
        await tasks.list_everywhere(nextcloud, wanted, without=hidden_calendars(admission)), None, limit, cursor
    )


def _todos(found: Found, calendar_name: str | None, limit: int, cursor: str) -> Todos:
    items, next_cursor = page(found.tasks, limit, cursor)
    return Todos(
        todos=items,
        calendar_name=calendar_name,
        total_count=len(found.tasks),
        unreadable=found.unreadable,
        next_cursor=next_cursor,
    )
