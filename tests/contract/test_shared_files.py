"""Files and folders that others share, as their recipients see them: properties, permissions, and the mount itself.

https://docs.nextcloud.com/server/latest/developer_manual/client_apis/OCS/ocs-share-api.html has the permissions, as the
sum of 1 read, 2 update, 4 create, 8 delete and 16 share. Nextcloud allows 20 new shares in ten minutes per user, so the
tests change the permissions of one share.
"""

import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Final

import httpx
import pytest
from defusedxml.ElementTree import fromstring

from nextcloud_mcp.nextcloud import dav
from stack.chain import Chain
from tests.contract.multistatus import exception
from tests.contract.people import Person
from tests.contract.shared_folder import SharedFolder
from tests.contract.test_local_accounts import run_occ
from tests.contract.test_sharing import GROUP, USER, ask, data, refusal

EVERYONE: Final = "everyone"
SHARED: Final = ("permissions", "owner-id", "owner-display-name")
MOUNTED: Final = ("mount-type", "is-mount-root")
FILES: Final = ("a.txt", "b.txt", "sub/c.txt")

LETTERS: Final[Mapping[int, tuple[str, str, str]]] = {
    1: ("SGDN", "SG", "SG"),
    3: ("SGDNV", "SGNVW", "SGNV"),
    5: ("SGDNCK", "SG", "SGCK"),
    9: ("SGDN", "SGD", "SGD"),
    13: ("SGDNCK", "SGDN", "SGDNCK"),
    15: ("SGDNVCK", "SGDNVW", "SGDNVCK"),
    17: ("SRGDN", "SRG", "SRG"),
    31: ("SRGDNVCK", "SRGDNVW", "SRGDNVCK"),
}
"""`oc:permissions` of a shared folder, and of a file and a folder in it, by the permissions of the share."""

LETTERS_32: Final = {
    1: ("SGD", "SG", "SG"),
    5: ("SGDCK", "SG", "SGCK"),
    9: ("SGD", "SGD", "SGD"),
    13: ("SGDCK", "SGD", "SGDCK"),
    17: ("SRGD", "SRG", "SRG"),
}
"""Where Nextcloud 32 differs: N needs the permission to update."""

WRITES: Final[Mapping[str, tuple[str, str, str]]] = {
    "change": ("PUT", "a.txt", ""),
    "create": ("PUT", "new.txt", ""),
    "create a folder": ("MKCOL", "new", ""),
    "delete": ("DELETE", "a.txt", ""),
    "delete a folder": ("DELETE", "sub", ""),
    "rename": ("MOVE", "a.txt", "renamed.txt"),
    "move down": ("MOVE", "a.txt", "sub/a.txt"),
    "replace by a move": ("MOVE", "a.txt", "b.txt"),
    "move out": ("MOVE", "a.txt", "/out.txt"),
    "move in": ("MOVE", "/own.txt", "in.txt"),
    "move onto": ("MOVE", "/own.txt", "a.txt"),
    "copy within": ("COPY", "a.txt", "within.txt"),
    "copy in": ("COPY", "/own.txt", "copied.txt"),
    "copy onto": ("COPY", "/own.txt", "a.txt"),
}
"""The method, the source and the destination of writes; names that begin with a slash are outside of the share."""

ALLOWED: Final[Mapping[int, set[str]]] = {
    1: set(),
    3: {"change", "rename"},
    5: {"create", "create a folder", "move in", "copy within", "copy in"},
    9: {"delete", "delete a folder", "move out"},
    7: {"change", "create", "create a folder", "rename", "move in", "copy within", "copy in"},
    11: {"change", "delete", "delete a folder", "rename", "replace by a move", "move out"},
    15: set(WRITES),
}
"""The writes that each share allows; all others get 403."""

LOST: Final[Mapping[int, set[str]]] = {9: {"move onto", "copy onto"}, 11: {"move onto", "copy onto"}}
"""The writes that get 403 after Nextcloud has deleted the destination: one may delete in the folder, but not create."""

ONLY_SINCE_34: Final = {(3, "rename"), (7, "rename")}
"""Nextcloud 32 takes renaming for deleting."""


