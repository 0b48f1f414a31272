"""Tables: add, read, change and delete rows of a table that the test creates over HTTP, because no tool creates one."""

from typing import Any, Final

import httpx

from tests.support.old_client import OldClient

APP: Final = "tables"
GLANCE: Final[tuple[str, dict[str, Any]]] = ("nc_tables_list_tables", {})

_API: Final = "/index.php/apps/tables/api/1/tables"
_COLUMNS: Final = "/ocs/v2.php/apps/tables/api/2/columns"


async def journey(old: OldClient) -> None:
    """Keep a list of stock."""
    async with old.nextcloud_of("alice") as nextcloud:
        made = await nextcloud.post(_API, json={"title": old.unique, "emoji": "x", "template": "custom"})
        table = made.json()["id"]
        name = await _column(nextcloud, table, "text", title="Name", subtype="line", mandatory=True)
        amount = await _column(nextcloud, table, "number", title="Amount", numberDecimals=1)
        await _keep_stock(old, table, name, amount)
        await nextcloud.delete(f"{_API}/{table}")


async def _keep_stock(old: OldClient, table: int, name: str, amount: str) -> None:
    listed = (await old.call("nc_tables_list_tables"))["tables"]
    assert (table, old.unique) in [(each["id"], each["title"]) for each in listed]
    schema = await old.call("nc_tables_get_schema", {"table_id": table})
    assert [(str(column["id"]), column["title"]) for column in schema["columns"]] == [
        (name, "Name"),
        (amount, "Amount"),
    ]

    insert = {"table_id": table, "data": {name: "Iron", amount: 12.5}}
    row = {"row_id": (await old.call("nc_tables_insert_row", insert))["row"]["id"]}
    await old.call("nc_tables_update_row", {**row, "data": {amount: 13}})
    (read,) = (await old.call("nc_tables_read_table", {"table_id": table, "limit": None, "offset": None}))["rows"]
    assert (read["id"], read["data"]) == (row["row_id"], {"Name": "Iron", "Amount": 13})

    await old.call("nc_tables_delete_row", row)
    assert (await old.call("nc_tables_read_table", {"table_id": table}))["rows"] == []


async def _column(nextcloud: httpx.AsyncClient, table: int, kind: str, **fields: Any) -> str:
    body = {"baseNodeId": table, "baseNodeType": "table", **fields}
    answer = await nextcloud.post(f"{_COLUMNS}/{kind}", json=body, headers={"Accept": "application/json"})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["ocs"]["data"]["id"])
