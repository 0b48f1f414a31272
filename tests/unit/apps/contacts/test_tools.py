"""`apps.contacts.tools`: the tools for contacts, called through MCP."""

import json
from typing import Any
from uuid import UUID

import pytest

from tests.support.issuer import answer
from tests.support.nextcloud import OWNED_BY_BOB, multistatus
from tests.support.server import Server
from tests.unit.apps.contacts.test_api import ANN, BOOK, CARD, HOME, HOME_ITSELF, dav_book, dav_card

MANY = 1000


async def test_lists_address_books(server: Server) -> None:
    """Each address book has the name that the other tools take."""
    body = multistatus(HOME_ITSELF, dav_book("contacts", "<d:displayname>Contacts</d:displayname>"))
    server.nextcloud.on("PROPFIND", f"{HOME}/", answer(207, content=body))
    (book,) = (await server.use("nc_contacts_list_addressbooks", {}))["addressbooks"]
    assert (book["name"], book["display_name"], book["read_only"]) == ("contacts", "Contacts", False)


async def test_empty_contact_fields_are_omitted(server: Server) -> None:
    """Empty fields are left out of the result."""
    server.nextcloud.on("REPORT", f"{BOOK}/", answer(207, content=multistatus(dav_card(ANN))))
    result = await server.use("nc_contacts_list_contacts", {"addressbook": "contacts"})
    assert result["contacts"] == [{"uid": "ann", "etag": "e1", "contact_data": {"fn": "Ann Example"}}]
    assert (result["addressbook"], result["total_count"], result["next_cursor"]) == ("contacts", 1, None)


async def test_a_large_address_book_comes_in_pages(server: Server) -> None:
    """A thousand full contacts are ten pages, each far below 100 kB."""
    more = (
        "N:Example;Ann;;;\r\nEMAIL;TYPE=HOME:ann.example@example.org\r\nTEL;TYPE=CELL:+49 221 123456\r\nORG:Example\r\n"
    )
    cards = [
        dav_card(f"{BOOK}/{n}", CARD.replace("UID:ann", f"UID:{n}").replace("X-Other:kept\r\n", more))
        for n in range(MANY)
    ]
    server.nextcloud.on("REPORT", f"{BOOK}/", answer(207, content=multistatus(*cards)))
    seen: set[str] = set()
    cursor: str | None = ""
    while cursor is not None:
        arguments = {"addressbook": "contacts", "cursor": cursor}
        result = await server.use("nc_contacts_list_contacts", arguments)
        assert len(json.dumps(result)) < 50_000
        seen |= {contact["uid"] for contact in result["contacts"]}
        cursor = result["next_cursor"]
    assert len(seen) == result["total_count"] == MANY


async def test_creates_and_deletes_an_address_book(server: Server) -> None:
    """The results name the address book."""
    server.nextcloud.on("MKCOL", f"{HOME}/friends/", answer(201))
    server.nextcloud.on("PROPFIND", f"{HOME}/", answer(207, content=multistatus(HOME_ITSELF, dav_book("friends"))))
    server.nextcloud.on("DELETE", f"{HOME}/friends/", answer(204))
    made = await server.use("nc_contacts_create_addressbook", {"name": "friends", "display_name": "Friends"})
    assert (made["name"], made["message"]) == ("friends", "The address book friends is created.")
    gone = await server.use("nc_contacts_delete_addressbook", {"name": "friends"})
    assert gone["message"] == "The address book friends is deleted with all its contacts."


async def test_deleting_shared_address_book_leaves_share(server: Server) -> None:
    """Nextcloud only removes the share; the list names the owner, and the result says so."""
    shared = dav_book("contacts_shared_by_bob", OWNED_BY_BOB)
    server.nextcloud.on("PROPFIND", f"{HOME}/", answer(207, content=multistatus(HOME_ITSELF, shared)))
    server.nextcloud.on("DELETE", f"{HOME}/contacts_shared_by_bob/", answer(204))
    (book,) = (await server.use("nc_contacts_list_addressbooks", {}))["addressbooks"]
    left = await server.use("nc_contacts_delete_addressbook", {"name": "contacts_shared_by_bob"})
    assert book["shared_by"] == "Bob Example (bob)"
    assert left["message"] == (
        "You have left the address book contacts_shared_by_bob, which belongs to Bob Example (bob). Nothing is "
        "deleted: Bob Example (bob) still has it, and can share it with you again."
    )


