"""`apps.tables.api`: Nextcloud Tables, REST API v1."""

import json
from typing import Any

import pytest

from nextcloud_mcp.apps.tables import api as tables
from nextcloud_mcp.errors import ForbiddenError, InvalidArgumentError, NextcloudUnavailableError, NotFoundError
from nextcloud_mcp.nextcloud.client import Nextcloud
from tests.support.issuer import Answer, answer
from tests.support.nextcloud import FakeNextcloud

API = "/index.php/apps/tables/api/1"
COLUMNS = [
    {"id": 11, "title": "Name", "type": "text", "subtype": "line", "mandatory": True, "numberDecimals": 0},
    {"id": 12, "title": "Amount", "type": "number", "subtype": "", "numberMin": 0, "numberDecimals": 0},
]


def row(number: int = 1, **cells: Any) -> dict[str, Any]:
    """Return a row as the API has it."""
    data = [{"columnId": int(column.removeprefix("c")), "value": value} for column, value in cells.items()]
    edited = {"createdBy": "alice", "lastEditBy": "alice", "lastEditAt": "2026-11-23 15:28:39"}
    return {"id": number, "tableId": 2, **edited, "data": data}


@pytest.fixture
def table(fake: FakeNextcloud) -> None:
    """Let there be a table 2 with a row 1."""
    fake.on("GET", f"{API}/tables/2/columns", answer(json=COLUMNS))
    fake.on("GET", f"{API}/rows/1", answer(json=row(c11="Iron", c12=5)))


