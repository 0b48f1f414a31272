"""Address books and contacts: CardDAV (RFC 6352) at Nextcloud's `/remote.php/dav/addressbooks/users/<user>/`.

The UID property of its card identifies a contact. Most cards have the name `<UID>.vcf`, so this module tries that name
first, and otherwise queries by UID. For lists, Nextcloud converts the cards to vCard 4 and leaves out photos. A change
needs the stored card, which only PROPFIND returns, because GET and REPORT convert it.

Nextcloud has no trash bin for contacts.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final
from urllib.parse import quote
from xml.etree.ElementTree import Element, SubElement

import httpx
from pydantic import BaseModel, WithJsonSchema

from nextcloud_mcp.apps.contacts import vcard
from nextcloud_mcp.apps.contacts.fields import ContactData
from nextcloud_mcp.apps.contacts.properties import READ_PROPERTIES
from nextcloud_mcp.apps.contacts.validation import check_names
from nextcloud_mcp.errors import (
    ConflictError,
    ForbiddenError,
    InvalidArgumentError,
    NextcloudError,
    NotFoundError,
    completed,
    quoted,
)
from nextcloud_mcp.nextcloud import dav
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.names import spellings
from nextcloud_mcp.nextcloud.permissions import missing_permission_error
from nextcloud_mcp.nextcloud.worker_threads import run_in_worker_thread

CARD: Final = "{urn:ietf:params:xml:ns:carddav}"
CS: Final = "{http://calendarserver.org/ns/}"
_XML: Final = {"Content-Type": "application/xml; charset=utf-8"}
_VCARD: Final = {"Content-Type": "text/vcard; charset=utf-8"}

_GENERATED_PREFIXES: Final = ("z-server-generated--", "z-app-generated")
"""Prefixes of the address books that Nextcloud generates: all accounts, and recently contacted people.
Deleting the latter, or adding to it, fails with HTTP 500 (34.0.1)."""

SEARCHED: Final = ("FN", "NICKNAME", "EMAIL", "TEL", "ORG", "CATEGORIES", "NOTE")


class AddressBook(BaseModel):
    """An address book; other calls take its `name`, and `getctag` changes with its content.

    `shared_by` is the owner, if it is not the user's own.
    """

    name: str
    display_name: str
    description: str | None = None
    getctag: str | None = None
    read_only: bool = False
    shared_by: str | None = None


class Contact(BaseModel):
    """A contact without its photo."""

    uid: str
    etag: str | None
    contact_data: Annotated[ContactData, WithJsonSchema({"type": "object", "additionalProperties": True})]
    """The schema is a plain object, as in the arguments of the tools; the full schema would take 4 kB."""


class Card(BaseModel):
    """A card as Nextcloud stores it: its URL path, its ETag, and its text."""

    url: str
    etag: str | None
    text: str


class Written(BaseModel):
    """A contact after a change; the HTTP status is 201 for a new contact and 204 for a changed one."""

    uid: str
    etag: str | None
    status_code: int


async def list_address_books(nextcloud: Nextcloud) -> list[AddressBook]:
    """Return the user's address books, including shared and generated ones."""
    response = await nextcloud.request(
        "PROPFIND",
        await _url(nextcloud),
        about="your address books",
        headers={"Depth": "1", **_XML},
        content=dav.propfind(
            f"{dav.D}resourcetype",
            f"{dav.D}displayname",
            f"{CARD}addressbook-description",
            f"{CS}getctag",
            f"{dav.OC}read-only",
            *dav.OWNER,
        ),
    )
    return [_address_book(element) for element in dav.responses(response) if _is_address_book(element)]


