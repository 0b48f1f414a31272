"""`apps.tables.tools`: the tools for Nextcloud Tables, called through MCP."""

import json
from typing import Any, Final

import pytest

from tests.support.issuer import answer
from tests.support.nextcloud import SHAREES, sharees
from tests.support.server import Server
from tests.unit.apps.tables.test_api import API, COLUMNS, row


@pytest.fixture
def table(server: Server) -> None:
    """Let there be a table 2 with a row 1."""
    server.nextcloud.on("GET", f"{API}/tables/2/columns", answer(json=COLUMNS))
    server.nextcloud.on("GET", f"{API}/rows/1", answer(json=row(c11="Iron", c12=5)))


async def test_lists_tables(server: Server) -> None:
    """Each table has the fields needed to choose one."""
    fields = {"id": 2, "title": "Stock", "ownership": "alice", "rowsCount": 3, "columnsCount": 2, "views": []}
    server.nextcloud.on("GET", f"{API}/tables", answer(json=[fields]))
    (found,) = (await server.use("nc_tables_list_tables"))["tables"]
    assert (found["id"], found["title"], found["rowsCount"]) == (2, "Stock", 3)


async def test_reads_a_schema(server: Server) -> None:
    """Columns have their type and constraints."""
    scheme = {"title": "Stock", "description": "", "columns": COLUMNS, "views": []}
    server.nextcloud.on("GET", f"{API}/tables/2/scheme", answer(json=scheme))
    result = await server.use("nc_tables_get_schema", {"table_id": 2})
    assert (result["table_id"], result["title"]) == (2, "Stock")
    assert [(column["title"], column["type"]) for column in result["columns"]] == [
        ("Name", "text"),
        ("Amount", "number"),
    ]


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    ("arguments", "asked", "next_offset"),
    [
        pytest.param({}, {"limit": "101", "offset": "0"}, 100, id="by default"),
        pytest.param({"limit": None, "offset": None}, {"limit": "101", "offset": "0"}, 100, id="null"),
        pytest.param({"limit": 150, "offset": 50}, {"limit": "151", "offset": "50"}, None, id="the last"),
    ],
)
async def test_reads_rows_in_parts(
    server: Server, arguments: dict[str, int | None], asked: dict[str, str], next_offset: int | None
) -> None:
    """The default is a hundred rows, far below 100 kB; next_offset continues."""
    full = [row(number, c11="A name of some length, for example", c12=number) for number in range(101)]
    server.nextcloud.on("GET", f"{API}/tables/2/rows", answer(json=full))
    result = await server.use("nc_tables_read_table", {"table_id": 2, **arguments})
    assert result["rows"][0] == {
        "id": 0,
        "tableId": 2,
        "lastEditBy": "alice",
        "lastEditAt": "2026-11-23 15:28:39",
        "data": {"Name": "A name of some length, for example", "Amount": 0},
    }
    assert result["next_offset"] == next_offset
    assert dict(server.nextcloud.requests[-1].url.params) == asked
    assert len(json.dumps(result)) < 50_000


@pytest.mark.parametrize(("name", "value"), [("limit", 0), ("limit", 1001), ("offset", -1)])
async def test_row_limit_and_offset_are_bounded(server: Server, name: str, value: int) -> None:
    """The error names the argument."""
    assert name in await server.misuse("nc_tables_read_table", {"table_id": 2, name: value})
    assert server.nextcloud.requests == []


@pytest.mark.usefixtures("table")
async def test_creates_updates_and_deletes_a_row(server: Server) -> None:
    """Each result has the row."""
    server.nextcloud.on("POST", f"{API}/tables/2/rows", answer(json=row(1, c11="Iron")))
    server.nextcloud.on("PUT", f"{API}/rows/1", answer(json=row(1, c11="Iron", c12=6)))
    server.nextcloud.on("DELETE", f"{API}/rows/1", answer(json=row(1, c11="Iron", c12=6)))
    iron, six = answer(json=row(1, c11="Iron")), answer(json=row(1, c11="Iron", c12=6))
    server.nextcloud.on("GET", f"{API}/rows/1", iron, iron, six)
    added = await server.use("nc_tables_insert_row", {"table_id": 2, "data": {"11": "Iron"}})
    assert (added["row"]["id"], added["row"]["data"]) == (1, {"Name": "Iron"})
    changed = await server.use("nc_tables_update_row", {"row_id": 1, "data": {"Amount": 6}})
    assert changed["row"]["data"] == {"Name": "Iron", "Amount": 6}
    deleted = await server.use("nc_tables_delete_row", {"row_id": 1})
    assert deleted["deleted_row"]["data"] == {"Name": "Iron", "Amount": 6}


@pytest.mark.usefixtures("table")
async def test_invalid_value_error_names_column(server: Server) -> None:
    """The error names the column."""
    arguments = {"table_id": 2, "data": {"Name": "Iron", "Amount": -1}}
    assert "data['Amount'] must be at least 0" in await server.misuse("nc_tables_insert_row", arguments)