class Folder(SharedFolder):
    """A folder of bob's that alice has too, with `FILES` in it."""

    async def fill(self, drop: str = "") -> None:
        """Write the files that a test may have changed, and a file of alice's own; first delete what is at `drop`."""
        if drop and not drop.startswith("/"):
            await self.bob.http.delete(self.bob.path(*self.names(drop)))
        await self.bob.http.request("MKCOL", self.bob.path(self.name, "sub"))
        for file in FILES:
            await self.bob.http.put(self.bob.path(self.name, *file.split("/")), content=file.encode())
        await self.alice.http.put(self.alice.path(f"{self.name}-own.txt"), content=b"own")

    def names(self, path: str) -> list[str]:
        """Return the names on alice's path."""
        return [self.name + path.replace("/", "-")] if path.startswith("/") else [self.name, *path.split("/")]

    async def write(self, method: str, source: str, destination: str) -> httpx.Response:
        """Send one of `WRITES` as alice."""
        headers = {"Destination": self.alice.address(*self.names(destination)), "Overwrite": "T"} if destination else {}
        content = b"changed" if method == "PUT" else b""
        path = self.alice.path(*self.names(source))
        return await self.alice.http.request(method, path, headers=headers, content=content)


async def properties(person: Person, *names: str) -> list[list[str]]:
    """Return `SHARED` and `MOUNTED` of a file or folder, and of what is in it."""
    wanted = (*(f"{dav.OC}{name}" for name in SHARED), *(f"{dav.NC}{name}" for name in MOUNTED))
    answer = await person.http.request(
        "PROPFIND", person.path(*names), headers={"Depth": "1"}, content=dav.propfind(*wanted)
    )
    assert answer.status_code == 207, answer.text
    responses = sorted(dav.responses(answer), key=lambda each: each.findtext(f"{dav.D}href", ""))
    return [[dav.properties(each)[name].text or "" for name in wanted] for each in responses]


async def content(person: Person, *names: str) -> bytes | None:
    """Return the content of a file, or None if there is no such file."""
    answer = await person.http.get(person.path(*names))
    return answer.content if answer.status_code == 200 else None


def message(answer: httpx.Response) -> str:
    """Return the message of an error response."""
    text: str = fromstring(answer.content).findtext("{http://sabredav.org/ns}message", "")
    return text


def skip_orphaned_shares(answer: httpx.Response, release: int) -> None:
    """Skip the test if Nextcloud 32 moves no mount, because another share with alice is of a file that is gone."""
    if release < 34 and answer.status_code == 500 and message(answer).startswith("Node for share not found"):
        pytest.skip("Nextcloud 32 moves no mount of somebody with whom a file was shared that no longer exists")


@pytest.fixture
async def shared(alice: Person, bob: Person) -> AsyncIterator[Folder]:
    """A folder of bob's that alice may read."""
    name = f"shared-{uuid.uuid4().hex[:8]}"
    await bob.http.request("MKCOL", bob.path(name))
    with_alice = {"path": f"/{name}", "shareType": USER, "shareWith": alice.user, "permissions": 1}
    shared = Folder(alice, bob, name, data(await ask(bob, "POST", json=with_alice))["id"])
    await shared.fill()
    yield shared
    await bob.http.delete(bob.path(name))
    for own in ("-own.txt", "-out.txt"):
        await alice.http.delete(alice.path(name + own))


@pytest.mark.by_release
async def test_properties_of_a_shared_folder(shared: Folder, release: int) -> None:
    """The letters follow from the permissions; the folder is the root of a mount that bob owns, its members are not."""
    letters: dict[int, tuple[str, str, str]] = {}
    others: set[tuple[str, ...]] = set()
    for permissions in LETTERS:
        await shared.allow(permissions)
        folder, file, _, sub = await properties(shared.alice, shared.name)
        letters[permissions] = (folder[0], file[0], sub[0])
        others |= {tuple(folder[1:]), tuple(file[1:]), tuple(sub[1:])}
    display_name = (await properties(shared.bob, shared.name))[0][2]
    assert letters == {**LETTERS, **(LETTERS_32 if release < 34 else {})}
    assert others == {(shared.bob.user, display_name, "shared", root) for root in ("true", "false")}


async def test_share_permissions_of_a_shared_folder(shared: Folder) -> None:
    """Unlike the letters, they also say for the root of the mount what its members allow."""
    name = "{http://open-collaboration-services.org/ns}share-permissions"
    for permissions in LETTERS:
        await shared.allow(permissions)
        answer = await shared.alice.http.request(
            "PROPFIND", shared.alice.path(shared.name), headers={"Depth": "1"}, content=dav.propfind(name)
        )
        found = {dav.last_part(each): dav.properties(each)[name].text for each in dav.responses(answer)}
        folders, files = str(permissions), str(permissions & 19)
        assert found == {shared.name: folders, "sub": folders, "a.txt": files, "b.txt": files}


