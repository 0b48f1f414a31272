"""Deck boards that others share: what their recipients see and may change.

https://github.com/nextcloud/deck/blob/main/docs/API.md has the requests; it does not say which permission each needs.
"""

import uuid
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest

from tests.contract.people import Person
from tests.contract.test_deck import BOARDS

CARD: Final = {"title": "changed", "type": "plain", "order": 1}
COLOR: Final = {"title": "changed", "color": "ff0000"}
RIGHTS: Final = ("Edit", "Manage", "Share")
PERMISSIONS: Final = [f"permission{right}" for right in RIGHTS]

CHANGES: Final[dict[str, tuple[str, str, dict[str, Any]]]] = {
    "create a card": ("POST", "/stacks/{stack}/cards", CARD),
    "change a card": ("PUT", "/stacks/{stack}/cards/{card}", CARD | {"owner": "bob"}),
    "move a card": ("PUT", "/stacks/{stack}/cards/{card}/reorder", {"order": 2, "stackId": "{stack}"}),
    "label a card": ("PUT", "/stacks/{stack}/cards/{card}/assignLabel", {"labelId": "{label}"}),
    "archive a card": ("PUT", "/stacks/{stack}/cards/{card}/archive", {}),
    "delete a card": ("DELETE", "/stacks/{stack}/cards/{card}", {}),
    "create a stack": ("POST", "/stacks", {"title": "new", "order": 1}),
    "delete a stack": ("DELETE", "/stacks/{stack}", {}),
    "create a label": ("POST", "/labels", COLOR),
    "change the board": ("PUT", "", COLOR | {"archived": False}),
    "share the board": ("POST", "/acl", {"type": 0, "participant": "admin", **dict.fromkeys(PERMISSIONS, False)}),
    "delete the board": ("DELETE", "", {}),
}
"""The method, the path below the board and the body; ids are inserted by name."""


@pytest.fixture
async def ids(bob: Person) -> AsyncIterator[dict[str, int]]:
    """A board of bob's with a stack and a card."""
    title = f"shared {uuid.uuid4().hex[:8]}"
    board = (await bob.http.post(BOARDS, json={"title": title, "color": "00ff00"})).json()
    path = f"{BOARDS}/{board['id']}"
    stack = (await bob.http.post(f"{path}/stacks", json={"title": "s", "order": 1})).json()["id"]
    card = (await bob.http.post(f"{path}/stacks/{stack}/cards", json=CARD)).json()["id"]
    yield {"board": board["id"], "stack": stack, "card": card, "label": board["labels"][0]["id"]}
    await bob.http.delete(path)


async def share(alice: Person, bob: Person, ids: dict[str, int], *rights: str) -> None:
    """Share the board with alice."""
    granted = {f"permission{right}": right in rights for right in RIGHTS}
    answer = await bob.http.post(f"{BOARDS}/{ids['board']}/acl", json={"type": 0, "participant": alice.user, **granted})
    assert answer.status_code == 200, answer.text


async def changed(alice: Person, ids: dict[str, int]) -> tuple[set[str], set[tuple[int, str]]]:
    """Try `CHANGES`; return those that Deck allows, and the refusals of all others."""
    allowed, refusals = set(), set()
    for name, (method, path, body) in CHANGES.items():
        sent = {key: ids.get(str(value).strip("{}"), value) for key, value in body.items()}
        answer = await alice.http.request(method, f"{BOARDS}/{ids['board']}{path.format(**ids)}", json=sent)
        if answer.is_success:
            allowed.add(name)
        else:
            refusals.add((answer.status_code, answer.json()["message"]))
    return allowed, refusals


@pytest.mark.parametrize(
    ("rights", "allowed"),
    [
        pytest.param((), set(), id="read"),
        pytest.param(("Edit",), {name for name in CHANGES if name.endswith("a card")}, id="edit"),
    ],
)
async def test_changes_that_a_shared_board_allows(
    alice: Person, bob: Person, ids: dict[str, int], rights: tuple[str, ...], allowed: set[str]
) -> None:
    """Editing is about cards alone; every other change gets 403, as if the board did not exist."""
    await share(alice, bob, ids, *rights)
    assert await changed(alice, ids) == (allowed, {(403, "Permission denied")})
    board = (await bob.http.get(f"{BOARDS}/{ids['board']}")).json()
    assert board["title"].startswith("shared ")


async def test_shared_board_names_its_owner_and_permissions(alice: Person, bob: Person, ids: dict[str, int]) -> None:
    """A recipient has the permissions in the list of boards and in the board, which names its owner."""
    await share(alice, bob, ids, "Edit")
    listed = {each["id"]: each for each in (await alice.http.get(BOARDS)).json()}[ids["board"]]
    single = (await alice.http.get(f"{BOARDS}/{ids['board']}")).json()
    rights = {"PERMISSION_READ": True, "PERMISSION_EDIT": True, "PERMISSION_MANAGE": False, "PERMISSION_SHARE": False}
    for board in (listed, single):
        assert (board["owner"]["uid"], board["permissions"]) == (bob.user, rights)
    assert [each["participant"]["uid"] for each in single["acl"]] == [alice.user]
