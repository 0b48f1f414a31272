"""Tables: REST API v1 (github.com/nextcloud/tables), and its treatment of values that do not fit the column."""

import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.contract.people import Person

V1 = "/index.php/apps/tables/api/1"
COLUMNS = "/ocs/v2.php/apps/tables/api/2/columns"
OPTIONS = json.dumps([{"id": 0, "label": "raw"}, {"id": 1, "label": "made"}])
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "Must": ("text", {"subtype": "line", "mandatory": True}),
    "Text": ("text", {"subtype": "line", "textMaxLength": 10}),
    "Link": ("text", {"subtype": "link"}),
    "Number": ("number", {"numberMin": 0, "numberMax": 100, "numberDecimals": 2}),
    "Whole": ("number", {}),
    "Stars": ("number", {"subtype": "stars"}),
    "Progress": ("number", {"subtype": "progress"}),
    "Selection": ("selection", {"selectionOptions": OPTIONS}),
    "Multi": ("selection", {"subtype": "multi", "selectionOptions": OPTIONS}),
    "Check": ("selection", {"subtype": "check", "selectionOptions": "[]"}),
    "Moment": ("datetime", {}),
    "Date": ("datetime", {"subtype": "date"}),
    "Time": ("datetime", {"subtype": "time"}),
    "People": ("usergroup", {"usergroupSelectUsers": True, "usergroupMultipleItems": True}),
}


class Table:
    """A table of Alice's with a column of each kind.

    Attributes:
        id: The table's.
        columns: The columns' ids, by title.
    """

    def __init__(self, http: httpx.AsyncClient, number: int) -> None:
        self.http = http
        self.id = number
        self.columns: dict[str, int] = {}

    async def insert(self, **values: Any) -> httpx.Response:
        """Add a row."""
        data = {str(self.columns[title]): value for title, value in ({"Must": "x"} | values).items()}
        return await self.http.post(f"{V1}/tables/{self.id}/rows", json={"data": data})

    async def update(self, row: int, **values: Any) -> httpx.Response:
        """Change a row."""
        data = {str(self.columns[title]): value for title, value in values.items()}
        return await self.http.put(f"{V1}/rows/{row}", json={"data": data})

    async def values(self, row: int) -> dict[str, Any]:
        """Read a row's values, by title."""
        answer = await self.http.get(f"{V1}/rows/{row}")
        assert answer.status_code == 200, answer.text
        cells = {cell["columnId"]: cell["value"] for cell in answer.json()["data"]}
        return {title: cells[number] for title, number in self.columns.items() if number in cells}


@pytest.fixture
async def table(alice: Person) -> AsyncIterator[Table]:
    """A new table, which goes with all its rows."""
    title = f"Contract {uuid.uuid4().hex[:8]}"
    made = await alice.http.post(f"{V1}/tables", json={"title": title, "emoji": "x", "template": "custom"})
    assert made.status_code == 200, made.text
    table = Table(alice.http, made.json()["id"])
    for title, (kind, fields) in KINDS.items():
        body = {"baseNodeId": table.id, "baseNodeType": "table", "title": title, **fields}
        column = await alice.http.post(f"{COLUMNS}/{kind}", json=body, headers={"Accept": "application/json"})
        assert column.status_code == 200, column.text
        table.columns[title] = column.json()["ocs"]["data"]["id"]
    yield table
    await alice.http.delete(f"{V1}/tables/{table.id}")


async def test_list_has_the_table_with_counts(alice: Person, table: Table) -> None:
    """The list has the table with its numbers of rows and columns."""
    listed = {each["id"]: each for each in (await alice.http.get(f"{V1}/tables")).json()}
    assert (listed[table.id]["rowsCount"], listed[table.id]["columnsCount"]) == (0, len(KINDS))
    assert {"title", "emoji", "ownership", "isShared", "archived", "views"} <= listed[table.id].keys()


async def test_scheme_has_the_columns(alice: Person, table: Table) -> None:
    """The scheme and the columns agree; selection options are always a list, however they were sent."""
    scheme = (await alice.http.get(f"{V1}/tables/{table.id}/scheme")).json()
    columns = (await alice.http.get(f"{V1}/tables/{table.id}/columns")).json()
    assert [column["id"] for column in scheme["columns"]] == [column["id"] for column in columns]
    by_title = {column["title"]: column for column in columns}
    assert {title: column["type"] for title, column in by_title.items()} == {
        title: kind for title, (kind, _) in KINDS.items()
    }
    assert by_title["Must"]["mandatory"] is True
    assert by_title["Text"]["textMaxLength"] == 10
    assert by_title["Selection"]["selectionOptions"] == json.loads(OPTIONS)
    number = by_title["Number"]
    assert (number["numberMin"], number["numberMax"], number["numberDecimals"]) == (0, 100, 2)