async def test_lists_tables(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Fields have the API's names; unset ones are omitted, a count of 0 is not."""
    fields = {"id": 2, "title": "Stock", "emoji": None, "ownership": "alice", "rowsCount": 0, "isShared": False}
    view = {"id": 1, "title": "All", "description": "", "filter": []}
    fake.on("GET", f"{API}/tables", answer(json=[fields | {"views": [view]}]))
    (found,) = await tables.list_tables(nextcloud)
    assert found.model_dump(by_alias=True) == {
        "id": 2,
        "title": "Stock",
        "ownership": "alice",
        "rowsCount": 0,
        "columnsCount": 0,
        "views": [{"id": 1, "title": "All"}],
    }


async def test_reads_table_schema(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Columns have only their constraints; a limit of 0 is a limit."""
    fake.on("GET", f"{API}/tables/2/scheme", answer(json={"title": "Stock", "columns": COLUMNS, "views": []}))
    name, amount = (await tables.scheme(nextcloud, 2)).columns
    assert name.model_dump(by_alias=True) == {
        "id": 11,
        "title": "Name",
        "type": "text",
        "subtype": "line",
        "mandatory": True,
    }
    assert amount.model_dump(by_alias=True)["numberMin"] == 0


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(("there", "more"), [(2, False), (3, True)])
async def test_reads_rows_by_column_title(nextcloud: Nextcloud, fake: FakeNextcloud, there: int, *, more: bool) -> None:
    """One more row than requested is fetched to know whether more exist."""
    fake.on("GET", f"{API}/tables/2/rows", answer(json=[row(n, c11="Iron", c99="hidden") for n in range(there)]))
    found = await tables.read(nextcloud, 2, limit=2, offset=4)
    assert [each.data for each in found.rows] == [{"Name": "Iron"}] * 2
    assert found.more is more
    assert dict(fake.requests[-1].url.params) == {"limit": "3", "offset": "4"}


@pytest.mark.usefixtures("table")
async def test_creates_a_row(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Values are sent by column id; the creator is not in the result."""
    fake.on("POST", f"{API}/tables/2/rows", answer(json=row(7, c11="Iron")))
    fake.on("GET", f"{API}/rows/7", answer(json=row(7, c11="Iron")))
    added = await tables.insert(nextcloud, 2, {"Name": "Iron"})
    assert (added.id, added.data) == (7, {"Name": "Iron"})
    assert json.loads(fake.requests[-2].content) == {"data": {"11": "Iron"}}


@pytest.mark.usefixtures("table")
async def test_new_row_with_dropped_value_is_deleted(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """If Tables silently drops a value, the call fails and no partial row remains."""
    fake.on("POST", f"{API}/tables/2/rows", answer(json=row(7, c11="Iron", c12=6)))
    fake.on("GET", f"{API}/rows/7", answer(json=row(7, c11="Iron", c12=0)))
    fake.on("DELETE", f"{API}/rows/7", answer(json=row(7)))
    with pytest.raises(
        InvalidArgumentError, match="Tables stored 0 in place of 6 in 'Amount', so the change was taken"
    ):
        await tables.insert(nextcloud, 2, {"Name": "Iron", "Amount": 6})
    assert fake.asked("DELETE") == [f"DELETE {API}/rows/7"]


@pytest.mark.usefixtures("table")
async def test_unchecked_new_row_is_named(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """If the row can't be read after it was added, the error names it, so that nobody adds it twice."""
    fake.on("POST", f"{API}/tables/2/rows", answer(json=row(7, c11="Iron")))
    fake.on("GET", f"{API}/rows/7", answer(404))
    with pytest.raises(NotFoundError) as failed:
        await tables.insert(nextcloud, 2, {"Name": "Iron"})
    assert str(failed.value) == (
        "Row 7 is added, but checking its values failed. Nextcloud did not find row 7 among what you may see: "
        "read the row, and do not add it again."
    )


@pytest.mark.usefixtures("table")
async def test_new_row_that_can_not_be_deleted_is_named(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The error has the stored value, because the row stays."""
    fake.on("POST", f"{API}/tables/2/rows", answer(json=row(7, c11="Iron", c12=6)))
    fake.on("GET", f"{API}/rows/7", answer(json=row(7, c11="Iron", c12=0)))
    fake.on("DELETE", f"{API}/rows/7", answer(403))
    with pytest.raises(
        ForbiddenError,
        match=r"^Row 7 is added, but Tables stored 0 in place of 6 in 'Amount', and deleting the row failed\. ",
    ) as failed:
        await tables.insert(nextcloud, 2, {"Name": "Iron", "Amount": 6})
    assert failed.value.remedy == "delete the row, or write a value that the column can hold"


async def test_update_that_can_not_be_reverted_says_so(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The error says that the row has changed, and which value Tables stored."""
    fake.on("GET", f"{API}/tables/2/columns", answer(json=COLUMNS))
    fake.on("GET", f"{API}/rows/1", answer(json=row(c12=5)), answer(json=row(c12=0)))
    fake.on("PUT", f"{API}/rows/1", answer(json=row()), answer(403))
    with pytest.raises(
        ForbiddenError,
        match=r"^Row 1 is changed, but Tables stored 0 in place of 6 in 'Amount', and writing back .* failed\. ",
    ):
        await tables.update(nextcloud, 1, {"Amount": 6})


async def test_unchecked_update_says_so(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """If the row can't be read after the change, the error says that it has changed."""
    fake.on("GET", f"{API}/tables/2/columns", answer(json=COLUMNS))
    fake.on("GET", f"{API}/rows/1", answer(json=row(c12=5)), answer(404))
    fake.on("PUT", f"{API}/rows/1", answer(json=row()))
    with pytest.raises(NotFoundError, match=r"^Row 1 is changed, but checking its values failed\. Nextcloud did not"):
        await tables.update(nextcloud, 1, {"Amount": 6})


@pytest.mark.usefixtures("table")
async def test_update_with_dropped_value_is_reverted(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The row has its former values again."""
    fake.on("GET", f"{API}/rows/1", answer(json=row(c11="Iron", c12=5)), answer(json=row(c11="Gold", c12=0)))
    fake.on("PUT", f"{API}/rows/1", answer(json=row(c11="Gold", c12=6)))
    with pytest.raises(InvalidArgumentError, match="Tables stored 0 in place of 6 in 'Amount'"):
        await tables.update(nextcloud, 1, {"Name": "Gold", "Amount": 6})
    assert json.loads(fake.requests[-1].content) == {"data": {"11": "Iron", "12": 5}}


@pytest.mark.usefixtures("table")
async def test_invalid_value_is_not_sent(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The error names it before anything is written."""
    with pytest.raises(InvalidArgumentError, match=r"data\['Amount'\]"):
        await tables.insert(nextcloud, 2, {"Name": "Iron", "Amount": "many"})
    with pytest.raises(InvalidArgumentError, match="no column 'Colour'"):
        await tables.update(nextcloud, 1, {"Colour": "red"})
    assert fake.asked("POST") + fake.asked("PUT") == []


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({"message": 'Column "Name" contains a non-unique value.'}, 'nothing was written: Column "Name" contains'),
        ({}, "it does not say why"),
    ],
)
async def test_refusal_error_quotes_tables(
    nextcloud: Nextcloud, fake: FakeNextcloud, body: dict[str, str], complaint: str
) -> None:
    """The error quotes Tables, which names the column."""
    fake.on("POST", f"{API}/tables/2/rows", answer(400, json=body))
    with pytest.raises(InvalidArgumentError, match=complaint):
        await tables.insert(nextcloud, 2, {"Name": "Iron"})


@pytest.mark.usefixtures("table")
async def test_unchanged_invalid_values_do_not_block_update(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Existing values that Tables would reject now, such as an empty number, do not block other changes."""
    fake.on("GET", f"{API}/rows/1", answer(json=row(c11="Iron", c12=None)), answer(json=row(c11="Gold", c12=None)))
    fake.on("PUT", f"{API}/rows/1", answer(json=row(c11="Gold", c12=None)))
    await tables.update(nextcloud, 1, {"Name": "Gold", "Amount": None})
    assert json.loads(fake.requests[-2].content) == {"data": {"11": "Gold"}}


@pytest.mark.usefixtures("table")
async def test_unchanged_row_is_not_written(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The result is the row as it is."""
    same = await tables.update(nextcloud, 1, {"Name": "Iron", "Amount": 5})
    assert same.data == {"Name": "Iron", "Amount": 5}
    assert fake.asked("PUT") == []


@pytest.mark.usefixtures("table")
async def test_update_sends_only_passed_values(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Only the passed values are sent."""
    fake.on("GET", f"{API}/rows/1", answer(json=row(c11="Iron", c12=5)), answer(json=row(c11="Iron", c12=6)))
    fake.on("PUT", f"{API}/rows/1", answer(json=row(c11="Iron", c12=6)))
    changed = await tables.update(nextcloud, 1, {"Amount": 6})
    assert changed.data == {"Name": "Iron", "Amount": 6}
    assert json.loads(fake.requests[-2].content) == {"data": {"12": 6}}


@pytest.mark.usefixtures("table")
async def test_deletion_returns_insertable_row(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The result has the deleted row in a form that can be inserted again."""
    fake.on("DELETE", f"{API}/rows/1", answer(json=row(c11="Iron", c12=5)))
    assert (await tables.delete(nextcloud, 1)).data == {"Name": "Iron", "Amount": 5}


async def test_a_missing_row(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The row is read first, since Tables answers 500 to a change of a missing row."""
    fake.on("GET", f"{API}/rows/9", answer(404, json={"message": "Did expect one result but found none"}))
    with pytest.raises(NotFoundError, match="did not find row 9"):
        await tables.update(nextcloud, 9, {"Name": "x"})
    with pytest.raises(NotFoundError, match="did not find row 9"):
        await tables.delete(nextcloud, 9)
    assert set(fake.asked()) == {f"GET {API}/rows/9"}


async def test_a_missing_table(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Tables answers 403 for the columns of a missing table; the error says that it may not exist."""
    fake.on("GET", f"{API}/tables/9/columns", answer(403, json={"message": "no read access"}))
    with pytest.raises(NotFoundError, match="did not find table 9 among what you may see"):
        await tables.insert(nextcloud, 9, {"Name": "x"})


@pytest.mark.usefixtures("table")
async def test_read_only_table_is_forbidden(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Tables answers 403 without a reason; the table has what its owner allows."""
    shared = {
        "id": 2,
        "title": "Stock",
        "ownership": "bob",
        "ownerDisplayName": "Bob Example",
        "isShared": True,
        "onSharePermissions": {"read": True, "create": False, "update": False, "delete": True, "manage": False},
    }
    fake.on("GET", f"{API}/tables", answer(json=[shared]))
    fake.on("PUT", f"{API}/rows/1", answer(403))
    fake.on("POST", f"{API}/tables/2/rows", answer(403))
    of_bob = "the rows of table 2 ('Stock'), which belongs to Bob Example (bob), and this needs the permission to"
    with pytest.raises(ForbiddenError) as update:
        await tables.update(nextcloud, 1, {"Name": "x"})
    assert str(update.value) == f"You may read and delete {of_bob} update them: ask Bob Example (bob) for it."
    with pytest.raises(ForbiddenError) as insert:
        await tables.insert(nextcloud, 2, {"Name": "x"})
    assert str(insert.value) == f"You may read and delete {of_bob} create them: ask Bob Example (bob) for it."


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    "listed", [answer(404), answer(json=[]), answer(json=[{"id": 2, "title": "Stock", "ownership": "alice"}])]
)
async def test_unexplained_refusal_keeps_its_error(nextcloud: Nextcloud, fake: FakeNextcloud, listed: Answer) -> None:
    """Where nothing is missing, or the table cannot be read, the cause is unknown."""
    fake.on("GET", f"{API}/tables", listed)
    fake.on("DELETE", f"{API}/rows/1", answer(403))
    with pytest.raises(ForbiddenError, match="does not allow this for row 1"):
        await tables.delete(nextcloud, 1)


@pytest.mark.usefixtures("table")
async def test_row_is_added_without_the_right_to_read(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Tables returns the row that it has added, also to whom it refuses to read it again."""
    fake.on("POST", f"{API}/tables/2/rows", answer(json=row(c11="Iron", c12=5)))
    fake.on("GET", f"{API}/rows/1", answer(403))
    assert (await tables.insert(nextcloud, 2, {"Name": "Iron", "Amount": 5})).data == {"Name": "Iron", "Amount": 5}


async def test_malformed_response_is_outage(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """An HTML page is not a list of tables."""
    fake.on("GET", f"{API}/tables", answer(html="<p>maintenance</p>"))
    with pytest.raises(NextcloudUnavailableError):
        await tables.list_tables(nextcloud)
