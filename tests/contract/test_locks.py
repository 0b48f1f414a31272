"""Locks that users set on files: `LOCK` and `UNLOCK` with `X-User-Lock: 1`.

https://github.com/nextcloud/files_lock#webdav. Nextcloud 34 ships the app, Nextcloud 32 does not.
"""

import time
import uuid
from collections.abc import AsyncIterator
from typing import Final

import httpx
import pytest
from defusedxml.ElementTree import fromstring

from nextcloud_mcp.nextcloud import dav
from tests.contract.multistatus import exception
from tests.contract.people import Person
from tests.contract.test_sharing import USER, ask, data

PERSON, TOKEN = 0, 2
NAMES: Final = (
    "lock",
    "lock-owner",
    "lock-owner-displayname",
    "lock-owner-type",
    "lock-time",
    "lock-timeout",
    "lock-token",
)
FAVORITE: Final = (
    '<d:propertyupdate xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns"><d:set><d:prop><oc:favorite>1</oc:favorite>'
    "</d:prop></d:set></d:propertyupdate>"
)


@pytest.fixture(autouse=True)
async def with_locks(alice: Person) -> None:
    """A Nextcloud with the app."""
    answer = await alice.http.get("/ocs/v2.php/cloud/capabilities", params={"format": "json"})
    if "locking" not in data(answer)["capabilities"]["files"]:
        pytest.skip("this Nextcloud does not have the app files_lock")


@pytest.fixture
async def shared(alice: Person, bob: Person) -> AsyncIterator[str]:
    """The name of a folder of bob's that alice may change, with the file a.txt; alice also has a file of that name."""
    name = f"locked-{uuid.uuid4().hex[:8]}"
    await bob.http.request("MKCOL", bob.path(name))
    await bob.http.put(bob.path(name, "a.txt"), content=b"x")
    data(
        await ask(bob, "POST", json={"path": f"/{name}", "shareType": USER, "shareWith": alice.user, "permissions": 15})
    )
    await alice.http.put(alice.path(f"{name}.txt"), content=b"own")
    yield name
    await bob.http.request("UNLOCK", bob.path(name, "a.txt"), headers={"X-User-Lock": "1"})
    await bob.http.delete(bob.path(name))
    await alice.http.delete(alice.path(f"{name}.txt"))


async def lock(person: Person, *names: str, kind: int = PERSON) -> httpx.Response:
    """Lock a file."""
    headers = {"X-User-Lock": "1", "X-User-Lock-Type": str(kind)}
    return await person.http.request("LOCK", person.path(*names), headers=headers)


async def unlock(person: Person, *names: str) -> httpx.Response:
    """Unlock a file."""
    return await person.http.request("UNLOCK", person.path(*names), headers={"X-User-Lock": "1"})


async def locked(person: Person, *names: str) -> dict[str, str]:
    """Return the properties of a file that are about its lock."""
    wanted = [f"{dav.NC}{name}" for name in NAMES]
    answer = await person.http.request(
        "PROPFIND", person.path(*names), headers={"Depth": "0"}, content=dav.propfind(*wanted)
    )
    found = dav.properties(dav.responses(answer)[0])
    return {name.rpartition("}")[2]: value.text or "" for name, value in found.items()}


def told(answer: httpx.Response) -> tuple[int, str, str]:
    """Return the status and the values of `lock` and `lock-owner` in the response to LOCK or UNLOCK."""
    document = fromstring(answer.content)
    assert document.tag == f"{dav.D}prop"
    locked, owner = (str(document.findtext(f"{dav.NC}{name}", "")) for name in NAMES[:2])
    return answer.status_code, locked, owner


def moved_to(person: Person, *names: str) -> dict[str, str]:
    """Return the headers of MOVE and COPY."""
    return {"Destination": person.address(*names), "Overwrite": "T"}


@pytest.mark.parametrize("kind", [PERSON, TOKEN])
async def test_lock_has_properties(alice: Person, bob: Person, shared: str, kind: int) -> None:
    """A locked file has its owner, type, time and timeout; other files have an empty `nc:lock`."""
    before = await locked(alice, shared, "a.txt")
    answer = await lock(bob, shared, "a.txt", kind=kind)
    found = await locked(alice, shared, "a.txt")
    assert before == {"lock": ""}
    assert told(answer) == (200, "1", bob.user)
    assert abs(int(found.pop("lock-time")) - time.time()) < 60
    assert found.pop("lock-token").startswith("files_lock/")
    assert found.pop("lock-owner-displayname").strip()
    assert found == {"lock": "1", "lock-owner": bob.user, "lock-owner-type": str(kind), "lock-timeout": "-60"}