GOOD: dict[str, Any] = {
    "Must": "m",
    "Text": "0123456789",
    "Number": 12.25,
    "Whole": 7,
    "Stars": 5,
    "Progress": 100,
    "Selection": 1,
    "Multi": [0, 1],
    "Check": "true",
    "Moment": "2026-11-23 10:11",
    "Date": "2026-11-23",
    "Time": "10:11",
}


async def test_valid_values_are_stored_unchanged(table: Table) -> None:
    """A valid value is read as it was written; the response to a write does not contain the author."""
    answer = await table.insert(**GOOD)
    assert answer.status_code == 200
    row = answer.json()
    assert (row["tableId"], row["createdBy"], row["lastEditAt"]) == (table.id, None, None)
    assert await table.values(row["id"]) == GOOD


async def test_user_values_have_display_names(alice: Person, table: Table) -> None:
    """A user value has an id and the type 0, and is returned with the display name."""
    row = (await table.insert(People=[{"id": alice.user, "type": 0}])).json()
    (person,) = (await table.values(row["id"]))["People"]
    assert (person["id"], person["type"]) == (alice.user, 0)
    assert person["displayName"]


async def test_link_is_stored_as_json(table: Table) -> None:
    """A bare URL is stored with a title and a value."""
    row = (await table.insert(Link="https://example.org")).json()
    link = json.loads((await table.values(row["id"]))["Link"])
    assert (link["title"], link["value"]) == ("https://example.org", "https://example.org")
    given = json.dumps({"title": "Example", "value": "https://example.org"})
    row = (await table.insert(Link=given)).json()
    assert json.loads((await table.values(row["id"]))["Link"]) == json.loads(given)


@pytest.mark.parametrize(
    ("title", "value", "kept"),
    [
        ("Number", "abc", 0),
        ("Number", 12.345, 12.35),
        ("Number", None, 0),
        ("Whole", 1.5, 1),
        ("Stars", 9, 0),
        ("Progress", 101, 0),
        ("Selection", 7, None),
        ("Selection", "raw", None),
        ("Multi", [7], None),
        ("Multi", 1, []),
        ("Moment", "2026-11-23 10:11:12", (None, "")),
        ("Date", "2026-02-30", None),
        ("Time", "10:11:12", None),
    ],
)
async def test_invalid_values_are_lost_without_an_error(table: Table, title: str, value: Any, kept: Any) -> None:
    """The response is 200, but nothing or another value is stored, so clients must check."""
    answer = await table.insert(**{title: value})
    assert answer.status_code == 200
    assert (await table.values(answer.json()["id"])).get(title) in (kept if isinstance(kept, tuple) else (kept,))


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"Must": ""}, "Mandatory column"),
        ({"Text": "01234567890"}, "exceeds maximum length of 10"),
        ({"Number": 101}, "exceeds maximum allowed value"),
        ({"Number": -1}, "less than minimum allowed value"),
    ],
)
async def test_some_invalid_values_are_400(table: Table, values: dict[str, Any], complaint: str) -> None:
    """A new row or a change with such a value gets 400 with a message."""
    row = (await table.insert()).json()["id"]
    for answer in (await table.insert(**values), await table.update(row, **values)):
        assert answer.status_code == 400
        assert complaint in answer.json()["message"]


async def test_mandatory_column_is_required_in_new_rows(alice: Person, table: Table) -> None:
    """A new row without the column gets 400; a change can omit the column."""
    answer = await alice.http.post(f"{V1}/tables/{table.id}/rows", json={"data": {}})
    assert answer.status_code == 400
    row = (await table.insert()).json()["id"]
    assert (await table.update(row, Text="y")).status_code == 200


async def test_update_keeps_other_values(table: Table) -> None:
    """PUT writes only the given columns; null clears one."""
    row = (await table.insert(**GOOD)).json()["id"]
    answer = await table.update(row, Whole=8, Text=None)
    assert answer.status_code == 200
    assert await table.values(row) == GOOD | {"Whole": 8, "Text": None}


