"""`apps.contacts.api`: address books and contacts over CardDAV."""

import pytest
from defusedxml.ElementTree import fromstring

from nextcloud_mcp.apps.contacts import api as contacts
from nextcloud_mcp.apps.contacts.validation import validate_contact
from nextcloud_mcp.errors import ConflictError, ForbiddenError, InvalidArgumentError, NotFoundError
from nextcloud_mcp.nextcloud.client import Nextcloud
from tests.support.issuer import answer
from tests.support.nextcloud import FakeNextcloud, multistatus

HOME = "/remote.php/dav/addressbooks/users/alice"
BOOK = f"{HOME}/contacts"
ANN = f"{BOOK}/ann.vcf"
CARD = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:ann\r\nFN:Ann Example\r\nX-Other:kept\r\nEND:VCARD\r\n"


def dav_card(href: str, card: str = CARD, etag: str = "e1") -> str:
    """Return the `d:response` of a card, as Nextcloud 32 writes it."""
    text = card.replace("\r\n", "&#13;\n")
    return (
        f"<d:response><d:href>{href}</d:href><d:propstat><d:prop><d:getetag>&quot;{etag}&quot;</d:getetag>"
        f'<card:address-data xmlns:card="urn:ietf:params:xml:ns:carddav">{text}</card:address-data></d:prop>'
        "<d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
    )


def dav_book(name: str, properties: str = "") -> str:
    """Return the `d:response` of an address book."""
    return (
        f'<d:response xmlns:card="urn:ietf:params:xml:ns:carddav"><d:href>{HOME}/{name}/</d:href><d:propstat><d:prop>'
        f"<d:resourcetype><d:collection/><card:addressbook/></d:resourcetype>{properties}</d:prop>"
        "<d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
    )


HOME_ITSELF = (
    f"<d:response><d:href>{HOME}/</d:href><d:propstat><d:prop><d:resourcetype><d:collection/></d:resourcetype>"
    "</d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
)


@pytest.fixture
def ann(fake: FakeNextcloud) -> None:
    """Let Ann's card be where it is expected."""
    fake.on("PROPFIND", ANN, answer(207, content=multistatus(dav_card(ANN))))