@pytest.mark.parametrize("name", ["z-app-generated--contactsinteraction--recent", "z-server-generated--system"])
async def test_generated_address_book_is_not_deleted(server: Server, name: str) -> None:
    """It has no owner, and Nextcloud would answer HTTP 500."""
    book = dav_book(name, "<d:displayname>Recently contacted</d:displayname><oc:read-only>1</oc:read-only>")
    server.nextcloud.on("PROPFIND", f"{HOME}/", answer(207, content=multistatus(HOME_ITSELF, book)))
    server.nextcloud.on(
        "PROPFIND", f"{HOME}/{name}/ann.vcf", answer(207, content=multistatus(dav_card(f"{HOME}/{name}/ann.vcf")))
    )
    server.nextcloud.on("DELETE", f"{HOME}/{name}/ann.vcf", answer(403))
    assert await server.misuse("nc_contacts_delete_addressbook", {"name": name}) == (
        f"The address book '{name}' is made by Nextcloud and can't be deleted: delete one of your own."
    )
    contact = {"addressbook": name, "uid": "ann"}
    for tool, more in {
        "nc_contacts_create_contact": {"contact_data": {"fn": "Ann"}},
        "nc_contacts_update_contact": {"contact_data": {"note": "x"}},
        "nc_contacts_delete_contact": {},
    }.items():
        assert await server.misuse(tool, {**contact, **more}) == (
            f"The address book '{name}' is made by Nextcloud and can't be changed: take another from "
            "nc_contacts_list_addressbooks."
        )


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a/b", "so choose one without '/' and control characters, such as work-contacts."),
        ("friends/", "so choose one without '/' and control characters, such as work-contacts."),
        ("a\nb", "so choose one without '/' and control characters, such as work-contacts."),
        ("", "so choose one without '/' and control characters, such as work-contacts."),
        ("z-app-generatedx", "Nextcloud keeps such names for address books of its own; choose another."),
        ("z-app-generated--x", "Nextcloud keeps such names for address books of its own; choose another."),
    ],
)
async def test_invalid_address_book_name_is_refused(server: Server, name: str, reason: str) -> None:
    """The error says which names are valid, not that the name is missing in the list."""
    said = await server.misuse("nc_contacts_create_addressbook", {"name": name, "display_name": "X"})
    assert said.startswith(f"Invalid name {name!r}: ")
    assert said.endswith(reason)


async def test_creates_a_contact(server: Server) -> None:
    """The contact has the UID that the caller passed."""
    server.nextcloud.on("PUT", ANN, answer(201, headers={"ETag": '"e1"'}))
    arguments = {"addressbook": "contacts", "uid": "ann", "contact_data": {"fn": "Ann", "email": "ann@example.org"}}
    result = await server.use("nc_contacts_create_contact", arguments)
    assert (result["uid"], result["etag"], result["status_code"]) == ("ann", "e1", 201)


