"""Shared calendars and address books, as their recipients see them.

`o:share` is Nextcloud's own extension of WebDAV: apps/dav/lib/DAV/Sharing in its source. Nextcloud 32 and 34 behave
alike.
"""

import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote
from xml.etree.ElementTree import Element

import httpx
import pytest
from defusedxml.ElementTree import fromstring

from nextcloud_mcp.nextcloud import dav
from tests.contract.calendars import ics
from tests.contract.multistatus import exception
from tests.contract.people import Person
from tests.contract.test_contacts import SIMPLE

SHARE: Final = (
    '<o:share xmlns:o="http://owncloud.org/ns" xmlns:d="DAV:"><o:{change}>'
    "<d:href>principal:principals/users/{user}</d:href>{access}</o:{change}></o:share>"
)
WRITABLE: Final = "<o:read-write/>"
XML: Final = {"Content-Type": "application/xml; charset=utf-8"}
CALENDAR: Final = (
    '<c:mkcalendar xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:set><d:prop>'
    "<d:displayname>Club</d:displayname></d:prop></d:set></c:mkcalendar>"
)
ADDRESS_BOOK: Final = (
    '<d:mkcol xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:carddav"><d:set><d:prop>'
    "<d:resourcetype><d:collection/><c:addressbook/></d:resourcetype><d:displayname>Club</d:displayname>"
    "</d:prop></d:set></d:mkcol>"
)
TITLE: Final = (
    '<d:propertyupdate xmlns:d="DAV:"><d:{change}><d:prop><d:displayname>{title}</d:displayname></d:prop></d:{change}>'
    "</d:propertyupdate>"
)
PROPERTIES: Final = (
    *(f"{dav.D}{name}" for name in ("displayname", "current-user-privilege-set")),
    *(f"{dav.OC}read-only", *dav.OWNER),
)
READ: Final = {"write-properties", "read", "read-acl", "read-current-user-privilege-set"}
WRITE: Final = {"write", "write-content", "unlock", "bind", "unbind", "write-acl"}


@dataclass(frozen=True)
class Kind:
    """A kind of collection.

    Attributes:
        home: The path of all homes.
        method: The method that creates a collection, with `body`.
        noun: How Nextcloud names a collection in messages.
        own: The name of a collection that everybody has.
        suffix: How the names of objects end.
        media_type: The media type of objects.
        privileges: The privileges that recipients of this kind of collection have besides `READ`.
    """

    home: str
    method: str
    body: str
    noun: str
    own: str
    suffix: str
    media_type: str
    privileges: frozenset[str] = frozenset()

    def object(self, uid: str) -> str:
        """Return an object with this UID."""
        return ics(uid) if self.suffix == ".ics" else SIMPLE.format(uid=uid, fn="Carol")


KINDS: Final[Mapping[str, Kind]] = {
    "calendar": Kind(
        "/remote.php/dav/calendars",
        "MKCALENDAR",
        CALENDAR,
        "Calendar",
        "personal",
        ".ics",
        "text/calendar",
        frozenset({"read-free-busy"}),
    ),
    "address book": Kind(
        "/remote.php/dav/addressbooks/users", "MKCOL", ADDRESS_BOOK, "Addressbook", "contacts", ".vcf", "text/vcard"
    ),
}


