"""`tools.tables`: the tools for Nextcloud Tables, called as a client calls them."""

import json

import pytest

from tests.support.issuer import answer
from tests.support.server import Server
from tests.unit.nextcloud.test_tables import API, COLUMNS, row


@pytest.fixture
def table(server: Server) -> None:
    """Let there be a table 2 with a row 1."""
    server.nextcloud.on("GET", f"{API}/tables/2/columns", answer(json=COLUMNS))
    server.nextcloud.on("GET", f"{API}/rows/1", answer(json=row(c11="Iron", c12=5)))


async def test_lists_tables(server: Server) -> None:
    """With what is needed to choose one."""
    fields = {"id": 2, "title": "Stock", "ownership": "alice", "rowsCount": 3, "columnsCount": 2, "views": []}
    server.nextcloud.on("GET", f"{API}/tables", answer(json=[fields]))
    (found,) = (await server.use("nc_tables_list_tables"))["tables"]
    assert (found["id"], found["title"], found["rowsCount"]) == (2, "Stock", 3)


async def test_reads_a_schema(server: Server) -> None:
    """Columns with type and limits."""
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
    """A hundred unless told otherwise, far below 100 kB; next_offset leads on."""
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
async def test_parts_have_bounds(server: Server, name: str, value: int) -> None:
    """The error names the argument."""
    assert (await server.misuse("nc_tables_read_table", {"table_id": 2, name: value})).startswith(f"{name} must be")
    assert server.nextcloud.requests == []


@pytest.mark.usefixtures("table")
async def test_adds_changes_and_deletes_a_row(server: Server) -> None:
    """Each answers with the row."""
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
async def test_a_wrong_value_is_named(server: Server) -> None:
    """With its column."""
    arguments = {"table_id": 2, "data": {"Name": "Iron", "Amount": -1}}
    assert "data['Amount'] must be at least 0" in await server.misuse("nc_tables_insert_row", arguments)


@pytest.mark.usefixtures("table")
async def test_a_table_and_a_column_go_by_the_names_that_people_see(server: Server) -> None:
    """In any case, where one alone has that name; else what there is is told, and nothing is written."""
    tables = [{"id": 2, "title": "Stock", "ownership": "alice"}, {"id": 3, "title": "Other", "ownership": "alice"}]
    server.nextcloud.on("GET", f"{API}/tables", answer(json=tables))
    server.nextcloud.on("POST", f"{API}/tables/2/rows", answer(json=row(c11="Iron", c12=5)))
    await server.use("nc_tables_insert_row", {"table_id": "stock", "data": '{"name": "Iron", " AMOUNT": 5}'})
    (written,) = (request for request in server.nextcloud.requests if request.method == "POST")
    assert json.loads(written.content) == {"data": {"11": "Iron", "12": 5}}
    said = await server.misuse("nc_tables_insert_row", {"table_id": "Stocks", "data": {}})
    assert said == "There is no table 'Stocks': there is 2 (Stock), 3 (Other)."
    said = await server.misuse("nc_tables_insert_row", {"table_id": 2, "data": {"name": "a", "Name": "b"}})
    assert said == "data has 'name' and 'Name', which are the same column: name it once."
