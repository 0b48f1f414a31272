"""Notes in a folder that its owner shares, once the recipient has moved the folder to the notes."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.contract.addresses import NOTES
from tests.contract.people import Person
from tests.contract.shared_folder import SharedFolder
from tests.contract.test_shared_files import skip_orphaned_shares
from tests.contract.test_sharing import USER, ask, data


class Category(SharedFolder):
    """A folder of bob's with one note, which is a category of alice's notes."""

    async def note(self) -> dict[str, Any]:
        """Return the note as alice sees it."""
        (note,) = (await self.alice.http.get(NOTES, params={"category": self.name})).json()
        found: dict[str, Any] = note
        return found

    async def text(self) -> bytes:
        """Return the text of the note from bob's file."""
        return (await self.bob.http.get(self.bob.path(self.name, "Shared note.md"))).content


@pytest.fixture
async def shared(alice: Person, bob: Person, release: int) -> AsyncIterator[Category]:
    """A category that alice may read."""
    name = f"shared-{uuid.uuid4().hex[:8]}"
    await bob.http.request("MKCOL", bob.path(name))
    await bob.http.put(bob.path(name, "Shared note.md"), content=b"hello")
    with_alice = {"path": f"/{name}", "shareType": USER, "shareWith": alice.user, "permissions": 1}
    share = data(await ask(bob, "POST", json=with_alice))["id"]
    await alice.http.get(NOTES)  # creates the folder Notes
    headers = {"Destination": alice.address("Notes", name), "Overwrite": "F"}
    moved = await alice.http.request("MOVE", alice.path(name), headers=headers)
    skip_orphaned_shares(moved, release)
    assert moved.status_code == 201
    yield Category(alice, bob, name, share)
    await bob.http.delete(bob.path(name))


async def test_note_that_one_may_only_read(shared: Category) -> None:
    """It has `readonly`, and every change gets 403; a new note beside it gets 500."""
    note = await shared.note()
    one = f"{NOTES}/{note['id']}"
    changes: list[dict[str, Any]] = [{"content": "changed"}, {"title": "changed"}, {"category": "changed"}]
    answers = [await shared.alice.http.put(one, json=change) for change in changes]
    answers.append(await shared.alice.http.delete(one))
    created = await shared.alice.http.post(NOTES, json={"title": "new", "category": shared.name})
    assert (note["title"], note["content"], note["readonly"]) == ("Shared note", "hello", True)
    assert note["internalPath"] == f"/Notes/{shared.name}/Shared note.md"
    assert [answer.status_code for answer in answers] == [403] * 4
    assert created.status_code == 500
    assert await shared.text() == b"hello"
    assert await shared.note() == note


async def test_note_that_one_may_change(shared: Category) -> None:
    """With the permission to update, it is not read-only, and its text changes for bob."""
    await shared.allow(3)
    note = await shared.note()
    answer = await shared.alice.http.put(f"{NOTES}/{note['id']}", json={"content": "changed"})
    assert (note["readonly"], answer.status_code, await shared.text()) == (False, 200, b"changed")