@dataclass(frozen=True)
class Shared:
    """A collection of bob's that alice has too.

    Attributes:
        name: Its name in bob's home.
    """

    alice: Person
    bob: Person
    kind: Kind
    name: str

    @property
    def seen(self) -> str:
        """Its name in alice's home."""
        return f"{self.name}_shared_by_{self.bob.user}"

    @property
    def path(self) -> str:
        """Its path for alice, with a slash at the end."""
        return f"{home(self.alice, self.kind)}{self.seen}/"

    @property
    def owned(self) -> str:
        """Its path for bob, with a slash at the end."""
        return f"{home(self.bob, self.kind)}{self.name}/"

    @property
    def own(self) -> str:
        """The path of a collection of alice's own, with a slash at the end."""
        return f"{home(self.alice, self.kind)}{self.kind.own}/"

    async def share(self, access: str = "", change: str = "set") -> httpx.Response:
        """Share it, or change who it is shared with."""
        body = SHARE.format(user=quote(self.alice.user, safe=""), access=access, change=change)
        return await self.bob.http.post(self.owned, content=body, headers=XML)

    async def put(self, person: Person, path: str, uid: str) -> httpx.Response:
        """Write the object with this UID into a collection."""
        media_type = {"Content-Type": f"{self.kind.media_type}; charset=utf-8"}
        return await person.http.put(
            f"{path}{uid}{self.kind.suffix}", content=self.kind.object(uid), headers=media_type
        )

    async def move(self, path: str, destination: str) -> httpx.Response:
        """Move something as alice."""
        headers = {"Destination": str(self.alice.http.base_url).rstrip("/") + destination, "Overwrite": "F"}
        return await self.alice.http.request("MOVE", path, headers=headers)

    async def properties(self, person: Person, path: str) -> dict[str, Element]:
        """Return the properties of a collection that are about sharing."""
        answer = await person.http.request("PROPFIND", path, headers={"Depth": "0"}, content=dav.propfind(*PROPERTIES))
        assert answer.status_code == 207, answer.text
        return dav.properties(dav.responses(answer)[0])

    async def title(self, person: Person, path: str) -> str | None:
        """Return the display name of a collection."""
        return (await self.properties(person, path))[f"{dav.D}displayname"].text

    async def objects(self, person: Person, path: str) -> list[str]:
        """Return the addresses of the objects in a collection."""
        answer = await person.http.request(
            "PROPFIND", path, headers={"Depth": "1"}, content=dav.propfind(f"{dav.D}getetag")
        )
        return sorted(unquote(each.findtext(f"{dav.D}href", "")) for each in dav.responses(answer)[1:])


def home(person: Person, kind: Kind) -> str:
    """Return where somebody's calendars or address books are."""
    return f"{kind.home}/{quote(person.user, safe='')}/"


def told(answer: httpx.Response) -> tuple[int, str]:
    """Return the status of an error response, and its message."""
    return answer.status_code, fromstring(answer.content).findtext("{http://sabredav.org/ns}message", "")


@pytest.fixture(params=KINDS)
async def collection(
    request: pytest.FixtureRequest, alice: Person, bob: Person, shelf: dict[str, str]
) -> AsyncIterator[Shared]:
    """An empty collection of bob's that nobody else has yet; one for all tests, as for `place`."""
    is_new = request.param not in shelf
    name = shelf.setdefault(request.param, f"shared-{uuid.uuid4().hex[:8]}")
    collection = Shared(alice, bob, KINDS[request.param], name)
    if is_new:
        body = collection.kind.body
        made = await bob.http.request(collection.kind.method, collection.owned, content=body, headers=XML)
        assert made.status_code == 201, made.text
    yield collection
    await collection.share(change="remove")
    for path in await collection.objects(bob, collection.owned):
        await bob.http.delete(quote(path))


@pytest.fixture
async def readable(collection: Shared) -> Shared:
    """A collection of bob's that alice may read."""
    assert (await collection.share()).status_code == 200
    return collection


@pytest.fixture
async def writable(collection: Shared) -> Shared:
    """A collection of bob's that alice may read and write."""
    assert (await collection.share(WRITABLE)).status_code == 200
    return collection


async def test_owner_of_a_shared_collection(readable: Shared) -> None:
    """The owner is Bob for the shared collection, and nobody else for her own (RFC 3744 section 5.1)."""
    answer = await readable.alice.http.request(
        "PROPFIND",
        home(readable.alice, readable.kind),
        headers={"Depth": "1"},
        content=dav.propfind(f"{dav.D}resourcetype", *dav.OWNER),
    )
    owners = {dav.last_part(each): dav.shared_by(each) for each in dav.responses(answer)[1:]}  # not of the home
    assert owners.pop(readable.seen) == "Bob Demo (bob)"
    assert set(owners.values()) == {None}