async def create_address_book(nextcloud: Nextcloud, name: str, display_name: str) -> None:
    """Create an address book (extended MKCOL, RFC 5689).

    Raises:
        InvalidArgumentError: the name is invalid for an address book.
        ConflictError: an address book with this name exists.
    """
    if not dav.is_segment(name):
        raise InvalidArgumentError(
            "Invalid name {name}",
            (
                "a new address book's name is part of its address, so choose one without '/' and control characters, "
                "such as work-contacts"
            ),
            argument="name",
            name=quoted(name),
        )
    if name.startswith(_GENERATED_PREFIXES):
        raise InvalidArgumentError(
            "Invalid name {name}",
            "Nextcloud keeps such names for address books of its own; choose another",
            argument="name",
            name=quoted(name),
        )
    body = Element(f"{dav.D}mkcol")
    properties = SubElement(SubElement(body, f"{dav.D}set"), f"{dav.D}prop")
    kind = SubElement(properties, f"{dav.D}resourcetype")
    SubElement(kind, f"{dav.D}collection")
    SubElement(kind, f"{CARD}addressbook")
    SubElement(properties, f"{dav.D}displayname").text = display_name
    response = await nextcloud.request(
        "MKCOL", await _url(nextcloud, name), about=_book(name), content=dav.body(body), headers=_XML, also_ok={405}
    )
    if response.status_code == 405:  # noqa: PLR2004
        raise ConflictError("The {resource} exists already", "choose another name", resource=_book(name))


async def delete_address_book(nextcloud: Nextcloud, name: str) -> str | None:
    """Delete an address book and its contacts permanently, or leave a shared one; return who shared it, or None.

    Raises:
        ForbiddenError: Nextcloud generates the address book.
    """
    if name.startswith(_GENERATED_PREFIXES):
        raise ForbiddenError(
            "The {resource} is made by Nextcloud and can't be deleted", "delete one of your own", resource=_book(name)
        )
    url = await _url(nextcloud, name)
    shared_by = next((each.shared_by for each in await list_address_books(nextcloud) if each.name == name), None)
    async with _serialized_write(nextcloud, name):
        await nextcloud.request("DELETE", url, about=_book(name))
    return shared_by


async def list_contacts(nextcloud: Nextcloud, address_book: str, query: str = "") -> list[Contact]:
    """Return the contacts of an address book by name; with `query`, those with this text in a `SEARCHED` property."""
    filters = [(name, text, "contains") for name in SEARCHED for text in spellings(query)] if query else []
    response = await _report(nextcloud, address_book, filters, wanted=READ_PROPERTIES)
    return await run_in_worker_thread(_contacts, response)  # thousands take seconds


async def create(nextcloud: Nextcloud, address_book: str, uid: str, data: ContactData) -> Written:
    """Create a contact.

    Raises:
        ConflictError: a contact with this UID exists.
        NotFoundError: the address book does not exist.
        InvalidArgumentError: the contact has no name.
    """
    if address_book.startswith(_GENERATED_PREFIXES):
        raise _generated_book_error(address_book)
    card = await run_in_worker_thread(vcard.create, uid, data)
    url = await _url(nextcloud, address_book, f"{uid}.vcf")
    async with _serialized_write(nextcloud, address_book):
        response = await nextcloud.request(
            "PUT",
            url,
            about=_book(address_book),
            headers={"If-None-Match": "*", **_VCARD},
            content=card.encode(),
            also_ok={400, 412},
        )
    if not response.is_success:  # 400: a card with another file name has this UID
        raise ConflictError(
            "The {resource} has a contact {uid} already",
            "change that, or choose another uid",
            resource=_book(address_book),
            uid=quoted(uid),
        )
    return Written(uid=uid, etag=dav.etag(response.headers), status_code=response.status_code)


