"""Nextcloud's app Activity, OCS API version 2 (github.com/nextcloud/activity, docs/endpoint-v2.md).

Nextcloud merges similar consecutive changes into one entry, with the id of the oldest and the time of the newest
change. So a page can have fewer entries than requested. The next page starts after the last change of
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
"""Maximum number of changes on a page in Nextcloud."""

_NOTHING: Final = frozenset({httpx.codes.NO_CONTENT, httpx.codes.NOT_MODIFIED})
"""The statuses for a user without any activities (204) and for an empty page (304)."""


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
    """A page of activities, newest first, and the id after which the next page starts; None on the last page."""

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
    """Return the activities before the one with the id `after`; 0 starts with the newest.

    Raises:
        InvalidArgumentError: the kind does not exist; or the activity does not exist or belongs to another user.
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
    # for an unknown id Nextcloud starts with the newest activity, and names it in X-Activity-First-Known
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
    """Refuse a kind that is not the id of a Nextcloud filter: in this path, other words have other meanings."""
    if not kind:
        return
    response = await nextcloud.request(
        "GET", f"{_ACTIVITY}/filters", about="the kinds of activities", params={"format": "json"}
    )
    known = [each.id for each in parse(_OCSFilters, response).ocs.data]
    if kind not in known:
        raise InvalidArgumentError(
            "Unknown kind {kind}", "use one of {known}", argument="kind", kind=quoted(kind), known=", ".join(known)
        )
