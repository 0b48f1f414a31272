"""Storing, replacing, deleting and moving calendar objects (RFC 4791 section 5.3.2), with the ETag that was read."""

import re
from dataclasses import dataclass
from typing import Final

import httpx

from nextcloud_mcp.apps.calendar.caldav.calendars import get_calendar
from nextcloud_mcp.apps.calendar.caldav.queries import changed_object_error
from nextcloud_mcp.apps.calendar.caldav.resources import MEDIA_TYPE, describe, path_of
from nextcloud_mcp.apps.calendar.caldav.writes import send_write
from nextcloud_mcp.apps.calendar.calendar_object import CalendarObject
from nextcloud_mcp.errors import ConflictError, InvalidArgumentError, NextcloudError, NotFoundError, completed, quoted
from nextcloud_mcp.nextcloud import dav
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.refusals import error_for

_DUPLICATE_KEY: Final = re.compile(r"SQLSTATE\[23")
"""Matches the SQLSTATE that databases report for a duplicate key (class 23 of SQL:2023)."""


@dataclass(frozen=True)
class Written:
    """The result of a PUT: the HTTP status, 201 for a new object, and the ETag of the stored object."""

    href: str
    status_code: int
    etag: str


async def create(nextcloud: Nextcloud, calendar: str, component: str, uid: str, text: str) -> Written:
    """Store a new object.

    Raises:
        InvalidArgumentError: the calendar does not take the component.
        ForbiddenError: the user may only read the calendar.
        NotFoundError: the calendar does not exist.
    """
    await get_calendar(nextcloud, calendar, takes=component)  # a PUT to a deleted calendar loses the object
    response = await send_write(
        nextcloud,
        "PUT",
        (calendar, f"{uid}.ics"),
        about=describe(calendar),
        headers={"If-None-Match": "*", "Content-Type": MEDIA_TYPE},
        content=text.encode(),
        has_effects=_may_send_mail(text),
    )
    return await _written(nextcloud, response, calendar, f"{uid}.ics")


def _may_send_mail(text: str) -> bool:
    """Return whether Nextcloud may send mails for an object, which it does before it stores the object (34.0.1)."""
    return re.search("^(ATTENDEE|ORGANIZER)", text, re.MULTILINE | re.IGNORECASE) is not None


async def replace(nextcloud: Nextcloud, stored: CalendarObject, text: str) -> Written:
    """Replace the object `stored` by `text`.

    Raises:
        ConflictError: the object has changed since it was read.
    """
    response = await send_write(
        nextcloud,
        "PUT",
        (stored.calendar, stored.name),
        about=f"calendar object {quoted(stored.name)}",
        headers={"If-Match": dav.quoted(stored.etag), "Content-Type": MEDIA_TYPE},
        content=text.encode(),
        also_ok={412},
        has_effects=_may_send_mail(text) or _may_send_mail(stored.text),
    )
    _check_precondition(response, stored)
    return await _written(nextcloud, response, stored.calendar, stored.name)


async def delete(nextcloud: Nextcloud, stored: CalendarObject) -> int:
    """Delete the object `stored`, and return the HTTP status. Nextcloud keeps the object in the trash bin for a while.

    Raises:
        ConflictError: the object has changed since it was read.
    """
    response = await send_write(
        nextcloud,
        "DELETE",
        (stored.calendar, stored.name),
        about=f"calendar object {quoted(stored.name)}",
        headers={"If-Match": dav.quoted(stored.etag)},
        also_ok={412},
        has_effects=_may_send_mail(stored.text),
    )
    _check_precondition(response, stored)
    return response.status_code


async def move(nextcloud: Nextcloud, stored: CalendarObject, target: str) -> None:
    """Move the object `stored`, unchanged, to the user's calendar `target`.

    Raises:
        ConflictError: the target already contains the object, perhaps in its trash bin, or the object has changed since
            it was read.
        NotFoundError: the target calendar or the object does not exist.
    """
    headers = {
        "Destination": nextcloud.absolute(await path_of(nextcloud, target, stored.name)),
        "Overwrite": "F",
        "If-Match": dav.quoted(stored.etag),
    }
    response = await send_write(
        nextcloud,
        "MOVE",
        (stored.calendar, stored.name),
        about=f"calendar object {quoted(stored.name)}",
        headers=headers,
        also_ok={400, 409, 412, 500},
        target=target,
    )
    if not response.is_success:
        raise await _move_error(nextcloud, response, stored, target)


async def _move_error(
    nextcloud: Nextcloud, response: httpx.Response, stored: CalendarObject, target: str
) -> NextcloudError | InvalidArgumentError:
    """Return the error for a MOVE that failed.

    Nextcloud 32 answers 400 if the target has the UID, and 412 if the target has the name or the ETag does not match.
    """
    status = response.status_code
    if status == httpx.codes.CONFLICT:
        return NotFoundError(
            "The event can't be moved",
            "no {resource}. nc_calendar_list_calendars shows the names",
            resource=describe(target),
        )
    if status == httpx.codes.PRECONDITION_FAILED:
        present = await _etag(nextcloud, stored.calendar, stored.name)
        return (
            changed_object_error(stored)
            if present != stored.etag
            else _duplicate_error(target, "has one of the same name")
        )
    if status == httpx.codes.BAD_REQUEST:
        return _duplicate_error(target, "has one of the same UID")
    if _DUPLICATE_KEY.search(response.text):
        return _duplicate_error(target, "has one of the same UID in its trash bin")
    return error_for(response, f"calendar object {quoted(stored.name)}")


def _duplicate_error(target: str, what: str) -> ConflictError:
    return ConflictError(
        "The event can't be moved",
        "{resource} {obstacle}. Delete that one permanently first, or leave this one here",
        resource=describe(target),
        obstacle=what,
    )


def _check_precondition(response: httpx.Response, stored: CalendarObject) -> None:
    if response.status_code == httpx.codes.PRECONDITION_FAILED:
        raise changed_object_error(stored)


async def _written(nextcloud: Nextcloud, response: httpx.Response, calendar: str, name: str) -> Written:
    """Return the result of a PUT.

    If the response has no ETag, Nextcloud has stored a modified object, for example with the state of an invitation.
    Then this function asks for the ETag.
    """
    etag = dav.etag(response.headers)
    if not etag:
        with completed(
            "{resource} is stored, but reading its ETag failed",
            "read it, and do not write it again",
            resource=f"calendar object {quoted(name)} in {describe(calendar)}",
        ):
            etag = await _etag(nextcloud, calendar, name)
    return Written(href=await path_of(nextcloud, calendar, name), status_code=response.status_code, etag=etag)


async def _etag(nextcloud: Nextcloud, calendar: str, name: str) -> str:
    response = await nextcloud.request(
        "PROPFIND",
        await path_of(nextcloud, calendar, name),
        about=f"{quoted(name)} in {describe(calendar)}",
        headers={"Depth": "0"},
        content=dav.propfind(f"{dav.D}getetag"),
    )
    return dav.unquoted(dav.responses(response)[0].findtext(f".//{dav.D}getetag")) or ""
