"""The tool that tells what changed."""

from itertools import takewhile
from typing import Annotated

from nextcloud_mcp.apps.activity import api
from nextcloud_mcp.apps.activity.api import Activity
from nextcloud_mcp.boundary.call import AsUser
from nextcloud_mcp.boundary.declaration import reads
from nextcloud_mcp.boundary.paging import DEFAULT_LIMIT, Paged, cursor_at, start_of
from nextcloud_mcp.boundary.schemas import Cursor, described
from nextcloud_mcp.nextcloud import moments


class ActivitiesListed(Paged):
    """A page of what changed, newest first."""

    activities: list[Activity]


Kind = Annotated[
    str,
    described(
        "files, files_sharing, calendar, contacts, deck, self (by the user), by (by others) or another; empty: all"
    ),
]


@reads("List activities", scopes="activity:read")
async def nc_activity_list(
    nextcloud: AsUser,
    since: Annotated[str, described("date or time; empty: no limit")] = "",
    kind: Kind = "",
    limit: int = DEFAULT_LIMIT,
    cursor: Cursor = "",
) -> ActivitiesListed:
    """List what changed in the user's Nextcloud, by whom and where, newest first.

    Similar changes are combined into one entry with the time of the newest, so a page can have fewer entries than
    limit.
    """
    after = start_of(cursor, limit)
    start = await moments.in_utc(nextcloud, moments.read(since, "since")) if since else None
    found, last_id = await api.list_page(nextcloud, kind=kind, after=after, limit=limit)
    wanted = list(takewhile(lambda activity: start is None or activity.datetime >= start, found))
    next_cursor = cursor_at(last_id) if last_id is not None and len(wanted) == len(found) else None
    return ActivitiesListed(activities=wanted, next_cursor=next_cursor)
