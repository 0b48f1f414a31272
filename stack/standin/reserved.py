"""Names that no new calendar or address book can have, and what is there already (measured on Nextcloud 34.0.1).

The home of the calendars has an inbox, an outbox and a trash bin besides calendars; they can be read, and not written
to. Names of calendars and address books that apps make of their own data begin with a prefix (`ExternalCalendar` and
`ExternalAddressBook` in Nextcloud). A name has at most 255 bytes.
"""

from typing import NamedTuple
from xml.sax.saxutils import escape

MAX_NAME = 255
FIXED = {
    "inbox": "<cal:schedule-inbox/>",
    "outbox": "<cal:schedule-outbox/>",
    "trashbin": '<nc:trash-bin xmlns:nc="http://nextcloud.com/ns"/>',
}
"""What is in the home of the calendars without being one, with its own resource type."""

GENERATED_BOOKS = {
    "z-server-generated--system": "Accounts",
    "z-app-generated--contactsinteraction--recent": "Recently contacted",
}
"""The address books that Nextcloud fills by itself, with their display names."""

EXISTS = "The resource you tried to create already exists"
_RESERVED = "The resource you tried to create has a reserved name"
_NAMESPACES = 'xmlns:d="DAV:" xmlns:cal="urn:ietf:params:xml:ns:caldav"'


class Refusal(NamedTuple):
    """An answer of Nextcloud's to a request that it refuses; without an exception it is the one of the status."""

    status: int
    message: str
    exception: str = ""


def refused_calendar(name: str) -> Refusal | None:
    """Return the answer to MKCALENDAR, if it is refused for the name alone."""
    if name in {*FIXED, "contact_birthdays"}:
        return Refusal(405, EXISTS)
    if name.startswith("app-generated"):
        return Refusal(405, _RESERVED)
    if len(name.encode()) > MAX_NAME:
        exception = "OCP\\Calendar\\Exceptions\\CalendarException"
        return Refusal(500, "URI too long. Calendar not created", exception)
    return None


def refused_address_book(name: str) -> Refusal | None:
    """Return the answer to MKCOL, if it is refused for the name alone."""
    if name in GENERATED_BOOKS:
        return Refusal(405, EXISTS)
    if name.startswith("z-app-generated"):
        return Refusal(405, _RESERVED)
    if len(name.encode()) > MAX_NAME:
        return Refusal(400, "URI too long. Address book not created")
    return None


def refused_write(method: str, path: list[str]) -> Refusal | None:
    """Return the answer to a write in what is fixed in the home of the calendars.

    Args:
        method: DELETE or PUT.
        path: The user id, and then the names on the way to what is written.
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
    """Return the answer to PUT or DELETE in an address book that Nextcloud fills by itself."""
    if book not in GENERATED_BOOKS:
        return None
    if book == "z-server-generated--system":
        return Refusal(403, "") if method == "DELETE" else Refusal(404, "Node with that name could not be found")
    if method == "DELETE":
        return Refusal(500, "This addressbook is immutable", "Exception")
    return Refusal(403, "Access denied")


def fixed(href: str, name: str) -> bytes:
    """Return the answer to PROPFIND about what is in the home of the calendars without being one."""
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n<d:multistatus {_NAMESPACES}><d:response><d:href>{escape(href)}'
        f"</d:href><d:propstat><d:prop><d:resourcetype><d:collection/>{FIXED[name]}</d:resourcetype></d:prop>"
        "<d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response></d:multistatus>"
    ).encode()