async def test_writes_of_others_are_423(alice: Person, bob: Person, shared: str) -> None:
    """Everybody but the owner of the lock gets 423 with the path of the file; nothing changes, and reading works."""
    await lock(bob, shared, "a.txt")
    file, own = alice.path(shared, "a.txt"), alice.path(f"{shared}.txt")
    answers = [
        await alice.http.put(file, content=b"y"),
        await alice.http.delete(file),
        await alice.http.request("PROPPATCH", file, content=FAVORITE),
        await alice.http.request("MOVE", file, headers=moved_to(alice, shared, "b.txt")),
        await alice.http.request("MOVE", own, headers=moved_to(alice, shared, "a.txt")),
        await alice.http.request("COPY", own, headers=moved_to(alice, shared, "a.txt")),
    ]
    hrefs = [fromstring(each.content).findtext(f"{dav.D}lock-token-submitted/{dav.D}href") for each in answers]
    read = await alice.http.get(file)
    copied = await alice.http.request("COPY", file, headers=moved_to(alice, shared, "copy.txt"))
    assert {(each.status_code, exception(each)) for each in answers} == {(423, "Locked")}
    assert set(hrefs) == {f"files/{alice.user}/{shared}/a.txt"}
    assert (read.status_code, read.content, copied.status_code) == (200, b"x", 201)


async def test_stale_etag_is_412_before_the_lock(alice: Person, bob: Person, shared: str) -> None:
    """Nextcloud evaluates `If-Match` before it looks at locks."""
    await lock(bob, shared, "a.txt")
    answer = await alice.http.put(alice.path(shared, "a.txt"), content=b"y", headers={"If-Match": '"old"'})
    assert answer.status_code == 412


async def test_upload_in_parts_is_423_at_its_end(alice: Person, bob: Person, shared: str) -> None:
    """The parts are accepted, and only the assembly is refused."""
    await lock(bob, shared, "a.txt")
    uploads = f"/remote.php/dav/uploads/{alice.user}/{uuid.uuid4().hex}"
    destination = {"Destination": alice.address(shared, "a.txt")}
    await alice.http.request("MKCOL", uploads, headers=destination)
    part = await alice.http.put(f"{uploads}/00001", content=b"y", headers=destination)
    answer = await alice.http.request("MOVE", f"{uploads}/.file", headers=destination | {"OC-Total-Length": "1"})
    await alice.http.delete(uploads)
    assert (part.status_code, answer.status_code, exception(answer)) == (201, 423, "Locked")
    assert (await alice.http.get(alice.path(shared, "a.txt"))).content == b"x"


async def test_owner_of_a_lock_may_write(bob: Person, shared: str) -> None:
    """The lock stays when its owner changes or moves the file, and goes with the file."""
    await lock(bob, shared, "a.txt")
    changed = await bob.http.put(bob.path(shared, "a.txt"), content=b"y")
    moved = await bob.http.request("MOVE", bob.path(shared, "a.txt"), headers=moved_to(bob, shared, "b.txt"))
    kept = await locked(bob, shared, "b.txt")
    deleted = await bob.http.delete(bob.path(shared, "b.txt"))
    created = await bob.http.put(bob.path(shared, "b.txt"), content=b"new")
    assert (changed.status_code, moved.status_code, deleted.status_code, created.status_code) == (204, 201, 204, 201)
    assert kept["lock-owner"] == bob.user
    assert await locked(bob, shared, "b.txt") == {"lock": ""}


async def test_token_lock_needs_the_token(bob: Person, shared: str) -> None:
    """Even its owner gets 423 without the token in `If`."""
    await lock(bob, shared, "a.txt", kind=TOKEN)
    token = (await locked(bob, shared, "a.txt"))["lock-token"]
    refused = await bob.http.put(bob.path(shared, "a.txt"), content=b"y")
    written = await bob.http.put(
        bob.path(shared, "a.txt"), content=b"y", headers={"If": f"(<opaquelocktoken:{token}>)"}
    )
    assert (refused.status_code, exception(refused), written.status_code) == (423, "Locked", 204)


async def test_only_owners_unlock(alice: Person, bob: Person, shared: str) -> None:
    """Others get 423 with the lock, and 412 where there is none; who owns the file can unlock for others."""
    none = await unlock(alice, shared, "a.txt")
    await lock(bob, shared, "a.txt")
    others = [await lock(alice, shared, "a.txt"), await unlock(alice, shared, "a.txt")]
    again, done = await lock(bob, shared, "a.txt"), await unlock(bob, shared, "a.txt")
    of_alice = await lock(alice, shared, "a.txt")
    refused = await bob.http.put(bob.path(shared, "a.txt"), content=b"y")
    by_owner = await unlock(bob, shared, "a.txt")
    assert told(none) == (412, "", "")
    assert [told(each) for each in others] == [(423, "1", bob.user)] * 2
    assert (told(again), told(done)) == ((200, "1", bob.user), (200, "", ""))
    assert told(of_alice) == (200, "1", alice.user)
    assert (refused.status_code, told(by_owner)) == (423, (200, "", ""))


async def test_impossible_locks_are_500(alice: Person, bob: Person, shared: str) -> None:
    """A missing file, and a file that one may only read, get 500 with a message."""
    missing = await lock(bob, shared, "none.txt")
    (share,) = data(await ask(bob, "GET", params={"path": f"/{shared}"}))
    data(await ask(bob, "PUT", f"/{share['id']}", json={"permissions": 1}))
    refused = await lock(alice, shared, "a.txt")
    assert (missing.status_code, exception(missing)) == (500, "NotFoundException")
    assert (refused.status_code, exception(refused)) == (500, "UnauthorizedUnlockException")
    assert "File can only be locked with update permissions." in refused.text