async def test_properties_of_own_files(shared: Folder) -> None:
    """The owner's own files have no S, and are in no mount."""
    folder, file, *_ = await properties(shared.bob, shared.name)
    assert folder == ["RGDNVCK", shared.bob.user, folder[2], "", "false"]
    assert file == ["RGDNVW", shared.bob.user, folder[2], "", "false"]


@pytest.mark.by_release
@pytest.mark.parametrize("permissions", ALLOWED)
async def test_writes_that_a_share_allows(shared: Folder, release: int, permissions: int) -> None:
    """Every other write gets 403, and changes nothing but for `LOST`."""
    await shared.allow(permissions)
    allowed, lost, quirks = set(), set(), []
    for name, (method, source, destination) in WRITES.items():
        answer = await shared.write(method, source, destination)
        kept = [await content(shared.bob, shared.name, file) == file.encode() for file in FILES[:2]]
        if answer.is_success:
            allowed.add(name)
        elif answer.status_code != 403 or exception(answer) != "Forbidden":
            quirks.append((name, answer.status_code))
        elif not all(kept):
            lost.add(name)
        if answer.is_success or not all(kept):
            await shared.fill(drop=destination or source)
    expected = ALLOWED[permissions] - {name for known, name in ONLY_SINCE_34 if release < 34 and known == permissions}
    assert allowed == expected
    assert lost == LOST.get(permissions, set())
    # Nextcloud 32 lets recipients try to rename what they can delete, and then fails
    assert quirks == ([("rename", 500), ("replace by a move", 500)] if release < 34 and permissions == 9 else [])


@pytest.mark.by_release
async def test_refused_move_says_what_is_not_allowed(shared: Folder, release: int) -> None:
    """The message has the path from the root of all files; Nextcloud 32 takes renaming for deleting."""
    renamed, moved = [await shared.write(*WRITES[name]) for name in ("rename", "move out")]
    path, verb = f"files/{shared.alice.user}/{shared.name}/a.txt", "renamed" if release >= 34 else "deleted"
    assert message(renamed) == f"{path} cannot be {verb}"
    assert message(moved) == f"{path} cannot be deleted"
    assert message(await shared.write(*WRITES["change"])) == ""


async def test_recipients_share_only_with_the_permission(shared: Folder) -> None:
    """Without the permission to share, a new share gets 404 and a message that names the file."""
    asked = {"path": f"/{shared.name}/a.txt", "shareType": GROUP, "shareWith": "admin", "permissions": 1}
    refused = refusal(await ask(shared.alice, "POST", json=asked))
    folder = refusal(await ask(shared.alice, "POST", json=asked | {"path": f"/{shared.name}"}))
    await shared.allow(17)
    share = data(await ask(shared.alice, "POST", json=asked))
    assert refused == (404, "You are not allowed to share a.txt")
    assert folder == (404, f"You are not allowed to share {shared.name}")
    assert share["uid_owner"] == shared.alice.user


async def test_deleting_the_mount_only_unshares_it(shared: Folder) -> None:
    """Alice no longer has the folder or the share, and bob keeps the files."""
    deleted = await shared.alice.http.delete(shared.alice.path(shared.name))
    gone = await shared.alice.http.request("PROPFIND", shared.alice.path(shared.name), headers={"Depth": "0"})
    received = data(await ask(shared.alice, "GET", params={"shared_with_me": "true"}))
    assert (deleted.status_code, gone.status_code) == (204, 404)
    assert shared.share not in {each["id"] for each in received}
    assert await content(shared.bob, shared.name, "a.txt") == b"a.txt"


@pytest.mark.by_release
async def test_moving_the_mount_moves_it_for_the_recipient(shared: Folder, folder: str, release: int) -> None:
    """Even who may only read can rename the mount, or move it into another folder; bob's folder stays."""
    for names in ([f"{shared.name}-renamed"], [folder, "moved"]):
        source = shared.alice.path(shared.name) if len(names) == 1 else shared.alice.path(f"{shared.name}-renamed")
        answer = await shared.alice.http.request(
            "MOVE", source, headers={"Destination": shared.alice.address(*names), "Overwrite": "F"}
        )
        skip_orphaned_shares(answer, release)
        received = data(await ask(shared.alice, "GET", params={"shared_with_me": "true"}))
        assert answer.status_code == 201
        assert {each["id"]: each["path"] for each in received}[shared.share] == "/" + "/".join(names)
        assert (await properties(shared.alice, *names))[0][3:] == ["shared", "true"]
        assert await content(shared.alice, *names, "a.txt") == b"a.txt"
    assert await content(shared.bob, shared.name, "a.txt") == b"a.txt"
    await shared.alice.http.delete(shared.alice.path(folder, "moved"))


