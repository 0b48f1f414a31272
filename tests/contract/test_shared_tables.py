"""Tables that others share: what their recipients see and may change.

https://github.com/nextcloud/tables (openapi.json) has the requests.
"""

import uuid
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import httpx
import pytest

from tests.contract.people import Person
from tests.contract.test_tables import COLUMNS, V1

RIGHTS = ("Read", "Create", "Update", "Delete", "Manage")


class Shared(NamedTuple):
    """A table of bob's with a column and a row."""

    alice: Person
    bob: Person
    id: int
    column: int
    row: int

    async def share(self, *rights: str) -> httpx.Response:
        """Share it with alice."""
        about = {"nodeId": self.id, "nodeType": "table", "receiver": self.alice.user, "receiverType": "user"}
        granted = {f"permission{right}": right in rights for right in RIGHTS}
        return await self.bob.http.post(f"{V1}/shares", json=about | granted)

    async def listed(self, person: Person) -> dict[str, Any] | None:
        """Return the table in the list of a user's tables, or None."""
        tables: list[dict[str, Any]] = (await person.http.get(f"{V1}/tables")).json()
        return next((table for table in tables if table["id"] == self.id), None)

    async def write(self) -> list[httpx.Response]:
        """Create a row, and change and delete the one that bob wrote, as alice."""
        values = {"data": {str(self.column): "alice"}}
        return [
            await self.alice.http.post(f"{V1}/tables/{self.id}/rows", json=values),
            await self.alice.http.put(f"{V1}/rows/{self.row}", json=values),
            await self.alice.http.delete(f"{V1}/rows/{self.row}"),
        ]


@pytest.fixture
async def shared(alice: Person, bob: Person) -> AsyncIterator[Shared]:
    """A table that alice does not have yet."""
    title = f"shared {uuid.uuid4().hex[:8]}"
    table = (await bob.http.post(f"{V1}/tables", json={"title": title, "template": "custom"})).json()["id"]
    asked = {"baseNodeId": table, "baseNodeType": "table", "title": "Text", "subtype": "line"}
    column = (await bob.http.post(f"{COLUMNS}/text", headers={"Accept": "application/json"}, json=asked)).json()
    number = column["ocs"]["data"]["id"]
    row = (await bob.http.post(f"{V1}/tables/{table}/rows", json={"data": {str(number): "bob"}})).json()["id"]
    yield Shared(alice, bob, table, number, row)
    await bob.http.delete(f"{V1}/tables/{table}")


async def test_shared_table_is_listed_with_its_permissions(shared: Shared) -> None:
    """`isShared` and `onSharePermissions` are for the recipient, `hasShares` is for the owner."""
    before = await shared.listed(shared.alice)
    answer = await shared.share("Read", "Update")
    seen, own = await shared.listed(shared.alice), await shared.listed(shared.bob)
    rows = (await shared.alice.http.get(f"{V1}/tables/{shared.id}/rows")).json()
    assert (before, answer.status_code) == (None, 200)
    assert seen is not None
    assert own is not None
    assert (seen["isShared"], seen["ownership"], own["isShared"], own["hasShares"]) == (
        True,
        shared.bob.user,
        False,
        True,
    )
    assert seen["onSharePermissions"] == {
        "read": True,
        "create": False,
        "update": True,
        "delete": False,
        "manage": False,
    }
    assert [row["id"] for row in rows] == [shared.row]


async def test_writes_to_a_table_that_one_may_read_are_403(shared: Shared) -> None:
    """Nothing changes; only the refused deletion has a message."""
    await shared.share("Read")
    answers = await shared.write()
    (row,) = (await shared.bob.http.get(f"{V1}/tables/{shared.id}/rows")).json()
    assert [answer.status_code for answer in answers] == [403] * 3
    assert [bool(answer.content) for answer in answers] == [False, False, True]
    assert answers[2].json()["message"].endswith("Update row is not allowed.")
    assert row["data"] == [{"columnId": shared.column, "value": "bob"}]


async def test_recipient_writes_rows_for_the_owner(shared: Shared) -> None:
    """With the permissions, rows are created, changed and deleted in the owner's table."""
    await shared.share("Read", "Create", "Update", "Delete")
    created, changed, deleted = await shared.write()
    (row,) = (await shared.bob.http.get(f"{V1}/tables/{shared.id}/rows")).json()
    assert (created.status_code, changed.status_code, deleted.status_code) == (200, 200, 200)
    assert (row["id"], row["createdBy"]) == (created.json()["id"], shared.alice.user)
