"""`boundary.addresses`: addresses of this Nextcloud are accepted in place of ids and names."""

from typing import Final

import pytest

from tests.support.deck import BOARDS, board, card, stack
from tests.support.issuer import answer
from tests.support.nextcloud import NOTES, note
from tests.support.server import EXCHANGE, Server, serving

CLOUD: Final = "https://cloud.test"
ELSEWHERE: Final = "https://elsewhere.test"
BOOK: Final = "/remote.php/dav/addressbooks/users/alice"
TABLES: Final = "/index.php/apps/tables/api/1/tables"
RECIPES: Final = "/index.php/apps/cookbook/api/v1/recipes"


@pytest.mark.parametrize(
    "address",
    [
        f"{CLOUD}/apps/deck/board/2",
        f"{CLOUD}/index.php/apps/deck/board/2/card/11",
        f"{CLOUD}/apps/deck/#/board/2",
        f"{CLOUD}/apps/deck/#!/board/2/",
        f"{CLOUD}/index.php/apps/deck#/board/2/card/11",
        f" {CLOUD}:443/apps/deck/board/2 ",
        "/apps/deck/board/2",
        "/index.php/apps/deck/#/board/2",
    ],
)
async def test_board_address_is_accepted(server: Server, address: str) -> None:
    """The address of every version of the web page is accepted without a lookup, since it contains the id."""
    server.nextcloud.on("GET", f"{BOARDS}/2", answer(json=board()))
    assert (await server.use("deck_get_board", {"board_id": address}))["id"] == 2
    assert server.nextcloud.asked() == [f"GET {BOARDS}/2"]


async def test_card_address_is_accepted(server: Server) -> None:
    """The address contains board and card, but not the stack."""
    path = f"{BOARDS}/2/stacks/9"
    server.nextcloud.on("GET", f"{BOARDS}/2/stacks", answer(json=[stack(title="To do")]))
    server.nextcloud.on("GET", f"{path}/cards/11", answer(json=card()))
    address = f"{CLOUD}/apps/deck/board/2/card/11"
    read = await server.use("deck_get_card", {"board_id": address, "stack_id": "To do", "card_id": address})
    assert read["id"] == 11


@pytest.mark.parametrize(
    ("tool", "argument", "address", "path", "row"),
    [
        ("nc_notes_get_note", "note_id", "/apps/notes/note/7", f"{NOTES}/7", note()),
        ("nc_notes_get_note", "note_id", "/index.php/apps/notes/#/note/7", f"{NOTES}/7", note()),
        (
            "nc_tables_get_schema",
            "table_id",
            "/apps/tables/#/table/3",
            f"{TABLES}/3/scheme",
            {"title": "T", "columns": []},
        ),
        (
            "nc_tables_get_schema",
            "table_id",
            "/apps/tables/#/table/3/row/1",
            f"{TABLES}/3/scheme",
            {"title": "T", "columns": []},
        ),
        (
            "nc_cookbook_get_recipe",
            "recipe_id",
            "/apps/cookbook/#/recipe/5",
            f"{RECIPES}/5",
            {"id": "5", "name": "Soup"},
        ),
        (
            "nc_cookbook_get_recipe",
            "recipe_id",
            "/index.php/apps/cookbook/#/recipe/5/edit",
            f"{RECIPES}/5",
            {"id": "5", "name": "Soup"},
        ),
    ],
)
async def test_addresses_of_other_apps_are_accepted(
    server: Server, tool: str, argument: str, address: str, path: str, row: dict[str, object]
) -> None:
    """They are accepted with and without the host."""
    server.nextcloud.on("GET", path, answer(json=row))
    for given in (CLOUD + address, address):
        await server.use(tool, {argument: given})
    assert server.nextcloud.asked() == [f"GET {path}"] * 2


@pytest.mark.parametrize(
    "address",
    [
        f"{CLOUD}{BOOK}/con%20tacts/",
        f"{CLOUD}{BOOK}/con%20tacts",
        f"{CLOUD}{BOOK}/con%20tacts/ann.vcf",
        f"{CLOUD}/remote.php/carddav/addressbooks/alice/con%20tacts/",
        f"{BOOK}/con%20tacts/",
        "con tacts/",
        " con tacts/ ",
    ],
)
async def test_address_book_address_is_accepted(server: Server, address: str) -> None:
    """The address is the one that a CardDAV client shows, with or without what precedes the name."""
    empty = b'<?xml version="1.0"?><d:multistatus xmlns:d="DAV:"/>'
    server.nextcloud.on("REPORT", f"{BOOK}/con%20tacts/", answer(207, content=empty))
    found = await server.use("nc_contacts_list_contacts", {"addressbook": address})
    assert (found["addressbook"], found["contacts"]) == ("con tacts", [])


@pytest.mark.parametrize(
    "address", [f"{ELSEWHERE}/apps/deck/board/2", f"{CLOUD}/apps/deck/", "http://[/apps/deck/board/2"]
)
async def test_address_without_a_board_is_refused(server: Server, address: str) -> None:
    """For another server's address, or that of the whole app, the error lists the existing boards."""
    server.nextcloud.on("GET", BOARDS, answer(json=[board()]))
    said = await server.misuse("deck_get_board", {"board_id": address})
    assert said == f"No board {address!r}: choose from 2 (Project)."


@pytest.mark.parametrize(
    "address", [f"{ELSEWHERE}{BOOK}/contacts/", f"{CLOUD}{BOOK[:-5]}bob/contacts/", "con/tacts/", "/", "../"]
)
async def test_address_of_foreign_address_book_is_refused(server: Server, address: str) -> None:
    """The address is another server's, in another user's home, or not that of one address book."""
    said = await server.misuse("nc_contacts_list_contacts", {"addressbook": address})
    assert said.startswith("There is no address book ")


async def test_href_below_base_path_is_accepted() -> None:
    """The hrefs in Nextcloud's responses start with the path of its URL."""
    empty = b'<?xml version="1.0"?><d:multistatus xmlns:d="DAV:"/>'
    async with serving({**EXCHANGE, "NEXTCLOUD_PUBLIC_URL": f"{ELSEWHERE}/cloud"}) as server:
        server.nextcloud.on("REPORT", f"{BOOK}/contacts/", answer(207, content=empty))
        found = await server.use("nc_contacts_list_contacts", {"addressbook": f"/cloud{BOOK}/contacts/"})
    assert found["addressbook"] == "contacts"


async def test_note_is_found_by_title(server: Server) -> None:
    """As for boards and tables, the error for an ambiguous title lists the ids."""
    notes = [note(id=7, title="Plans"), note(id=8, title="Twice"), note(id=9, title="Twice"), note(id=10, title="2027")]
    server.nextcloud.on("GET", NOTES, answer(json=notes))
    server.nextcloud.on("GET", f"{NOTES}/7", answer(json=notes[0]))
    server.nextcloud.on("GET", f"{NOTES}/10", answer(json=notes[3]))
    server.nextcloud.on("GET", f"{NOTES}/2027", answer(404))
    assert (await server.use("nc_notes_get_note", {"note_id": "plans"}))["id"] == 7
    assert (await server.use("nc_notes_get_note", {"note_id": "2027"}))["id"] == 10
    said = await server.misuse("nc_notes_get_note", {"note_id": "Twice"})
    assert said == "More than one note is called 'Twice': pass one of 8 (Twice), 9 (Twice)."
