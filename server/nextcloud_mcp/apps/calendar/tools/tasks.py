"""The tools for tasks, which are stored in calendars that take VTODO.

Each tool also requires the scope `calendar:read`, because it finds a task through its calendar.
"""

from nextcloud_mcp.apps.calendar import tasks
from nextcloud_mcp.apps.calendar.tasks import Change, Filter, Found, Todo
from nextcloud_mcp.apps.calendar.tools.names import CalendarName, hidden_calendars, reads, writes
from nextcloud_mcp.boundary.arguments import NonEmptyText
from nextcloud_mcp.boundary.call import Admitted, AsUser
from nextcloud_mcp.boundary.changes import require_change
from nextcloud_mcp.boundary.declaration import CommaList, Result
from nextcloud_mcp.boundary.paging import DEFAULT_LIMIT, Paged, page


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


@reads("List tasks", scopes="calendar:read todo:read")
async def nc_calendar_list_todos(
    calendar_name: CalendarName,
    nextcloud: AsUser,
    status: str | None = None,
    min_priority: int | None = None,
    categories: CommaList | None = None,
    summary_contains: str | None = None,
    limit: int = DEFAULT_LIMIT,
    cursor: str = "",
) -> Todos:
    """List the tasks of a calendar that takes VTODO. min_priority 3 finds 1 (highest) to 3; categories any of these."""
    wanted = Filter(status=status, min_priority=min_priority, categories=categories, summary_contains=summary_contains)
    return _todos(await tasks.list_in(nextcloud, calendar_name, wanted), calendar_name, limit, cursor)


@writes("Create a task", scopes="calendar:read todo:write", destructive=False, idempotent=False)
async def nc_calendar_create_todo(
    calendar_name: CalendarName,
    summary: str,
    nextcloud: AsUser,
    description: str = "",
    status: str = "NEEDS-ACTION",
    priority: int = 0,
    due: str = "",
    dtstart: str = "",
    categories: CommaList = "",
) -> TodoWritten:
    """Create a task in a calendar that takes VTODO. due and dtstart are dates, or times in ISO 8601."""
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
    status: NonEmptyText = None,
    priority: int | None = None,
    percent_complete: int | None = None,
    due: str | None = None,
    dtstart: str | None = None,
    completed: str | None = None,
    categories: CommaList | None = None,
    etag: str = "",
) -> TodoWritten:
    """Change a task; what is null stays, "" clears.

    status COMPLETED alone does it: percent and time follow, and one that repeats is open again for its next date.
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
    calendar_name: CalendarName, todo_uid: str, nextcloud: AsUser, etag: str = ""
) -> TodoDeleted:
    """Delete a task to the trash bin of its calendar."""
    status = await tasks.delete(nextcloud, calendar_name, todo_uid, etag=etag)
    return TodoDeleted(status_code=status, message=f"Task {todo_uid} is deleted.")


@reads("Find tasks", scopes="calendar:read todo:read")
async def nc_calendar_search_todos(
    nextcloud: AsUser,
    admission: Admitted,
    status: str | None = None,
    min_priority: int | None = None,
    categories: CommaList | None = None,
    summary_contains: str | None = None,
    limit: int = DEFAULT_LIMIT,
    cursor: str = "",
) -> Todos:
    """Find tasks in all calendars, with deck:read Deck's cards too; arguments as in nc_calendar_list_todos."""
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