@pytest.mark.parametrize(("access", "read_only", "more"), [("", "1", set()), (WRITABLE, "", WRITE)])
async def test_properties_say_what_the_recipient_may_do(
    collection: Shared, access: str, read_only: str, more: set[str]
) -> None:
    """`oc:read-only` is 1 or empty, the privileges agree with it, and the title has the owner's name."""
    await collection.share(access)
    found = await collection.properties(collection.alice, collection.path)
    privileges = found[f"{dav.D}current-user-privilege-set"].iterfind(f"{dav.D}privilege/*")
    assert {each.tag.rpartition("}")[2] for each in privileges} == READ | collection.kind.privileges | more
    assert (found[f"{dav.OC}read-only"].text or "") == read_only
    assert found[f"{dav.D}displayname"].text == f"Club ({found[dav.OWNER[1]].text})"
    assert f"{dav.OC}read-only" not in await collection.properties(collection.bob, collection.owned)


async def test_recipient_reads_objects_of_the_owner(readable: Shared, uid: str) -> None:
    """An object has the same ETag and content for both, each at their own address."""
    await readable.put(readable.bob, readable.owned, uid)
    name = uid + readable.kind.suffix
    assert await readable.objects(readable.alice, readable.path) == [readable.path + name]
    seen = await readable.alice.http.get(readable.path + name)
    kept = await readable.bob.http.get(readable.owned + name)
    assert seen.status_code == 200
    assert (seen.headers["etag"], seen.content) == (kept.headers["etag"], kept.content)


async def test_writing_where_one_may_only_read_is_404(readable: Shared, uid: str) -> None:
    """Nextcloud refuses the write as if there were no such collection, and nothing changes for the owner."""
    await readable.put(readable.bob, readable.owned, uid)
    await readable.put(readable.alice, readable.own, f"{uid}-own")
    suffix, no_collection = readable.kind.suffix, f"{readable.kind.noun} with name '{readable.seen}' could not be found"
    seen, own = f"{readable.path}{uid}{suffix}", f"{readable.own}{uid}-own{suffix}"
    answers = {
        "PUT over": await readable.put(readable.alice, readable.path, uid),
        "PUT new": await readable.put(readable.alice, readable.path, f"{uid}-new"),
        "DELETE": await readable.alice.http.delete(seen),
        "MOVE out": await readable.move(seen, f"{readable.own}{uid}{suffix}"),
        "MOVE in": await readable.move(own, f"{readable.path}{uid}-own{suffix}"),
        "MOVE within": await readable.move(seen, f"{readable.path}{uid}-renamed{suffix}"),
        "POST": await readable.alice.http.post(
            readable.path, content=SHARE.format(user="carol", access="", change="set"), headers=XML
        ),
    }
    kept, left = await readable.objects(readable.bob, readable.owned), await readable.alice.http.delete(own)

    messages = {name: told(answer) for name, answer in answers.items()}
    assert messages.pop("PUT over") == (404, f"Node with name '{uid}{suffix}' could not be found")
    assert set(messages.values()) == {(404, no_collection)}, messages
    assert {exception(answer) for answer in answers.values()} == {"NotFound"}
    assert kept == [f"{readable.owned}{uid}{suffix}"]
    assert left.status_code == 204


async def test_recipient_writes_for_the_owner(writable: Shared, uid: str) -> None:
    """What a recipient creates, moves in, changes or deletes is in the owner's collection."""
    suffix = writable.kind.suffix
    created = await writable.put(writable.alice, writable.path, uid)
    changed = await writable.put(writable.alice, writable.path, uid)
    await writable.put(writable.alice, writable.own, f"{uid}-own")
    moved = await writable.move(f"{writable.own}{uid}-own{suffix}", f"{writable.path}{uid}-own{suffix}")
    kept = await writable.objects(writable.bob, writable.owned)
    left = await writable.alice.http.get(f"{writable.own}{uid}-own{suffix}")
    back = await writable.move(f"{writable.path}{uid}-own{suffix}", f"{writable.own}{uid}-own{suffix}")
    deleted = await writable.alice.http.delete(f"{writable.path}{uid}{suffix}")
    own = await writable.alice.http.delete(f"{writable.own}{uid}-own{suffix}")

    assert (created.status_code, changed.status_code, moved.status_code) == (201, 204, 201)
    assert kept == sorted(f"{writable.owned}{name}{suffix}" for name in (uid, f"{uid}-own"))
    assert left.status_code == 404
    assert (back.status_code, deleted.status_code, own.status_code) == (201, 204, 204)
    assert await writable.objects(writable.bob, writable.owned) == []