async def test_lists_address_books_with_read_only_flag(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Each address book has its name from the URL; address books that Nextcloud generates are read-only."""
    accounts = (
        "<d:displayname>Accounts</d:displayname><oc:read-only>1</oc:read-only>"
        "<card:addressbook-description>All accounts</card:addressbook-description>"
        '<x1:getctag xmlns:x1="http://calendarserver.org/ns/">10</x1:getctag>'
        "<d:owner><d:href>/remote.php/dav/principals/system/system/</d:href></d:owner>"
    )
    body = multistatus(HOME_ITSELF, dav_book("my%20friends"), dav_book("z-server-generated--system", accounts))
    fake.on("PROPFIND", f"{HOME}/", answer(207, content=body))
    own, system = await contacts.list_address_books(nextcloud)
    assert (own.name, own.display_name, own.read_only) == ("my friends", "my friends", False)
    assert system.model_dump() == {
        "name": "z-server-generated--system",
        "display_name": "Accounts",
        "description": "All accounts",
        "getctag": "10",
        "read_only": True,
        "shared_by": None,
    }


async def test_creates_an_address_book_with_any_display_name(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The display name may have any characters; XML is escaped and declared."""
    fake.on("MKCOL", f"{HOME}/friends/", answer(201))
    await contacts.create_address_book(nextcloud, "friends", "<Friends> & more")
    request = fake.requests[-1]
    assert request.headers["Content-Type"] == "application/xml; charset=utf-8"
    assert fromstring(request.content).findtext(".//{DAV:}displayname") == "<Friends> & more"


async def test_existing_address_book_is_conflict(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Nextcloud answers 405; the error says to choose another name."""
    fake.on("MKCOL", f"{HOME}/friends/", answer(405))
    with pytest.raises(ConflictError, match="'friends' exists already: choose another name"):
        await contacts.create_address_book(nextcloud, "friends", "Friends")


async def test_deletes_an_address_book(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """One request is sent; a missing address book is an error that names it."""
    fake.on("DELETE", f"{HOME}/friends/", answer(204), answer(404))
    fake.on("PROPFIND", f"{HOME}/", answer(207, content=multistatus(HOME_ITSELF)))
    await contacts.delete_address_book(nextcloud, "friends")
    with pytest.raises(NotFoundError, match="did not find address book 'friends'"):
        await contacts.delete_address_book(nextcloud, "friends")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../bob", "a\n", "\0"])
async def test_name_can_not_leave_collection(nextcloud: Nextcloud, fake: FakeNextcloud, name: str) -> None:
    """No name leads to the parent collection: deleting an empty name would delete all address books."""
    with pytest.raises(InvalidArgumentError, match=r"^There is no address book"):
        await contacts.delete_address_book(nextcloud, name)
    assert fake.asked() == []


async def test_lists_contacts_by_name(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """One REPORT requests vCard 4 without photos."""
    bob = CARD.replace("Ann Example", "bob").replace("UID:ann", "UID:u2")
    fake.on("REPORT", f"{BOOK}/", answer(207, content=multistatus(dav_card(f"{BOOK}/x.vcf", bob), dav_card(ANN))))
    found = await contacts.list_contacts(nextcloud, "contacts")
    assert [contact.model_dump(include={"uid", "etag", "contact_data"}) for contact in found] == [
        {"uid": "ann", "etag": "e1", "contact_data": {"fn": "Ann Example"}},
        {"uid": "u2", "etag": "e1", "contact_data": {"fn": "bob"}},
    ]
    (request,) = [request for request in fake.requests if request.method == "REPORT"]
    assert request.headers["Depth"] == "1"
    sent = fromstring(request.content)
    data = sent.find(".//{urn:ietf:params:xml:ns:carddav}address-data")
    assert data is not None
    assert data.get("version") == "4.0"
    assert {"FN", "EMAIL", "MEMBER"} <= {each.get("name") for each in data}
    assert "PHOTO" not in {each.get("name") for each in data}
    assert sent.find(".//{urn:ietf:params:xml:ns:carddav}text-match") is None


async def test_search_is_sent_to_nextcloud(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The query is sent unchanged and matches each searchable property."""
    fake.on("REPORT", f"{BOOK}/", answer(207, content=multistatus()))
    assert await contacts.list_contacts(nextcloud, "contacts", "<ann>") == []
    sent = fromstring(fake.requests[-1].content)
    matches = sent.findall(".//{urn:ietf:params:xml:ns:carddav}text-match")
    assert {(each.text, each.get("match-type")) for each in matches} == {("<ann>", "contains")}
    assert len(matches) == len(contacts.SEARCHED)


async def test_creates_a_contact(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """A new card never replaces an existing one."""
    fake.on("PUT", ANN, answer(201, headers={"ETag": '"e1"'}))
    written = await contacts.create(nextcloud, "contacts", "ann", validate_contact({"fn": "Ann"}))
    assert written.model_dump() == {"uid": "ann", "etag": "e1", "status_code": 201}
    request = fake.requests[-1]
    assert request.headers["If-None-Match"] == "*"
    assert b"UID:ann\r\nFN:Ann\r\n" in request.content


@pytest.mark.parametrize("status", [412, 400])
async def test_used_uid_is_conflict(nextcloud: Nextcloud, fake: FakeNextcloud, status: int) -> None:
    """The name exists (412), or another card has the UID (400)."""
    fake.on("PUT", ANN, answer(status))
    with pytest.raises(ConflictError, match="has a contact 'ann' already"):
        await contacts.create(nextcloud, "contacts", "ann", validate_contact({"fn": "Ann"}))


@pytest.mark.usefixtures("ann")
@pytest.mark.parametrize("etag", [None, "e1", '"e1"'])
async def test_changes_a_contact(nextcloud: Nextcloud, fake: FakeNextcloud, etag: str | None) -> None:
    """The stored card is written back with the change, unless it was changed meanwhile."""
    fake.on("PUT", ANN, answer(204, headers={"ETag": '"e2"'}))
    written = await contacts.update(nextcloud, "contacts", "ann", {"note": "x"}, etag=etag)
    assert (written.etag, written.status_code) == ("e2", 204)
    request = fake.requests[-1]
    assert request.headers["If-Match"] == '"e1"'
    assert request.content.decode() == CARD.replace("END:", "NOTE:x\r\nEND:")


@pytest.mark.usefixtures("ann")
async def test_stale_etag_is_refused(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The error says to read the contact first; nothing is written or deleted."""
    with pytest.raises(ConflictError, match="has changed since you read it"):
        await contacts.update(nextcloud, "contacts", "ann", {"note": "x"}, etag="e0")
    with pytest.raises(ConflictError, match="has changed since you read it"):
        await contacts.delete(nextcloud, "contacts", "ann", etag="e0")
    assert {request.method for request in fake.requests} == {"GET", "PROPFIND"}


@pytest.mark.usefixtures("ann")
async def test_concurrent_change_is_conflict(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """A change between reading and writing is not overwritten."""
    fake.on("PUT", ANN, answer(412))
    with pytest.raises(ConflictError, match="read it again"):
        await contacts.update(nextcloud, "contacts", "ann", {"note": "x"})


async def test_etag_is_read_again_after_repaired_card(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """If Nextcloud repairs the card, PUT returns no ETag; the result has the current one."""
    before, after = (answer(207, content=multistatus(dav_card(ANN, etag=etag))) for etag in ("e1", "e2"))
    fake.on("PROPFIND", ANN, before, after)
    fake.on("PUT", ANN, answer(204))
    assert (await contacts.update(nextcloud, "contacts", "ann", {"note": "x"})).etag == "e2"


async def test_change_without_readable_etag_is_reported_as_done(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """If reading the new ETag fails, the error says that the contact has changed."""
    fake.on("PROPFIND", ANN, answer(207, content=multistatus(dav_card(ANN, etag="e1"))), answer(403))
    fake.on("PUT", ANN, answer(204))
    with pytest.raises(ForbiddenError) as failed:
        await contacts.update(nextcloud, "contacts", "ann", {"note": "x"})
    assert str(failed.value) == (
        "Contact 'ann' is changed, but reading its ETag failed. Nextcloud does not allow this for contact 'ann': read "
        "it, and do not change it again."
    )


@pytest.mark.parametrize("there", [None, CARD.replace("UID:ann", "UID:somebody-else")], ids=["nothing", "another"])
async def test_contact_is_found_by_uid_not_file_name(
    nextcloud: Nextcloud, fake: FakeNextcloud, there: str | None
) -> None:
    """If the expected file is missing or has another UID, the contact is searched for by UID."""
    other = f"{BOOK}/B%C3%BCro%201"
    fake.on("PROPFIND", ANN, answer(404) if there is None else answer(207, content=multistatus(dav_card(ANN, there))))
    longer = dav_card(f"{BOOK}/z.vcf", CARD.replace("UID:ann", "UID:ANN"))
    fake.on("REPORT", f"{BOOK}/", answer(207, content=multistatus(longer, dav_card(other))))
    fake.on("PROPFIND", other, answer(207, content=multistatus(dav_card(other))))
    fake.on("DELETE", other, answer(204))
    assert (await contacts.delete(nextcloud, "contacts", "ann")).fn == "Ann Example"
    assert fake.asked("DELETE") == [f"DELETE {other}"]
    assert fake.requests[-1].headers["If-Match"] == '"e1"'


async def test_uid_with_slashes_is_only_searched_for(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """UIDs of other programs can contain slashes; no path is built from them."""
    url = f"{BOOK}/x.vcf"
    card = dav_card(url, CARD.replace("UID:ann", "UID:https://x.org/../ann"))
    fake.on("REPORT", f"{BOOK}/", answer(207, content=multistatus(card)))
    fake.on("PROPFIND", url, answer(207, content=multistatus(card)))
    fake.on("DELETE", url, answer(204))
    assert (await contacts.delete(nextcloud, "contacts", "https://x.org/../ann")).fn == "Ann Example"


async def test_missing_contact_error_names_address_book(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The error says where the contact was searched for, and how to find the right one."""
    fake.on("PROPFIND", ANN, answer(404))
    fake.on("REPORT", f"{BOOK}/", answer(207, content=multistatus()))
    with pytest.raises(NotFoundError, match="'contacts' has no contact 'ann': list its contacts"):
        await contacts.delete(nextcloud, "contacts", "ann")


async def test_empty_uid_is_refused(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The error is raised before any request."""
    with pytest.raises(InvalidArgumentError, match="uid is empty"):
        await contacts.delete(nextcloud, "contacts", " ")
    assert fake.asked() == []


@pytest.mark.usefixtures("ann")
async def test_read_only_address_book_error_is_passed_on(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Nextcloud's refusal is returned where it does not mean that the address book is read-only."""
    fake.on("DELETE", ANN, answer(403))
    fake.on("PROPFIND", f"{HOME}/", answer(500))
    with pytest.raises(ForbiddenError, match="contact 'ann'"):
        await contacts.delete(nextcloud, "contacts", "ann")
