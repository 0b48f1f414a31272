"""What becomes of files that others share or have locked, when apps and folders of one's own change around them."""

import uuid
from collections.abc import AsyncIterator
from typing import Any, Final

import httpx
import pytest

from nextcloud_mcp.nextcloud import dav
from tests.contract.addresses import NOTES
from tests.contract.people import Person
from tests.contract.shared_folder import SharedFolder
from tests.contract.test_locks import lock, moved_to, unlock
from tests.contract.test_shared_files import content, message, skip_orphaned_shares
from tests.contract.test_sharing import USER, ask, data, refusal
from tests.contract.test_trash import restore, trash_of

COOKBOOK: Final = "/index.php/apps/cookbook/api/v1"


class Shared(SharedFolder):
    """A folder of bob's with two notes, which alice has too."""

    async def become_category(self, release: int) -> dict[str, str]:
        """Move the folder to alice's notes; return the addresses of its notes by their titles."""
        await self.alice.http.get(NOTES)  # creates the folder Notes
        headers = moved_to(self.alice, "Notes", self.name)
        moved = await self.alice.http.request("MOVE", self.alice.path(self.name), headers=headers)
        skip_orphaned_shares(moved, release)
        notes = (await self.alice.http.get(NOTES, params={"category": self.name})).json()
        return {note["title"]: f"{NOTES}/{note['id']}" for note in notes}


@pytest.fixture
async def shared(alice: Person, bob: Person) -> AsyncIterator[Shared]:
    """A folder that alice may do everything with but share it."""
    name = f"others-{uuid.uuid4().hex[:8]}"
    await bob.http.request("MKCOL", bob.path(name))
    for file in ("a.md", "b.md"):
        await bob.http.put(bob.path(name, file), content=file.encode())
    share = data(await _share(bob, f"/{name}", alice, 15))["id"]
    yield Shared(alice, bob, name, share)
    await ask(bob, "DELETE", f"/{share}")
    await bob.http.delete(bob.path(name))


async def _share(person: Person, path: str, recipient: Person, permissions: int) -> httpx.Response:
    body: dict[str, Any] = {"path": path, "shareType": USER, "shareWith": recipient.user, "permissions": permissions}
    return await ask(person, "POST", json=body)


async def _has_locks(person: Person) -> bool:
    answer = await person.http.get("/ocs/v2.php/cloud/capabilities", params={"format": "json"})
    return "locking" in data(answer)["capabilities"]["files"]


async def _is_there(person: Person, *names: str) -> bool:
    answer = await person.http.request("PROPFIND", person.path(*names), headers={"Depth": "0"})
    return answer.status_code == 207


async def test_notes_change_what_others_have_locked(shared: Shared, release: int) -> None:
    """In a share, the Notes API knows no locks."""
    if not await _has_locks(shared.alice):
        pytest.skip("this Nextcloud does not have the app files_lock")
    notes = await shared.become_category(release)
    await lock(shared.bob, shared.name, "a.md")
    answer = await shared.alice.http.put(notes["a"], json={"content": "changed"})
    await unlock(shared.bob, shared.name, "a.md")
    assert (answer.status_code, await content(shared.bob, shared.name, "a.md")) == (200, b"changed")


async def test_own_note_that_another_has_locked(alice: Person, bob: Person, category: str) -> None:
    """Its text gets 423 and a new title 500; a deletion succeeds, and the file is not even in the trash."""
    if not await _has_locks(alice):
        pytest.skip("this Nextcloud does not have the app files_lock")
    await bob.http.get(NOTES)  # creates the folder Notes, in which the note arrives
    note = (await alice.http.post(NOTES, json={"title": category, "content": "x", "category": category})).json()
    share = data(await _share(alice, f"/Notes/{category}/{category}.md", bob, 3))
    one = f"{NOTES}/{note['id']}"
    locked = await lock(bob, "Notes", f"{category}.md")
    changes: list[dict[str, str]] = [{"content": "y"}, {"title": f"{category} 2"}]
    answers = [await alice.http.put(one, json=change) for change in changes]
    kept = (await alice.http.get(one)).json()["content"]
    await ask(alice, "DELETE", f"/{share['id']}")  # while it has a file: Nextcloud 32 fails over shares that have none
    deleted = await alice.http.delete(one)
    trashed = [item for item in await trash_of(alice) if item.name == f"{category}.md"]
    assert (share["file_target"], locked.status_code) == (f"/Notes/{category}.md", 200)
    assert ([answer.status_code for answer in answers], kept) == ([423, 500], "x")
    assert (deleted.status_code, trashed) == (200, [])


