"""Shared files and collections from the recipient's side: their owner, and the effect of deleting them."""

import uuid
from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import quote

import pytest

from nextcloud_mcp.nextcloud import dav
from stack.chain import Chain
from tests.contract.multistatus import propfind
from tests.contract.people import Person
from tests.contract.test_sharing import ask, data

SHARE: Final = (
    '<o:share xmlns:o="http://owncloud.org/ns" xmlns:d="DAV:"><o:set>'
    "<d:href>principal:principals/users/{user}</d:href></o:set></o:share>"
)
KINDS: Final = {"calendars": "MKCALENDAR", "addressbooks/users": "MKCOL"}
XML: Final = {"Content-Type": "application/xml; charset=utf-8"}
ADDRESS_BOOK: Final = (
    '<d:mkcol xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:carddav"><d:set><d:prop>'
    "<d:resourcetype><d:collection/><c:addressbook/></d:resourcetype></d:prop></d:set></d:mkcol>"
)


@pytest.fixture(autouse=True)
def real(chain: Chain) -> None:
    """A Nextcloud in which people see what others share."""
    if chain.nextcloud.kind == "stand-in":
        pytest.skip("the stand-in shows nobody what others have shared")


def home(person: Person, kind: str) -> str:
    """Return where somebody's calendars or address books are."""
    return f"/remote.php/dav/{kind}/{quote(person.user, safe='')}/"


@pytest.fixture(params=KINDS)
async def shared(request: pytest.FixtureRequest, alice: Person, bob: Person) -> AsyncIterator[tuple[str, str, str]]:
    """A collection of bob's that alice may read: its kind, and its name for bob and for alice."""
    kind: str = request.param
    name = f"shared-{uuid.uuid4().hex[:8]}"
    body = ADDRESS_BOOK if kind.startswith("address") else ""
    made = await bob.http.request(KINDS[kind], f"{home(bob, kind)}{name}/", content=body, headers=XML)
    assert made.status_code == 201, made.text
    share = SHARE.format(user=quote(alice.user, safe=""))
    done = await bob.http.post(f"{home(bob, kind)}{name}/", content=share, headers=XML)
    assert done.status_code == 200, done.text
    yield kind, name, f"{name}_shared_by_{bob.user}"
    await bob.http.delete(f"{home(bob, kind)}{name}/", headers={"X-NC-CalDAV-No-Trashbin": "1"})


async def test_owner_of_a_shared_collection(alice: Person, shared: tuple[str, str, str]) -> None:
    """`owner` is bob for the shared collection, and alice for her own (RFC 3744 section 5.1)."""
    kind, _, name = shared
    answer = await alice.http.request(
        "PROPFIND", home(alice, kind), headers={"Depth": "1"}, content=dav.propfind(f"{dav.D}resourcetype", *dav.OWNER)
    )
    owners = {dav.last_part(each): dav.shared_by(each) for each in dav.responses(answer)[1:]}  # not of the home
    assert owners.pop(name) == "bob"
    assert set(owners.values()) == {None}


async def test_deleting_a_shared_collection_only_unshares_it(
    alice: Person, bob: Person, shared: tuple[str, str, str]
) -> None:
    """Alice no longer sees the collection, and bob keeps it."""
    kind, name, seen = shared
    deleted = await alice.http.delete(f"{home(alice, kind)}{seen}/")
    gone = await alice.http.request("PROPFIND", f"{home(alice, kind)}{seen}/", headers={"Depth": "0"})
    kept = await bob.http.request("PROPFIND", f"{home(bob, kind)}{name}/", headers={"Depth": "0"})
    assert (deleted.status_code, gone.status_code, kept.status_code) == (204, 404, 207)


async def test_deleting_a_shared_folder_only_unshares_it(alice: Person, bob: Person) -> None:
    """The folder is the root of a mount that bob owns, its files are inside the mount, and bob keeps them."""
    name = f"shared-{uuid.uuid4().hex[:8]}"
    await bob.http.request("MKCOL", bob.path(name))
    await bob.http.put(bob.path(name, "a.txt"), content=b"x")
    data(await ask(bob, "POST", json={"path": f"/{name}", "shareType": 0, "shareWith": alice.user}))
    wanted = (f"{dav.OC}owner-id", f"{dav.NC}mount-type", f"{dav.NC}is-mount-root")
    answer = await alice.http.request(
        "PROPFIND", alice.path(name), headers={"Depth": "1"}, content=dav.propfind(*wanted)
    )
    found = [dav.properties(each) for each in dav.responses(answer)]
    told = [[each[name].text for name in wanted] for each in found]
    deleted = await alice.http.delete(alice.path(name))
    kept = await propfind(bob.http, bob.path(name))
    await bob.http.delete(bob.path(name))

    assert told == [[bob.user, "shared", "true"], [bob.user, "shared", "false"]]
    assert deleted.status_code == 204
    assert len(kept) == 2