@pytest.mark.usefixtures("table")
async def test_tables_and_columns_are_found_by_name(server: Server) -> None:
    """Names match in any case if unique; otherwise the error lists candidates, and nothing is written."""
    tables = [{"id": 2, "title": "Stock", "ownership": "alice"}, {"id": 3, "title": "Other", "ownership": "alice"}]
    server.nextcloud.on("GET", f"{API}/tables", answer(json=tables))
    server.nextcloud.on("POST", f"{API}/tables/2/rows", answer(json=row(c11="Iron", c12=5)))
    await server.use("nc_tables_insert_row", {"table_id": "stock", "data": '{"name": "Iron", " AMOUNT": 5}'})
    (written,) = (request for request in server.nextcloud.requests if request.method == "POST")
    assert json.loads(written.content) == {"data": {"11": "Iron", "12": 5}}
    said = await server.misuse("nc_tables_insert_row", {"table_id": "Stocks", "data": {}})
    assert said == "No table 'Stocks': choose from 2 (Stock), 3 (Other)."
    said = await server.misuse("nc_tables_insert_row", {"table_id": 2, "data": {"name": "a", "Name": "b"}})
    assert said == "data has 'name' and 'Name', which are the same column: name it once."


PEOPLE: Final = [{"id": 13, "title": "Team", "type": "usergroup", "usergroupMultipleItems": True}]
BOB: Final = {"id": "bob", "type": 0, "displayName": "Bob Builder"}
ALICE: Final = {"id": "alice", "type": 0, "displayName": "Alice Liddell"}


@pytest.mark.parametrize(
    ("team", "found", "sent"),
    [
        pytest.param("bob@example.org", {"bob": "Bob Builder"}, ["bob"], id="by mail address"),
        pytest.param(["Bob Builder", ALICE], {"bob": "Bob Builder"}, ["bob", "alice"], id="by name"),
        pytest.param("Alice Liddell", {}, ["alice"], id="who asks, whom Nextcloud does not find"),
        pytest.param("carol", {}, ["carol"], id="by an id that is not found"),
        pytest.param([BOB, ALICE], None, ["bob", "alice"], id="as reading shows them"),
    ],
)
async def test_users_in_cells_are_looked_up(
    server: Server, team: Any, found: dict[str, str] | None, sent: list[str]
) -> None:
    """They are looked up as for sharing, since Tables accepts ids only."""
    if found is not None:
        server.nextcloud.on("GET", SHAREES, sharees(**found))
    server.nextcloud.on("GET", f"{API}/tables/2/columns", answer(json=PEOPLE))
    kept = [{"id": each, "type": 0} for each in sent]
    server.nextcloud.on("GET", f"{API}/rows/1", answer(json=row(c13=[BOB])), answer(json=row(c13=kept)))
    server.nextcloud.on("PUT", f"{API}/rows/1", answer(json=row(c13=kept)))
    await server.use("nc_tables_update_row", {"row_id": 1, "data": {"Team": team}})
    (body,) = [json.loads(each.content) for each in server.nextcloud.requests if each.method == "PUT"]
    assert body == {"data": {"13": kept}}


async def test_ambiguous_users_are_refused(server: Server) -> None:
    """The error lists both; without the sharing scope no lookup is made, and Tables' reason is returned."""
    server.nextcloud.on("GET", SHAREES, sharees(bob="Bob Builder", bob2="Bob Builder"))
    server.nextcloud.on("GET", f"{API}/tables/2/columns", answer(json=PEOPLE))
    server.nextcloud.on("POST", f"{API}/tables/2/rows", answer(400, json={"message": "User not found"}))
    arguments: dict[str, Any] = {"table_id": 2, "data": {"Team": "Bob Builder"}}
    said = await server.misuse("nc_tables_insert_row", arguments)
    assert said == "More than one user is called 'Bob Builder': pass one of bob (Bob Builder), bob2 (Bob Builder)."
    many = {"table_id": 2, "data": {"Team": ["x"] * 101}}
    assert await server.misuse("nc_tables_insert_row", many) == "data['Team'] names more than 100 people: pass fewer."
    token = server.keycloak.mint(scope="tables:read tables:write")
    said = (await server.call("nc_tables_insert_row", arguments, token=token)).text
    assert "nothing was written: User not found. People are written by their uid." in said
    assert sum(SHAREES in each for each in server.nextcloud.asked()) == 1


@pytest.mark.parametrize("limit", [0, -1, 1001])
async def test_limit_error_does_not_mention_cursor(server: Server, limit: int) -> None:
    """The tool takes an offset, not a cursor, and the error says so."""
    said = await server.misuse("nc_tables_read_table", {"table_id": 2, "limit": limit})
    assert said == f"Invalid limit {limit}: pass a number from 1 to 1000, and for more, next_offset as offset."
