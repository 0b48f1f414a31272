"""Nextcloud's app Activity, OCS API version 2 (github.com/nextcloud/activity, docs/endpoint-v2.md).

Nextcloud joins similar changes that follow each other into one entry, which has the id of the oldest and the time of
the newest of them. So a page can have fewer entries than were asked for. The next page starts after the last change of
this one, whose id is in the header `X-Activity-Last-Given`.
"""

from typing import Final, NamedTuple

import httpx
from pydantic import AwareDatetime, BaseModel

from nextcloud_mcp.errors import InvalidArgumentError, quoted
from nextcloud_mcp.nextcloud.answers import parse
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.refusals import error_for

_ACTIVITY: Final = "/ocs/v2.php/apps/activity/api/v2/activity"

_MAX_LIMIT: Final = 200
"""Changes of a page, whatever Nextcloud is asked for."""

_NOTHING: Final = frozenset({httpx.codes.NO_CONTENT, httpx.codes.NOT_MODIFIED})
"""The statuses for a person who gets no activities at all, and for a page that is empty."""


class Activity(BaseModel):
    """A change; `subject` says in the person's language what happened, and `user` is the id of who did it."""

    activity_id: int
    app: str
    type: str
    user: str
    subject: str
    object_type: str = ""
    object_id: int = 0
    object_name: str = ""
    datetime: AwareDatetime
    link: str = ""


class ActivityPage(NamedTuple):
    """A part of what changed, newest first, and the activity id after which the next part starts; None at the end."""

    activities: list[Activity]
    last_id: int | None


class _Activities(BaseModel):
    data: list[Activity]


class _OCSActivities(BaseModel):
    ocs: _Activities


class _Filter(BaseModel):
    id: str


class _Filters(BaseModel):
    data: list[_Filter]


class _OCSFilters(BaseModel):
    ocs: _Filters


async def list_page(nextcloud: Nextcloud, *, kind: str, after: int, limit: int) -> ActivityPage:
    """Return what changed before the activity with the id `after`; 0 starts with the newest.

    Raises:
        InvalidArgumentError: Nextcloud has no such kind; or the activity is no longer there, or is another person's.
    """
    await _check_kind(nextcloud, kind)
    about = "your activities"
    response = await nextcloud.request(
        "GET",
        f"{_ACTIVITY}/{kind}" if kind else _ACTIVITY,
        about=about,
        params={"format": "json", "since": str(after), "limit": str(min(limit, _MAX_LIMIT)), "sort": "desc"},
        also_ok=_NOTHING | {httpx.codes.FORBIDDEN},
    )
    # Nextcloud starts with the newest again where it does not know the id, and then says which that is
    if after and (response.status_code == httpx.codes.FORBIDDEN or "x-activity-first-known" in response.headers):
        raise InvalidArgumentError(
            "Invalid cursor",
            (
                "Nextcloud does not have the activity at which that page begins. Leave cursor out to start with the "
                "newest activities"
            ),
            argument="cursor",
        )
    if response.status_code == httpx.codes.FORBIDDEN:
        raise error_for(response, about)
    activities = [] if response.status_code in _NOTHING else parse(_OCSActivities, response).ocs.data
    last_id = response.headers.get("x-activity-last-given", "")
    has_more = "next" in response.links and last_id.isdecimal()
    return ActivityPage(activities, int(last_id) if has_more else None)


async def _check_kind(nextcloud: Nextcloud, kind: str) -> None:
    """Refuse what is not the id of one of Nextcloud's filters: it stands in a path, in which other words mean more."""
    if not kind:
        return
    response = await nextcloud.request(
        "GET", f"{_ACTIVITY}/filters", about="the kinds of activities", params={"format": "json"}
    )
    known = [each.id for each in parse(_OCSFilters, response).ocs.data]
    if kind not in known:
        raise InvalidArgumentError(
            "Unknown kind {kind}", "use one of {known}", kind=quoted(kind), known=", ".join(known)
        )
