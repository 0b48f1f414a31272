"""Reserved names of calendars and address books, and the built-in collections (measured on Nextcloud 34.0.1).

Besides calendars, the calendar home has an inbox, an outbox and a trash bin, which are read-only. Calendars and address
books that apps generate from their own data have a name prefix (`ExternalCalendar` and `ExternalAddressBook` in
Nextcloud). A name has at most 255 bytes.
"""

from typing import NamedTuple
from xml.sax.saxutils import escape

MAX_NAME = 255
FIXED = {
    "inbox": "<cal:schedule-inbox/>",
    "outbox": "<cal:schedule-outbox/>",
    "trashbin": '<nc:trash-bin xmlns:nc="http://nextcloud.com/ns"/>',
}
"""The resource types of the collections in the calendar home that are not calendars, by name."""

GENERATED_BOOKS = {
    "z-server-generated--system": "Accounts",
    "z-app-generated--contactsinteraction--recent": "Recently contacted",
}
"""The display names of the address books that Nextcloud generates, by name."""

EXISTS = "The resource you tried to create already exists"
_RESERVED = "The resource you tried to create has a reserved name"
_NAMESPACES = 'xmlns:d="DAV:" xmlns:cal="urn:ietf:params:xml:ns:caldav"'


class Refusal(NamedTuple):
    """Nextcloud's error response to a request; an empty `exception` stands for the usual one of the status."""

    status: int
    message: str
    exception: str = ""


def refused_calendar(name: str) -> Refusal | None:
    """Return the error response to MKCALENDAR if the name is not allowed, else None."""
    if name in {*FIXED, "contact_birthdays"}:
        return Refusal(405, EXISTS)
    if name.startswith("app-generated"):
        return Refusal(405, _RESERVED)
    if len(name.encode()) > MAX_NAME:
        exception = "OCP\\Calendar\\Exceptions\\CalendarException"
        return Refusal(500, "URI too long. Calendar not created", exception)
    return None


def refused_address_book(name: str) -> Refusal | None:
    """Return the error response to MKCOL if the name is not allowed, else None."""
    if name in GENERATED_BOOKS:
        return Refusal(405, EXISTS)
    if name.startswith("z-app-generated"):
        return Refusal(405, _RESERVED)
    if len(name.encode()) > MAX_NAME:
        return Refusal(400, "URI too long. Address book not created")
    return None


def refused_write(method: str, path: list[str]) -> Refusal | None:
    """Return the error response to a write in one of the `FIXED` collections, else None.

    Args:
        method: DELETE or PUT.
        path: The parts of the request path: the user id, and then the names.
    """
    if len(path) < 2 or path[1] not in FIXED:  # noqa: PLR2004
        return None
    is_trash_bin = path[1] == "trashbin"
    if method == "DELETE":
        message = "Permission denied to delete the trashbin" if is_trash_bin else "Permission denied to delete node"
    else:
        message = "Permission denied to create files in the trashbin" if is_trash_bin else "Access denied"
    return Refusal(403, message)


def refused_book_write(method: str, book: str) -> Refusal | None:
    """Return the error response to PUT or DELETE in one of the `GENERATED_BOOKS`, else None."""
    if book not in GENERATED_BOOKS:
        return None
    if book == "z-server-generated--system":
        return Refusal(403, "") if method == "DELETE" else Refusal(404, "Node with that name could not be found")
    if method == "DELETE":
        return Refusal(500, "This addressbook is immutable", "Exception")
    return Refusal(403, "Access denied")


def fixed(href: str, name: str) -> bytes:
    """Return the response to PROPFIND of one of the `FIXED` collections."""
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n<d:multistatus {_NAMESPACES}><d:response><d:href>{escape(href)}'
        f"</d:href><d:propstat><d:prop><d:resourcetype><d:collection/>{FIXED[name]}</d:resourcetype></d:prop>"
        "<d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response></d:multistatus>"
    ).encode()