async def test_taken_name_gets_a_number(shared: Folder) -> None:
    """A folder of alice's own with the same name stays, and the mount is numbered."""
    name = f"{shared.name}-taken"
    await shared.alice.http.request("MKCOL", shared.alice.path(name))
    await shared.bob.http.request("MKCOL", shared.bob.path(name))
    with_alice = {"path": f"/{name}", "shareType": USER, "shareWith": shared.alice.user, "permissions": 1}
    data(await ask(shared.bob, "POST", json=with_alice))
    own, mount = [(await properties(shared.alice, each))[0] for each in (name, f"{name} (2)")]
    for person in (shared.alice, shared.bob):
        await person.http.delete(person.path(name))
    assert (own[3:], mount[3:]) == (["", "false"], ["shared", "true"])


@pytest.mark.by_release
async def test_shared_file_is_a_mount(alice: Person, bob: Person, release: int) -> None:
    """A file can be shared like a folder: alice changes it for bob, and deleting it only unshares it."""
    name = f"shared-{uuid.uuid4().hex[:8]}.txt"
    await bob.http.put(bob.path(name), content=b"one")
    with_alice = {"path": f"/{name}", "shareType": USER, "shareWith": alice.user, "permissions": 3}
    share = data(await ask(bob, "POST", json=with_alice))["id"]
    (seen,) = await properties(alice, name)
    changed = await alice.http.put(alice.path(name), content=b"two")
    kept = await content(bob, name)
    data(await ask(bob, "PUT", f"/{share}", json={"permissions": 1}))
    ((letters, *_),) = await properties(alice, name)
    refused = await alice.http.put(alice.path(name), content=b"three")
    deleted = await alice.http.delete(alice.path(name))
    left = [await content(person, name) for person in (alice, bob)]
    await bob.http.delete(bob.path(name))
    assert seen == ["SGDNVW", bob.user, seen[2], "shared", "true"]
    assert letters == ("SGDN" if release >= 34 else "SGD")
    assert (changed.status_code, kept, refused.status_code, deleted.status_code) == (204, b"two", 403, 204)
    assert left == [None, b"two"]


@pytest.fixture
def everyone(alice: Person, bob: Person, chain: Chain) -> Iterator[str]:
    """A group that alice and bob are in."""
    if chain.nextcloud.kind == "stand-in":
        yield EVERYONE
        return
    if chain.config.nextcloud_occ is None:
        pytest.skip("NEXTCLOUD_OCC is not set: no command that creates a group")
    group = f"{EVERYONE}-{uuid.uuid4().hex[:8]}"
    commands = [["group:add", group], *(["group:adduser", group, each.user] for each in (alice, bob))]
    for command in commands:
        run_occ(chain, *command)
    yield group
    run_occ(chain, "group:delete", group)


@pytest.mark.by_release
async def test_folder_shared_with_a_group(alice: Person, bob: Person, everyone: str, release: int) -> None:
    """Members have the folder as a mount, its owner as before; a member who deletes it leaves the share to others."""
    if release < 34:
        pytest.skip("Nextcloud 32 does not mount it for an account of user_oidc; for a local account it does")
    name = f"shared-{uuid.uuid4().hex[:8]}"
    await bob.http.request("MKCOL", bob.path(name))
    await bob.http.put(bob.path(name, "a.txt"), content=b"x")
    share = data(await ask(bob, "POST", json={"path": f"/{name}", "shareType": GROUP, "shareWith": everyone}))["id"]
    data(await ask(bob, "PUT", f"/{share}", json={"permissions": 1}))
    seen, own = [await properties(person, name) for person in (alice, bob)]
    refused = await alice.http.put(alice.path(name, "a.txt"), content=b"y")
    deleted = await alice.http.delete(alice.path(name))
    gone = await content(alice, name, "a.txt")
    kept = data(await ask(bob, "GET", params={"path": f"/{name}"}))
    await bob.http.delete(bob.path(name))
    assert [each[3:] for each in seen] == [["shared", "true"], ["shared", "false"]]
    assert [each[3:] for each in own] == [["", "false"]] * 2
    assert (refused.status_code, deleted.status_code, gone) == (403, 204, None)
    assert [each["id"] for each in kept] == [share]