async def test_rows_are_paged(alice: Person, table: Table) -> None:
    """Rows are ordered by id, with `limit` and `offset`; there are none after the last one."""
    ids = [(await table.insert()).json()["id"] for _ in range(3)]
    for params, expected in (({}, ids), ({"limit": 2, "offset": 1}, ids[1:]), ({"limit": 2, "offset": 3}, [])):
        rows = (await alice.http.get(f"{V1}/tables/{table.id}/rows", params=params)).json()
        assert [row["id"] for row in rows] == expected


async def test_deleted_row_is_gone(alice: Person, table: Table) -> None:
    """DELETE returns the row; a later read gets 404, and a change or deletion gets 500."""
    row = (await table.insert(Text="gone")).json()["id"]
    deleted = await alice.http.delete(f"{V1}/rows/{row}")
    assert deleted.status_code == 200
    assert "gone" in [cell["value"] for cell in deleted.json()["data"]]
    statuses = [
        (await alice.http.request(method, f"{V1}/rows/{row}", json={"data": {}})).status_code for method in METHODS
    ]
    assert statuses == [404, 500, 500]


METHODS = ("GET", "PUT", "DELETE")


async def test_missing_table_is_404(alice: Person) -> None:
    """A missing table gets 404, but its columns get 403."""
    missing = f"{V1}/tables/999999999"
    assert (await alice.http.get(f"{missing}/columns")).status_code == 403
    assert (await alice.http.get(f"{missing}/scheme")).status_code == 404
    assert (await alice.http.get(f"{missing}/rows")).status_code == 404
    assert (await alice.http.post(f"{missing}/rows", json={"data": {}})).status_code == 404


async def test_unknown_column_is_500(alice: Person, table: Table) -> None:
    """An unknown column gets 500, so clients must know the columns."""
    body = {"data": {"999999999": "x"}}
    assert (await alice.http.post(f"{V1}/tables/{table.id}/rows", json=body)).status_code == 500


async def test_tables_of_other_users_are_not_accessible(alice: Person, bob: Person, table: Table) -> None:
    """A user without a share cannot tell that the table exists."""
    assert table.id not in [each["id"] for each in (await bob.http.get(f"{V1}/tables")).json()]
    assert alice.user != bob.user


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("example.org", None),
        ("ftp://example.org", None),
        ("https://localhost/x", None),
        ("https://example.org?x=1", "https://example.org"),
        ("https://example.museum/x", "https://example.mus"),
        ("see https://example.org/a b", "https://example.org/a"),
    ],
)
async def test_bare_url_is_stored_partially(table: Table, sent: str, kept: str | None) -> None:
    """Only the part that a pattern matches, or nothing, is stored, with 200: clients must send title and value."""
    row = (await table.insert(Link=sent)).json()
    link = (await table.values(row["id"])).get("Link")
    assert (json.loads(link)["value"] if link else None) == kept
    whole = json.dumps({"title": sent, "value": f"https://{sent.rpartition('//')[2]}"})
    row = (await table.insert(Link=whole)).json()
    assert (await table.values(row["id"]))["Link"] == whole


async def test_link_with_a_url_in_parentheses(table: Table) -> None:
    """Tables takes `… (http…)` in a link for its export format, unless the parenthesis is escaped."""
    link = {"title": "a (http://b)", "value": "https://example.org"}
    row = (await table.insert(Link=json.dumps(link))).json()
    assert json.loads((await table.values(row["id"]))["Link"]) != link
    row = (await table.insert(Link=json.dumps(link).replace("(", "\\u0028"))).json()
    assert json.loads((await table.values(row["id"]))["Link"]) == link


async def test_link_of_a_disallowed_provider_is_dropped(table: Table) -> None:
    """A link with a provider that the column does not allow is not stored."""
    row = (await table.insert(Link=json.dumps({"title": "a", "value": "https://x.org", "providerId": "url"}))).json()
    assert (await table.values(row["id"])).get("Link") is None


async def test_link_with_another_protocol_is_400(table: Table) -> None:
    """A link with title and value and another protocol gets 400 with a message."""
    answer = await table.insert(Link=json.dumps({"title": "a", "value": "ftp://example.org"}))
    assert answer.status_code == 400
    assert "Only http and https are allowed" in answer.json()["message"]
