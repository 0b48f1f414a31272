"""Contacts: create an address book with a contact; find, change and delete the contact."""

from typing import Final

from tests.support.old_client import OldClient

APP: Final = "contacts"
GLANCE: Final[tuple[str, dict[str, str]]] = ("nc_contacts_list_addressbooks", {})


async def journey(old: OldClient) -> None:
    """Keep an address book."""
    book = {"addressbook": old.unique}
    await old.call("nc_contacts_create_addressbook", {"name": old.unique, "display_name": "Journey"})
    books = (await old.call("nc_contacts_list_addressbooks"))["addressbooks"]
    assert (old.unique, "Journey") in [(each["name"], each["display_name"]) for each in books]

    ann = {**book, "uid": f"{old.unique}-ann"}
    data = {"fn": "Ann Example", "email": "ann@example.org"}
    created = await old.call("nc_contacts_create_contact", {**ann, "contact_data": data})
    change = {**ann, "contact_data": {"tel": "+49 123"}, "etag": created["etag"]}
    assert (await old.call("nc_contacts_update_contact", change))["etag"] != created["etag"]

    (listed,) = (await old.call("nc_contacts_list_contacts", book))["contacts"]
    assert (listed["uid"], listed["contact_data"]["fn"]) == (ann["uid"], "Ann Example")
    assert listed["contact_data"]["email"] == [{"value": "ann@example.org"}]
    assert listed["contact_data"]["tel"] == [{"value": "+49 123"}]

    await old.call("nc_contacts_delete_contact", ann)
    assert (await old.call("nc_contacts_list_contacts", book))["contacts"] == []
    await old.call("nc_contacts_delete_addressbook", {"name": old.unique})