async def test_conditions_hold_for_recipients(writable: Shared, uid: str) -> None:
    """A stale ETag gets 412 in a shared collection too."""
    await writable.put(writable.bob, writable.owned, uid)
    answer = await writable.alice.http.delete(
        f"{writable.path}{uid}{writable.kind.suffix}", headers={"If-Match": '"old"'}
    )
    assert (answer.status_code, exception(answer)) == (412, "PreconditionFailed")


async def test_only_the_owner_shares_and_nobody_renames(writable: Shared, uid: str) -> None:
    """A recipient who may write cannot share on, nor change the name of the collection or of an object in it."""
    await writable.put(writable.alice, writable.path, uid)
    suffix = writable.kind.suffix
    shared = await writable.alice.http.post(
        writable.path, content=SHARE.format(user="carol", access="", change="set"), headers=XML
    )
    moved = await writable.move(writable.path, f"{home(writable.alice, writable.kind)}{writable.name}/")
    renamed = await writable.move(f"{writable.path}{uid}{suffix}", f"{writable.path}{uid}-renamed{suffix}")
    made = await writable.alice.http.request(
        writable.kind.method, writable.path, content=writable.kind.body, headers=XML
    )
    assert told(shared) == (403, "")
    assert told(moved) == (405, f"Renaming {writable.kind.noun.lower()}s is not yet supported")
    assert told(renamed) == (403, "Permission denied to rename file")
    assert told(made) == (405, "The resource you tried to create already exists")


@pytest.mark.parametrize("access", ["", WRITABLE])
async def test_recipient_changes_the_title_for_themselves(collection: Shared, access: str) -> None:
    """Even who may only read can change the title, and remove it again; the owner keeps theirs."""
    await collection.share(access)
    titles, before = [], await collection.title(collection.alice, collection.path)
    for change, status in (("set", "200 OK"), ("remove", "204 No Content")):
        body = TITLE.format(change=change, title="Chess" * (change == "set"))
        answer = await collection.alice.http.request("PROPPATCH", collection.path, content=body, headers=XML)
        statuses = [each.text for each in fromstring(answer.content).iter(f"{dav.D}status")]
        assert (answer.status_code, statuses) == (207, [f"HTTP/1.1 {status}"])
        titles.append(await collection.title(collection.alice, collection.path))
    assert titles == ["Chess", before]
    assert await collection.title(collection.bob, collection.owned) == "Club"


@pytest.mark.parametrize("access", ["", WRITABLE])
async def test_deleting_a_shared_collection_only_unshares_it(collection: Shared, access: str, uid: str) -> None:
    """Alice no longer sees the collection, and bob keeps it with its objects."""
    await collection.share(access)
    await collection.put(collection.bob, collection.owned, uid)
    deleted = await collection.alice.http.delete(collection.path)
    gone = await collection.alice.http.request("PROPFIND", collection.path, headers={"Depth": "0"})
    kept = await collection.objects(collection.bob, collection.owned)
    assert (deleted.status_code, gone.status_code, len(kept)) == (204, 404, 1)


async def test_owner_ends_a_share(readable: Shared) -> None:
    """`o:remove` takes the collection away from alice, who never reaches it at bob's address."""
    before = await readable.alice.http.request("PROPFIND", readable.path, headers={"Depth": "0"})
    removed = await readable.share(change="remove")
    gone = await readable.alice.http.request("PROPFIND", readable.path, headers={"Depth": "0"})
    other = await readable.alice.http.request("PROPFIND", readable.owned, headers={"Depth": "0"})
    assert (before.status_code, removed.status_code, gone.status_code, other.status_code) == (207, 200, 404, 404)
