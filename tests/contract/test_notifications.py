"""Notifications: github.com/nextcloud/notifications, docs/ocs-endpoint-v2.md, and undocumented behavior.

`POST …/v3/test/self` sends one to the caller, even without a device; an administrator can send them to other users.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
import pytest

from tests.contract.people import Person

API: Final = "/ocs/v2.php/apps/notifications/api"
NOTIFICATIONS: Final = f"{API}/v2/notifications"
MISSING: Final = 999_999_999
JSON: Final = {"format": "json"}
Row = dict[str, Any]


@pytest.fixture
async def number(alice: Person) -> AsyncIterator[int]:
    """The id of a notification of Alice's, which goes with the test."""
    number = await send(alice)
    yield number
    await alice.http.delete(f"{NOTIFICATIONS}/{number}", params=JSON)


async def send(person: Person) -> int:
    """Send somebody a notification, and return its id."""
    answer = await person.http.post(f"{API}/v3/test/self", params=JSON)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["ocs"]["data"]["nid"])


async def listed(person: Person) -> list[Row]:
    """Return somebody's notifications."""
    answer = await person.http.get(NOTIFICATIONS, params=JSON)
    assert answer.status_code == 200, answer.text
    rows: list[Row] = answer.json()["ocs"]["data"]
    return rows


async def test_notification_fields(alice: Person, number: int) -> None:
    """The id is a number, the object's id is text, the time has a UTC offset; single and listed ones agree."""
    answer = await alice.http.get(f"{NOTIFICATIONS}/{number}", params=JSON)
    row = answer.json()["ocs"]["data"]
    assert (row["notification_id"], row["app"], row["user"]) == (number, "admin_notifications", alice.user)
    assert (row["subject"], row["message"], row["link"]) == ("Testing push notifications", "", "")
    assert row["object_type"] == "admin_notifications"
    assert isinstance(row["object_id"], str)
    assert abs(datetime.fromisoformat(row["datetime"]) - datetime.now(UTC)) < timedelta(minutes=5)
    assert row in await listed(alice)


async def test_list_starts_with_the_newest(alice: Person, number: int) -> None:
    """The list has the same order as in Nextcloud's web interface."""
    second = await send(alice)
    try:
        assert [row["notification_id"] for row in await listed(alice)][:2] == [second, number]
    finally:
        await alice.http.delete(f"{NOTIFICATIONS}/{second}", params=JSON)


async def test_list_has_at_most_25(alice: Person) -> None:
    """The list omits older notifications until newer ones are deleted."""
    numbers = [await send(alice) for _ in range(26)]
    try:
        assert [row["notification_id"] for row in await listed(alice)] == numbers[:0:-1]
        await alice.http.delete(f"{NOTIFICATIONS}/{numbers[-1]}", params=JSON)
        assert [row["notification_id"] for row in await listed(alice)] == numbers[-2::-1]
    finally:
        for number in numbers:
            await alice.http.delete(f"{NOTIFICATIONS}/{number}", params=JSON)


async def test_delete_always_returns_200(alice: Person, number: int) -> None:
    """DELETE gets 200 even for a missing notification; only a read shows whether it exists."""
    one = f"{NOTIFICATIONS}/{number}"
    for _ in range(2):
        answer = await alice.http.delete(one, params=JSON)
        assert (answer.status_code, answer.json()["ocs"]["data"]) == (200, [])
    assert (await alice.http.get(one, params=JSON)).status_code == 404
    assert number not in {row["notification_id"] for row in await listed(alice)}


async def test_notification_of_another_user_is_404(alice: Person, bob: Person, number: int) -> None:
    """Bob cannot read Alice's notification, and his DELETE gets 200 without an effect."""
    one = f"{NOTIFICATIONS}/{number}"
    assert (await bob.http.get(one, params=JSON)).status_code == 404
    assert (await bob.http.delete(one, params=JSON)).status_code == 200
    assert number in {row["notification_id"] for row in await listed(alice)}


@pytest.mark.parametrize("number", [0, -1, MISSING])
async def test_missing_notification_is_404(alice: Person, number: int) -> None:
    """A missing notification gets 404, whatever its id."""
    assert (await alice.http.get(f"{NOTIFICATIONS}/{number}", params=JSON)).status_code == 404


async def test_request_without_token_is_401(anonymous: httpx.AsyncClient) -> None:
    """A request without a token gets 401."""
    answer = await anonymous.get(NOTIFICATIONS, params=JSON, headers={"OCS-APIRequest": "true"})
    assert answer.status_code == 401