async def test_uid_is_generated_if_omitted(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A contact without UID gets a unique one."""
    made = UUID("12345678-1234-4234-8234-123456789abc")
    monkeypatch.setattr("nextcloud_mcp.apps.contacts.tools.uuid4", lambda: made)
    server.nextcloud.on("PUT", f"{BOOK}/{made}.vcf", answer(201, headers={"ETag": '"e1"'}))
    arguments = {"addressbook": "contacts", "uid": "", "contact_data": {"fn": "Ann"}}
    assert (await server.use("nc_contacts_create_contact", arguments))["uid"] == str(made)


async def test_invalid_field_is_named(server: Server) -> None:
    """The error is raised before any request to Nextcloud."""
    arguments = {"addressbook": "contacts", "uid": "ann", "contact_data": {"photo": "x"}}
    for tool in ("nc_contacts_create_contact", "nc_contacts_update_contact"):
        assert (await server.misuse(tool, arguments)).startswith("Unknown field 'photo' in contact_data: use fn, n, ")
    assert server.nextcloud.requests == []


@pytest.mark.parametrize("tool", ["nc_contacts_create_contact", "nc_contacts_update_contact"])
async def test_all_unknown_fields_are_named_at_once(server: Server, tool: str) -> None:
    """One sentence has all of them, and the fields that exist once; of many, it has the first ten."""
    arguments = {"addressbook": "contacts", "uid": "ann", "contact_data": {"fn": "Ann", "photo": "x", "shoe": 1}}
    assert (await server.misuse(tool, arguments)).startswith("Unknown fields 'photo', 'shoe' in contact_data: use fn, ")
    many = arguments | {"contact_data": {f"x{number}": "" for number in range(1, 13)}}
    assert "'x9', 'x10' and 2 more in contact_data: use fn, " in await server.misuse(tool, many)
    assert server.nextcloud.requests == []


async def test_changes_a_contact(server: Server) -> None:
    """Only the named fields of the stored card change."""
    server.nextcloud.on("PROPFIND", ANN, answer(207, content=multistatus(dav_card(ANN))))
    server.nextcloud.on("PUT", ANN, answer(204, headers={"ETag": '"e2"'}))
    arguments = {"addressbook": "contacts", "uid": "ann", "contact_data": {"org": "X"}, "etag": "e1"}
    assert (await server.use("nc_contacts_update_contact", arguments))["etag"] == "e2"
    assert server.nextcloud.requests[-1].content.decode() == CARD.replace("END:", "ORG:X\r\nEND:")


@pytest.mark.parametrize("status", [403, 404])
async def test_read_only_address_book_is_not_reported_missing(server: Server, status: int) -> None:
    """Nextcloud answers 404 to a write to an address book shared for reading."""
    book = dav_book("contacts", f"<d:displayname>Theirs</d:displayname><oc:read-only>1</oc:read-only>{OWNED_BY_BOB}")
    server.nextcloud.on("PROPFIND", f"{HOME}/", answer(207, content=multistatus(HOME_ITSELF, book)))
    server.nextcloud.on("PROPFIND", ANN, answer(207, content=multistatus(dav_card(ANN))))
    for method, path in {"PUT": ANN, "DELETE": ANN}.items():
        server.nextcloud.on(method, path, answer(status))
    contact = {"addressbook": "contacts", "uid": "ann"}
    for tool, more in {
        "nc_contacts_create_contact": {"contact_data": {"fn": "Ann"}},
        "nc_contacts_update_contact": {"contact_data": {"note": "x"}},
        "nc_contacts_delete_contact": {},
    }.items():
        assert await server.misuse(tool, {**contact, **more}) == (
            "You may only read the address book 'contacts', which belongs to Bob Example (bob), and this needs "
            "the permission to change it: ask Bob Example (bob) for it."
        )


async def test_deletes_a_contact(server: Server) -> None:
    """The result names the deleted contact."""
    server.nextcloud.on("PROPFIND", ANN, answer(207, content=multistatus(dav_card(ANN))))
    server.nextcloud.on("DELETE", ANN, answer(204))
    result = await server.use("nc_contacts_delete_contact", {"addressbook": "contacts", "uid": "ann"})
    assert (result["deleted_uid"], result["message"]) == ("ann", "The contact Ann Example is deleted.")


async def test_all_invalid_fields_are_named(server: Server) -> None:
    """One error names all invalid fields by their path; no request is sent."""
    data = {"fn": ["a"], "email": [5], "adr": {"street": 5}, "url": [{"valu": "x"}], "org": 5, "shoe": 1}
    arguments = {"addressbook": "contacts", "uid": "", "contact_data": data}
    said = await server.misuse("nc_contacts_create_contact", arguments)
    assert said.startswith(
        "Invalid contact_data.fn (a list): pass text. "
        'Invalid item 1 of contact_data.email (5): pass text or {"value", "type"}. '
        "Invalid street of contact_data.adr (5): pass text. "
        "Invalid contact_data.org (5): pass text, or a list of texts. "
        "Missing value in item 1 of contact_data.url: pass text. "
        "Unknown 'valu' in item 1 of contact_data.url: leave it out. "
        "Unknown field 'shoe' in contact_data: use fn, "
    ), said
    assert server.nextcloud.asked() == []


@pytest.mark.parametrize("tool", ["nc_contacts_create_contact", "nc_contacts_update_contact"])
@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"tel": "1", "phone": "2"}, "contact_data has 'phone' and 'tel', which are the same field: pass tel alone."),
        (
            {"org": "A", "organization": "A"},
            "contact_data has 'organization' and 'org', which are the same field: pass org alone.",
        ),
        (
            {"bday": "1990-13-01"},
            "Invalid contact_data.bday: must be a day of the calendar, which 1990-13-01 is not.",
        ),
        ({"bday": 19900101}, "Invalid contact_data.bday (19900101): pass text, YYYY-MM-DD or --MM-DD."),
        ({"tel": 441234}, 'Invalid contact_data.tel (441234): pass text or {"value", "type"}, or a list of these.'),
        ({"phone": [{"value": 441234}]}, "Invalid value of item 1 of contact_data.phone (441234): pass text."),
        ({"kind": "robot"}, "Invalid contact_data.kind (a text): pass one of individual, group, org, location."),
        (
            {"email": [{"value": "a@example.org", "type": 5}]},
            "Invalid type of item 1 of contact_data.email (5): pass a word such as home, or a list of words.",
        ),
        (
            {"email": ["", None, {"value": None}]},
            "Invalid value of item 3 of contact_data.email (null): pass text.",
        ),
        ({"email": [{"type": "home"}]}, "Missing value in item 1 of contact_data.email: pass text."),
        ({"categories": ["a", 1]}, "Invalid item 2 of contact_data.categories (1): pass text."),
        ({"org": ["", 1]}, "Invalid item 2 of contact_data.org (1): pass text."),
    ],
    ids=str,
)
async def test_field_type_error_is_plain(server: Server, tool: str, data: dict[str, Any], sentence: str) -> None:
    """A number in place of text is refused as in other arguments, without a validation library's wording."""
    server.nextcloud.on("PROPFIND", ANN, answer(207, content=multistatus(dav_card(ANN))))
    said = await server.misuse(tool, {"addressbook": "contacts", "uid": "ann", "contact_data": {"fn": "Ann", **data}})
    assert said.startswith(sentence), said