async def test_notes_leave_a_share_without_permission(shared: Shared, release: int) -> None:
    """Without the permission to delete, a note in a share is not deleted, but another category takes it away."""
    notes = await shared.become_category(release)
    await shared.allow(7)
    refused = await shared.alice.http.delete(notes["a"])
    moved = await shared.alice.http.put(notes["a"], json={"category": f"{shared.name}-own"})
    left = [await content(shared.bob, shared.name, name) for name in ("a.md", "b.md")]
    await shared.alice.http.delete(shared.alice.path("Notes", f"{shared.name}-own"))
    assert (refused.status_code, moved.status_code, left) == (500, 200, [None, b"b.md"])


async def test_last_note_leaves_the_share(shared: Shared, release: int) -> None:
    """With the last note, Notes deletes the category: the recipient leaves the share, and bob has an empty folder."""
    notes = await shared.become_category(release)
    answers = [(await shared.alice.http.delete(notes[title])).status_code for title in ("a", "b")]
    assert answers == [200, 200]
    assert not await _is_there(shared.alice, "Notes", shared.name)
    assert await _is_there(shared.bob, shared.name)


async def test_note_that_was_shared_itself(alice: Person, bob: Person, category: str) -> None:
    """It arrives among the recipient's notes, and Notes answers 500 to its deletion, which changes nothing."""
    await bob.http.get(NOTES)
    await alice.http.post(NOTES, json={"title": category, "content": "x", "category": ""})
    share = data(await _share(alice, f"/Notes/{category}.md", bob, 3))
    (note,) = [each for each in (await bob.http.get(NOTES)).json() if each["title"] == category]
    refused = await bob.http.delete(f"{NOTES}/{note['id']}")
    kept = [await content(person, "Notes", f"{category}.md") for person in (alice, bob)]
    await ask(alice, "DELETE", f"/{share['id']}")
    await alice.http.delete(alice.path("Notes", f"{category}.md"))
    assert (refused.status_code, kept) == (500, [b"x", b"x"])


async def test_deleting_a_folder_leaves_the_shares_in_it(shared: Shared, folder: str, release: int) -> None:
    """Their owners keep them; the folder's own files are in the trash without them."""
    headers = moved_to(shared.alice, folder, shared.name)
    moved = await shared.alice.http.request("MOVE", shared.alice.path(shared.name), headers=headers)
    skip_orphaned_shares(moved, release)
    deleted = await shared.alice.http.delete(shared.alice.path(folder))
    received = data(await ask(shared.alice, "GET", params={"shared_with_me": "true"}))
    assert (moved.status_code, deleted.status_code) == (201, 204)
    assert shared.share not in [each["id"] for each in received]
    assert await content(shared.bob, shared.name, "a.md") == b"a.md"