async def update(
    nextcloud: Nextcloud, address_book: str, uid: str, fields: Mapping[str, Any], *, etag: str | None = None
) -> Written:
    """Change the fields that differ from the present values; the other lines of the card stay as they are.

    Raises:
        InvalidArgumentError: a field is unknown or invalid.
        ConflictError: the ETag of the contact is no longer `etag`, or somebody changed it meanwhile.
        NotFoundError: the contact does not exist.
    """
    check_names(fields)
    if address_book.startswith(_GENERATED_PREFIXES):
        raise _generated_book_error(address_book)
    card = await _find(nextcloud, address_book, uid)
    _check_etag(card, etag, uid)
    changed = await run_in_worker_thread(vcard.change_fields, card.text, fields)
    async with _serialized_write(nextcloud, address_book):
        response = await nextcloud.request(
            "PUT", card.url, about=_about(uid), headers={**_if_match(card), **_VCARD}, content=changed.encode()
        )
    present = dav.etag(response.headers)
    if not present:  # Nextcloud has stored a modified card
        with completed(
            "{resource} is changed, but reading its ETag failed",
            "read it, and do not change it again",
            resource=_about(uid),
        ):
            present = (await _find(nextcloud, address_book, uid)).etag
    return Written(uid=uid, etag=present, status_code=response.status_code)


async def delete(nextcloud: Nextcloud, address_book: str, uid: str, *, etag: str | None = None) -> ContactData:
    """Delete a contact permanently, and return its data.

    Raises:
        ConflictError: the ETag of the contact is no longer `etag`, or somebody changed it meanwhile.
        NotFoundError: the contact does not exist.
    """
    card = await _find(nextcloud, address_book, uid)
    _check_etag(card, etag, uid)
    async with _serialized_write(nextcloud, address_book):
        await nextcloud.request("DELETE", card.url, about=_about(uid), headers=_if_match(card))
    return await run_in_worker_thread(vcard.read, card.text)


@asynccontextmanager
async def _serialized_write(nextcloud: Nextcloud, address_book: str) -> AsyncIterator[None]:
    """Serialize changes, because Nextcloud on SQLite answers concurrent ones with HTTP 500.

    If Nextcloud answers 403, or 404 as for shared address books, check whether the address book is read-only.

    Raises:
        ForbiddenError: the address book is read-only.
    """
    try:
        async with nextcloud.change_lock(dav.OBJECTS):
            yield
    except (ForbiddenError, NotFoundError) as error:
        try:
            books = await list_address_books(nextcloud)
        except NextcloudError:
            raise error from None  # the first error is about the caller's request
        for each in books:
            if each.name == address_book and each.name.startswith(_GENERATED_PREFIXES):
                raise _generated_book_error(address_book) from error
            if each.name == address_book and each.read_only:
                raise missing_permission_error(
                    f"the {_book(address_book)}",
                    allowed=["read"],
                    needed="change it",
                    owner=each.shared_by or "",
                    origin="is not yours",
                    manager="its owner",
                ) from error
        raise


def _generated_book_error(address_book: str) -> ForbiddenError:
    return ForbiddenError(
        "The {resource} is made by Nextcloud and can't be changed",
        "take another from nc_contacts_list_addressbooks",
        resource=_book(address_book),
    )


async def _find(nextcloud: Nextcloud, address_book: str, uid: str) -> Card:
    """Return the card with this UID: try `<UID>.vcf` first, then query the address book.

    Raises:
        NotFoundError: the address book has no such card.
    """
    if not uid.strip():
        raise InvalidArgumentError("uid is empty", "pass the one that the list of contacts gives", argument="uid")
    card = await _get_by_file_name(nextcloud, address_book, uid)
    if card is not None and vcard.uid_of(card.text) == uid:
        return card
    response = await _report(nextcloud, address_book, [("UID", uid, "equals")], wanted=["UID"])
    for element in dav.matches(response):
        if _contact(dav.properties(element)).uid == uid:
            return await _card(nextcloud, await _url(nextcloud, address_book, dav.last_part(element)), uid)
    raise NotFoundError(
        "The {address_book} has no {resource}",
        "list its contacts for their uid",
        resource=_about(uid),
        address_book=_book(address_book),
    )


async def _get_by_file_name(nextcloud: Nextcloud, address_book: str, uid: str) -> Card | None:
    """Return the card `<UID>.vcf`, which may have another UID, or None."""
    if "/" in uid:
        return None  # names contain no slash
    try:
        return await _card(nextcloud, await _url(nextcloud, address_book, f"{uid}.vcf"), uid)
    except NotFoundError:
        return None


