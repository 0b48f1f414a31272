"""The tools for contacts."""

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import uuid4

from nextcloud_mcp.apps.contacts import api
from nextcloud_mcp.apps.contacts.api import AddressBook, Contact, Written
from nextcloud_mcp.apps.contacts.validation import validate_contact
from nextcloud_mcp.boundary.addresses import accepts_collection
from nextcloud_mcp.boundary.call import AsUser
from nextcloud_mcp.boundary.changes import require_change
from nextcloud_mcp.boundary.declaration import Result, reads, writes
from nextcloud_mcp.boundary.lookup import Named
from nextcloud_mcp.boundary.paging import DEFAULT_LIMIT, Paged, page
from nextcloud_mcp.boundary.schemas import ETAG, Cursor, described
from nextcloud_mcp.boundary.shared import left_share_message
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.names import Thing


class AddressBooks(Result):
    """The address books of the person."""

    addressbooks: list[AddressBook]


class Contacts(Paged):
    """A page of an address book's contacts; `total_count` counts all pages."""

    addressbook: str
    contacts: list[Contact]
    total_count: int


class AddressBookChanged(Result):
    """A created or deleted address book."""

    name: str
    message: str


class ContactChanged(Result):
    """A contact after a change; `status_code` is 201 if it is new."""

    uid: str
    etag: str | None
    status_code: int


class ContactDeleted(Result):
    """A deleted contact."""

    deleted_uid: str
    message: str


async def _address_books(nextcloud: Nextcloud, _: Mapping[str, Any]) -> list[Thing]:
    return [Thing(book.name, book.display_name) for book in await api.list_address_books(nextcloud)]


AddressBookName = Annotated[
    str,
    accepts_collection(r"/remote\.php/(?:dav|carddav)/addressbooks/(?:users/)?(?P<owner>[^/]+)/([^/]+)(?:/.*)?"),
    Named("address book", _address_books, scope="contacts:read"),
]


@reads("List address books", scopes="contacts:read")
async def nc_contacts_list_addressbooks(nextcloud: AsUser) -> AddressBooks:
    """List the address books. The other contact tools take their name."""
    return AddressBooks(addressbooks=await api.list_address_books(nextcloud))


@reads("List or search contacts", scopes="contacts:read")
async def nc_contacts_list_contacts(
    addressbook: AddressBookName, nextcloud: AsUser, query: str = "", limit: int = DEFAULT_LIMIT, cursor: Cursor = ""
) -> Contacts:
    """List contacts by name, each with uid and ETag, without photos.

    query: text in name, e-mail, phone, organization, category or note.
    """
    found = await api.list_contacts(nextcloud, addressbook, query)
    shown = page(found, limit, cursor)
    return Contacts(
        addressbook=addressbook, contacts=shown.items, total_count=len(found), next_cursor=shown.next_cursor
    )


@writes("Create an address book", scopes="contacts:write", destructive=False, idempotent=False)
async def nc_contacts_create_addressbook(name: str, display_name: str, nextcloud: AsUser) -> AddressBookChanged:
    """Create an address book. name becomes part of its URL: short, in lower case."""
    await api.create_address_book(nextcloud, name, display_name)
    return AddressBookChanged(name=name, message=f"The address book {name} is created.")


@writes("Delete an address book", scopes="contacts:write", destructive=True, idempotent=True)
async def nc_contacts_delete_addressbook(name: AddressBookName, nextcloud: AsUser) -> AddressBookChanged:
    """Delete an address book with all its contacts permanently: there is no trash for them.

    One that somebody else shared is not deleted: the user only leaves the share.
    """
    shared_by = await api.delete_address_book(nextcloud, name)
    if shared_by:
        return AddressBookChanged(name=name, message=left_share_message(f"the address book {name}", shared_by))
    return AddressBookChanged(name=name, message=f"The address book {name} is deleted with all its contacts.")


@writes("Create a contact", scopes="contacts:write", destructive=False, idempotent=False)
async def nc_contacts_create_contact(
    addressbook: AddressBookName,
    uid: Annotated[str, described("empty: a new one")],
    contact_data: dict[str, Any],
    nextcloud: AsUser,
) -> ContactChanged:
    """Create a contact.

    Fields: fn (display name), n, nickname, email, tel, adr, org, title, role, bday, url, note, categories (groups),
    kind, members. Lists may hold texts or {"value", "type"}; adr has street, city, region, postcode, country.
    """
    data = validate_contact(contact_data)
    return _changed(await api.create(nextcloud, addressbook, uid or str(uuid4()), data))


@writes("Change a contact", scopes="contacts:write", destructive=True, idempotent=True)
async def nc_contacts_update_contact(
    addressbook: AddressBookName,
    uid: str,
    contact_data: dict[str, Any],
    nextcloud: AsUser,
    etag: Annotated[str, ETAG] = "",
) -> ContactChanged:
    """Change fields of a contact, named as in nc_contacts_create_contact.

    A list replaces the whole list, null removes a field, and other fields stay.
    """
    require_change(contact_data, "pass at least one field in contact_data, such as note", argument="contact_data")
    return _changed(await api.update(nextcloud, addressbook, uid, contact_data, etag=etag))


@writes("Delete a contact", scopes="contacts:write", destructive=True, idempotent=True)
async def nc_contacts_delete_contact(
    addressbook: AddressBookName, uid: str, nextcloud: AsUser, etag: Annotated[str, ETAG] = ""
) -> ContactDeleted:
    """Delete a contact permanently: there is no trash for contacts."""
    gone = await api.delete(nextcloud, addressbook, uid, etag=etag)
    return ContactDeleted(deleted_uid=uid, message=f"The contact {gone.fn or uid} is deleted.")


def _changed(written: Written) -> ContactChanged:
    return ContactChanged(uid=written.uid, etag=written.etag, status_code=written.status_code)
