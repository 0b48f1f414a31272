"""Sending requests that change a calendar or an object, and the errors that all of them share."""

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Final

import httpx

from nextcloud_mcp.apps.calendar.caldav.calendars import read_only_error
from nextcloud_mcp.apps.calendar.caldav.resources import path_of
from nextcloud_mcp.errors import ForbiddenError, NextcloudError, NotFoundError
from nextcloud_mcp.nextcloud import dav, reasons
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.refusals import error_for, in_brackets


async def send_write(
    nextcloud: Nextcloud,
    method: str,
    place: tuple[str, str],
    *,
    about: str,
    headers: Mapping[str, str] | None = None,
    content: bytes | None = None,
    also_ok: AbstractSet[int] = frozenset(),
    has_effects: bool = False,
    target: str = "",
) -> httpx.Response:
    """Send a request that changes an object or a calendar; `target` is the calendar to which a MOVE leads.

    Requests are sent one at a time: on SQLite, Nextcloud answers concurrent ones with HTTP 500.

    Raises:
        ForbiddenError: the calendar is read-only. Nextcloud answers 403 then, or 404 for a shared calendar.
        NextcloudError: Nextcloud rejects the iCalendar in `content` as not valid.
    """
    path = await path_of(nextcloud, *place)
    try:
        async with nextcloud.change_lock(dav.OBJECTS):
            response = await nextcloud.request(
                method,
                path,
                about=about,
                headers=headers,
                content=content,
                also_ok=also_ok | _MAY_BE_INVALID,
                has_effects=has_effects,
            )
        _check_stored(response, about)
    except (ForbiddenError, NotFoundError) as error:
        for calendar in filter(None, (place[0], target)):
            if (refused := await read_only_error(nextcloud, calendar)) is not None:
                raise refused from error
        raise
    return response


_MAY_BE_INVALID: Final = frozenset({403, 415})

_INVALID_OBJECT: Final = re.compile(r"recurrence rule does not generate|object exceeds \d+ bytes")
"""Matches Nextcloud's reasons to answer 403 because of the object, not because of the user (measured on 34.0.1)."""


def _check_stored(response: httpx.Response, about: str) -> None:
    """Check the answer to a request that stores an object.

    Raises:
        NextcloudError: Nextcloud rejects the iCalendar as not valid.
        ForbiddenError: Nextcloud answers 403 for another reason.
    """
    if response.status_code not in _MAY_BE_INVALID:
        return
    why = reasons.reason(response)
    if response.status_code == httpx.codes.FORBIDDEN and not _INVALID_OBJECT.search(why):
        raise error_for(response, about)
    raise NextcloudError(
        "Nextcloud does not store {resource} with these values{why}",
        "pass other values",
        resource=about,
        why=in_brackets(why),
        status=response.status_code,
    )