async def _card(nextcloud: Nextcloud, url: str, uid: str) -> Card:
    response = await nextcloud.request(
        "PROPFIND",
        url,
        about=_about(uid),
        headers={"Depth": "0", **_XML},
        content=dav.propfind(f"{dav.D}getetag", f"{CARD}address-data"),
    )
    properties = dav.properties(dav.responses(response)[0])
    return Card(url=url, etag=_etag(properties), text=_text(properties, f"{CARD}address-data"))


async def _report(
    nextcloud: Nextcloud, address_book: str, filters: Sequence[tuple[str, str, str]], *, wanted: Sequence[str]
) -> httpx.Response:
    """Query the cards that match one of `filters` (property, text, match type), with the properties in `wanted`."""
    body = Element(f"{CARD}addressbook-query")
    properties = SubElement(body, f"{dav.D}prop")
    SubElement(properties, f"{dav.D}getetag")
    data = SubElement(properties, f"{CARD}address-data", {"content-type": "text/vcard", "version": "4.0"})
    for name in wanted:
        SubElement(data, f"{CARD}prop", {"name": name})
    chosen = SubElement(body, f"{CARD}filter", {"test": "anyof"})
    for name, text, how in filters:
        condition = SubElement(chosen, f"{CARD}prop-filter", {"name": name})
        SubElement(condition, f"{CARD}text-match", {"match-type": how}).text = text
    return await nextcloud.request(
        "REPORT",
        await _url(nextcloud, address_book),
        about=_book(address_book),
        headers={"Depth": "1", **_XML},
        content=dav.body(body),
    )


def _check_etag(card: Card, etag: str | None, uid: str) -> None:
    """Raise a ConflictError if the caller passed an ETag and the card has another one."""
    if etag and dav.parse_etag(etag) != card.etag:
        raise dav.etag_mismatch_error(f"The {_about(uid)}")


def _if_match(card: Card) -> dict[str, str]:
    return {"If-Match": dav.quoted(card.etag)}


def _address_book(response: Element) -> AddressBook:
    name, properties = dav.last_part(response), dav.properties(response)
    return AddressBook(
        name=name,
        display_name=_text(properties, f"{dav.D}displayname") or name,
        description=_text(properties, f"{CARD}addressbook-description") or None,
        getctag=_text(properties, f"{CS}getctag") or None,
        read_only=_text(properties, f"{dav.OC}read-only") == "1",
        shared_by=dav.shared_by(response),
    )


def _is_address_book(response: Element) -> bool:
    return response.find(f".//{dav.D}resourcetype/{CARD}addressbook") is not None


def _contacts(response: httpx.Response) -> list[Contact]:
    """Return the contacts in a response, sorted by name."""
    found = [_contact(dav.properties(element)) for element in dav.each_response(response)]
    return sorted(found, key=lambda contact: ((contact.contact_data.fn or "").casefold(), contact.uid))


def _contact(properties: dict[str, Element]) -> Contact:
    card = _text(properties, f"{CARD}address-data")
    return Contact(uid=vcard.uid_of(card), etag=_etag(properties), contact_data=vcard.read(card))


def _text(properties: dict[str, Element], name: str) -> str:
    element = properties.get(name)
    return element.text or "" if element is not None else ""


def _etag(properties: dict[str, Element]) -> str | None:
    return dav.unquoted(_text(properties, f"{dav.D}getetag"))


async def _url(nextcloud: Nextcloud, *names: str) -> str:
    if not all(map(dav.is_segment, names)):
        raise InvalidArgumentError(
            "There is no address book {name}", "pass a name from nc_contacts_list_addressbooks", name=quoted(names[0])
        )
    parts = "".join(f"{quote(name, safe='')}/" for name in names)
    address = f"/remote.php/dav/addressbooks/users/{await nextcloud.principal_name()}/{parts}"
    return address.rstrip("/") if len(names) > 1 else address


def _book(name: str) -> str:
    return f"address book {quoted(name)}"


def _about(uid: str) -> str:
    return f"contact {quoted(uid)}"