async def test_shares_in_a_folder_are_neither_copied_nor_shared_on(shared: Shared, folder: str, release: int) -> None:
    """A copy lacks them, and the folder cannot be moved into a share. Nextcloud 34 refuses to share the folder too."""
    alice, bob = shared.alice, shared.bob
    other = f"{shared.name}-other"
    moved = await alice.http.request("MOVE", alice.path(shared.name), headers=moved_to(alice, folder, shared.name))
    skip_orphaned_shares(moved, release)
    copied = await alice.http.request("COPY", alice.path(folder), headers=moved_to(alice, other))
    has_share = await _is_there(alice, other, shared.name)
    await alice.http.delete(alice.path(other))
    await bob.http.request("MKCOL", bob.path(other))
    share = data(await _share(bob, f"/{other}", alice, 15))["id"]
    into = await alice.http.request("MOVE", alice.path(folder), headers=moved_to(alice, other, folder))
    shared_on = refusal(await _share(alice, f"/{folder}", bob, 1)) if release >= 34 else None
    await ask(bob, "DELETE", f"/{share}")
    await bob.http.delete(bob.path(other))
    assert (copied.is_success, has_share, into.status_code) == (True, False, 403)
    assert message(into).startswith(f"Moving a storage ({folder}/{shared.name}) into a share (")
    assert shared_on in {None, (403, "You cannot share a folder that contains other shares")}


async def test_restored_file_of_a_share(shared: Shared) -> None:
    """What alice deleted in a share is in her trash too; if the share may only be read, it lands in her root folder.

    Its id stays, and is how it can be found.
    """
    name = f"{shared.name}.md"
    await shared.bob.http.put(shared.bob.path(shared.name, name), content=b"x")
    await shared.alice.http.delete(shared.alice.path(shared.name, name))
    (item,) = [each for each in await trash_of(shared.alice) if each.location == f"{shared.name}/{name}"]
    trashed = await _file_id(shared.alice, item.href.rstrip("/"))
    await shared.allow(1)
    answer = await restore(shared.alice, item.href)
    landed = await _file_id(shared.alice, shared.alice.path(name))
    await shared.alice.http.delete(shared.alice.path(name))
    assert answer.status_code == 201
    assert trashed == landed


async def _file_id(person: Person, path: str) -> str:
    body = dav.propfind(f"{dav.OC}fileid")
    answer = await person.http.request("PROPFIND", path, headers={"Depth": "0"}, content=body)
    return dav.properties(dav.responses(answer)[0])[f"{dav.OC}fileid"].text or ""


async def test_nothing_is_shared_with_its_owner(shared: Shared) -> None:
    """A received share names its owner and who shared it; the owner gets no share of it."""
    await shared.allow(31)
    received = data(await ask(shared.alice, "GET", params={"shared_with_me": "true"}))
    (share,) = [each for each in received if each["id"] == shared.share]
    refused = refusal(await _share(shared.alice, f"/{shared.name}", shared.bob, 1))
    assert (share["uid_owner"], share["uid_file_owner"]) == (shared.bob.user, shared.bob.user)
    assert refused == (403, "Cannot share with the share owner")


async def test_cookbook_needs_a_folder_in_which_one_may_create(shared: Shared) -> None:
    """Else it answers 500 to writing and to reading a recipe, while lists and settings work."""
    http = shared.alice.http
    present = (await http.get(f"{COOKBOOK}/config")).json()["folder"]
    chosen = await http.post(f"{COOKBOOK}/config", json={"folder": f"/{shared.name}"})
    number = (await http.post(f"{COOKBOOK}/recipes", json={"name": shared.name})).json()
    one = f"{COOKBOOK}/recipes/{number}"
    await shared.allow(1)
    answers = [
        await http.get(one),
        await http.put(one, json={"id": str(number), "name": shared.name}),
        await http.post(f"{COOKBOOK}/recipes", json={"name": f"{shared.name} 2"}),
        await http.post(f"{COOKBOOK}/reindex"),
        await http.get(f"{COOKBOOK}/search/{shared.name}"),
    ]
    working = [await http.get(f"{COOKBOOK}/{path}") for path in ("config", "recipes", "categories", "keywords")]
    back = await http.post(f"{COOKBOOK}/config", json={"folder": present})
    assert chosen.status_code == back.status_code == 200
    assert [answer.status_code for answer in answers] == [500] * 5
    assert [answer.status_code for answer in working] == [200] * 4
