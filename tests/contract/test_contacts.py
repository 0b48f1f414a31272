"""Contacts: CardDAV (RFC 6352) as Nextcloud implements it, and how it changes stored cards."""

import uuid
from collections.abc import AsyncIterator
from typing import Final
from unicodedata import normalize
from urllib.parse import quote
from xml.etree.ElementTree import Element

import httpx
import pytest
from defusedxml.ElementTree import fromstring

from nextcloud_mcp.apps.contacts.properties import READ_PROPERTIES
from nextcloud_mcp.apps.contacts.vcard import read
from stack.standin.app import HEADER
from tests.contract.people import Person
from tests.support.vcards import CARDS

DAV, CARD = "{DAV:}", "{urn:ietf:params:xml:ns:carddav}"
FRAME = 'xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:carddav" xmlns:oc="http://owncloud.org/ns"'
MKCOL = (
    f"<d:mkcol {FRAME}><d:set><d:prop><d:resourcetype><d:collection/><c:addressbook/></d:resourcetype>"
    "<d:displayname>Contract &amp; test</d:displayname></d:prop></d:set></d:mkcol>"
)
BOOKS = f"<d:propfind {FRAME}><d:prop><d:resourcetype/><d:displayname/></d:prop></d:propfind>"
STORED = f"<d:propfind {FRAME}><d:prop><d:getetag/><c:address-data/></d:prop></d:propfind>"
OTHERS = (
    "BEGIN:VCARD\r\nVERSION:{version}\r\nUID:{uid}\r\nFN:Carol Example\r\nN:Example;Carol;;;\r\n"
    'item1.EMAIL;TYPE="home,internet";X-spelt=LikeThis:carol@example.org\r\nitem1.X-ABLabel:_$!<Büro>!$_\r\n'
    "X-Other-Program;x-flag=1:kept\\, as it is\r\nNOTE:folded where the other program folds, which is not at\r\n"
    "  seventy-five bytes\r\n{more}END:VCARD\r\n"
)
PHOTO = {"3.0": "PHOTO;ENCODING=b;TYPE=PNG:iVBORw0KGgo=\r\n", "4.0": "PHOTO:data:image/png;base64,iVBORw0KGgo=\r\n"}
SIMPLE = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{uid}\r\nFN:{fn}\r\nN:{fn};;;;\r\nEMAIL:{uid}@example.org\r\nEND:VCARD\r\n"


MADE_BY_NEXTCLOUD = ("z-server-generated--system", "z-app-generated--contactsinteraction--recent")


class Book:
    """Alice's first address book, in which a test leaves nothing behind."""

    def __init__(self, person: Person) -> None:
        self.http = person.http
        self.home = f"/remote.php/dav/addressbooks/users/{quote(person.user)}"
        self.url = f"{self.home}/contacts"
        self.uid = f"contract-{uuid.uuid4().hex[:8]}"
        self.put_there: list[str] = []

    async def put(self, name: str, card: str, **conditions: str) -> httpx.Response:
        """Send a card."""
        self.put_there.append(name)
        headers = {"Content-Type": "text/vcard; charset=utf-8", **conditions}
        return await self.http.put(f"{self.url}/{name}", content=card.encode(), headers=headers)

    async def query(self, *filters: tuple[str, str, str], wanted: str = "") -> list[tuple[str, str]]:
        """Ask for cards by `addressbook-query`; their addresses and texts."""
        conditions = "".join(
            f'<c:prop-filter name="{name}"><c:text-match match-type="{how}">{text}</c:text-match></c:prop-filter>'
            for name, how, text in filters
        )
        properties = "".join(f'<c:prop name="{name}"/>' for name in wanted.split())
        body = (
            f'<c:addressbook-query {FRAME}><d:prop><d:getetag/><c:address-data content-type="text/vcard" '
            f'version="4.0">{properties}</c:address-data></d:prop><c:filter test="anyof">{conditions}</c:filter>'
            "</c:addressbook-query>"
        )
        answer = await self.http.request("REPORT", f"{self.url}/", content=body, headers={"Depth": "1"})
        assert answer.status_code == 207, answer.text
        found = fromstring(answer.content).iter(f"{DAV}response")
        return [(each.findtext(f"{DAV}href", ""), each.findtext(f".//{CARD}address-data", "")) for each in found]


@pytest.fixture
async def book(alice: Person) -> AsyncIterator[Book]:
    """Alice's address book `contacts`."""
    book = Book(alice)
    yield book
    for name in book.put_there:
        await alice.http.delete(f"{book.url}/{name}")


async def stored(book: Book, name: str) -> Element:
    """Return what a PROPFIND says of a card."""
    answer = await book.http.request("PROPFIND", f"{book.url}/{name}", content=STORED, headers={"Depth": "0"})
    assert answer.status_code == 207, answer.text
    response: Element = fromstring(answer.content)
    return response


async def test_address_book_lifecycle(alice: Person) -> None:
    """Extended MKCOL in XML creates an address book (201, or 405 if it exists); DELETE gets 204, then 404."""
    xml = {"Content-Type": "application/xml; charset=utf-8"}
    home = f"/remote.php/dav/addressbooks/users/{quote(alice.user)}"
    url = f"{home}/contract-{uuid.uuid4().hex[:8]}/"
    made = [await alice.http.request("MKCOL", url, content=MKCOL, headers=xml) for _ in range(2)]
    assert [answer.status_code for answer in made] == [201, 405]
    listing = await alice.http.request("PROPFIND", f"{home}/", content=BOOKS, headers={"Depth": "1"})
    books = {
        each.findtext(f"{DAV}href"): each.findtext(f".//{DAV}displayname")
        for each in fromstring(listing.content).iter(f"{DAV}response")
        if each.find(f".//{CARD}addressbook") is not None
    }
    assert books[url] == "Contract & test"
    assert f"{home}/contacts/" in books
    assert [(await alice.http.delete(url)).status_code for _ in range(2)] == [204, 404]


async def test_new_card_gets_an_etag(book: Book) -> None:
    """PUT with `If-None-Match: *` gets 201 with an ETag, and 412 if the card exists."""
    name, card = f"{book.uid}.vcf", SIMPLE.format(uid=book.uid, fn="Carol")
    answer = await book.put(name, card, **{"If-None-Match": "*"})
    assert (answer.status_code, answer.headers["etag"][0]) == (201, '"')
    assert (await book.put(name, card, **{"If-None-Match": "*"})).status_code == 412


async def test_uid_is_unique_in_an_address_book(book: Book) -> None:
    """A card with an existing UID under another name gets 400."""
    await book.put(f"{book.uid}.vcf", SIMPLE.format(uid=book.uid, fn="Carol"))
    other = await book.put(f"{book.uid}-b.vcf", SIMPLE.format(uid=book.uid, fn="Other"), **{"If-None-Match": "*"})
    assert other.status_code == 400


@pytest.mark.parametrize("version", ["3.0", "4.0"])
async def test_propfind_returns_the_card_unchanged(book: Book, version: str) -> None:
    """PROPFIND returns the PUT's ETag and the same bytes, with line ends and folds, whatever program wrote them."""
    card = OTHERS.format(version=version, uid=book.uid, more=PHOTO[version])
    answer = await book.put(f"{book.uid}.vcf", card)
    response = await stored(book, f"{book.uid}.vcf")
    assert response.findtext(f".//{CARD}address-data") == card
    assert response.findtext(f".//{DAV}getetag") == answer.headers["etag"]


async def test_if_match_requires_the_current_etag(book: Book) -> None:
    """The current ETag gets 204 and a new one; a stale one gets 412, for DELETE as well."""
    name = f"{book.uid}.vcf"
    before = (await book.put(name, SIMPLE.format(uid=book.uid, fn="Carol"))).headers["etag"]
    changed = SIMPLE.format(uid=book.uid, fn="Caroline")
    answer = await book.put(name, changed, **{"If-Match": before})
    assert answer.status_code == 204
    assert answer.headers["etag"] != before
    assert (await book.put(name, changed, **{"If-Match": before})).status_code == 412
    stale = await book.http.delete(f"{book.url}/{name}", headers={"If-Match": before})
    assert stale.status_code == 412
    present = {"If-Match": answer.headers["etag"]}
    assert (await book.http.delete(f"{book.url}/{name}", headers=present)).status_code == 204
    assert (await book.http.delete(f"{book.url}/{name}")).status_code == 404


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        pytest.param([("FN", "contains", "aROL")], True, id="a part of the name, in any case"),
        pytest.param([("FN", "contains", "nobody"), ("EMAIL", "contains", "@example")], True, id="any of two"),
        pytest.param([("FN", "contains", "nobody"), ("EMAIL", "contains", "nowhere")], False, id="none of two"),
        pytest.param([], True, id="all"),
    ],
)
async def test_addressbook_query_ignores_case(book: Book, filters: list[tuple[str, str, str]], *, found: bool) -> None:
    """`addressbook-query` finds text in properties without regard to case."""
    await book.put(f"{book.uid}.vcf", SIMPLE.format(uid=book.uid, fn="Carol"))
    hits = [href for href, _ in await book.query(*filters)]
    assert (f"{book.url}/{book.uid}.vcf" in hits) is found


async def test_addressbook_query_finds_a_uid(book: Book) -> None:
    """A query finds a card by its UID even if the file has another name, and finds only that card."""
    await book.put(f"{book.uid}-elsewhere.vcf", SIMPLE.format(uid=book.uid, fn="Carol"))
    await book.put(f"{book.uid}-b.vcf", SIMPLE.format(uid=f"{book.uid}-b", fn="Other"))
    assert [href for href, _ in await book.query(("UID", "equals", book.uid))] == [
        f"{book.url}/{book.uid}-elsewhere.vcf"
    ]


@pytest.mark.parametrize("version", ["3.0", "4.0"])
async def test_addressbook_query_returns_requested_properties(book: Book, version: str) -> None:
    """A query for some properties does not return photos or other programs' properties."""
    await book.put(f"{book.uid}.vcf", OTHERS.format(version=version, uid=book.uid, more=PHOTO[version]))
    ((_, card),) = await book.query(("UID", "equals", book.uid), wanted="EMAIL")
    names = {line.partition(":")[0].partition(";")[0].upper() for line in card.replace("\r\n ", "").splitlines()}
    assert names - {"PRODID"} == {"BEGIN", "VERSION", "UID", "FN", "ITEM1.EMAIL", "END"}


async def test_addressbook_query_converts_to_vcard_4(book: Book, alice: Person) -> None:
    """A vCard 3 is converted if the query requests version 4; Apple's groups become those of RFC 6350."""
    if HEADER in (await alice.http.get("/status.php")).headers:
        pytest.skip("the stand-in does not convert between versions of vCard")
    more = "X-ADDRESSBOOKSERVER-KIND:group\r\nX-ADDRESSBOOKSERVER-MEMBER:urn:uuid:m\r\n"
    await book.put(f"{book.uid}.vcf", OTHERS.format(version="3.0", uid=book.uid, more=more))
    ((_, card),) = await book.query(
        ("UID", "equals", book.uid), wanted="X-ADDRESSBOOKSERVER-KIND X-ADDRESSBOOKSERVER-MEMBER"
    )
    assert {"VERSION:4.0", "KIND:GROUP", "MEMBER:urn:uuid:m"} <= set(card.splitlines())


@pytest.mark.parametrize("program", sorted(CARDS))
async def test_listed_card_agrees_with_stored_card(book: Book, program: str) -> None:
    """Nextcloud converts the cards of a list; a read value is the same as in the stored card."""
    card = CARDS[program].replace("UID:theirs", f"UID:{book.uid}").replace("urn:uuid:theirs", f"urn:uuid:{book.uid}")
    assert (await book.put(f"{book.uid}.vcf", card.replace("\n", "\r\n"))).status_code == 201
    ((_, listed),) = await book.query(("UID", "contains", book.uid), wanted=" ".join(READ_PROPERTIES))
    there = (await stored(book, f"{book.uid}.vcf")).findtext(f".//{CARD}address-data", "")
    assert there.splitlines() == card.splitlines()
    assert read(listed).model_dump() == read(there).model_dump()


@pytest.mark.parametrize("method", ["PUT", "REPORT", "PROPFIND", "DELETE"])
async def test_missing_address_book_is_404(book: Book, method: str) -> None:
    """Every request to a missing address book gets 404."""
    url = f"{book.home}/no-such-book/"
    card = SIMPLE.format(uid=book.uid, fn="Carol")
    body = {"PUT": card, "REPORT": f"<c:addressbook-query {FRAME}><d:prop><d:getetag/></d:prop></c:addressbook-query>"}
    answer = await book.http.request(
        method,
        url + ("c.vcf" if method == "PUT" else ""),
        content=body.get(method),
        headers={"Depth": "1"},
    )
    assert answer.status_code == 404


async def test_invalid_card_is_415(book: Book) -> None:
    """Content that is no vCard gets 415, and nothing is stored."""
    assert (await book.put(f"{book.uid}.vcf", "hello")).status_code == 415
    assert (await book.http.get(f"{book.url}/{book.uid}.vcf")).status_code == 404


async def test_address_books_of_other_users_are_404(book: Book, bob: Person) -> None:
    """Another user's address books do not exist for a user."""
    answer = await bob.http.request("PROPFIND", f"{book.url}/", headers={"Depth": "1"})
    assert answer.status_code in {403, 404}


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("X-A" + ";A" * 60, id="no colon"),
        pytest.param("X-A" + ";A" * 60 + ":x", id="many parameters"),
        pytest.param('X-A;A="a,":' + "a" * 60, id="a comma between quotation marks"),
    ],
)
async def test_meaningless_line_is_stored(book: Book, line: str) -> None:
    """Every user can store such a line, and users of a shared address book read it, so clients must tolerate it."""
    name = f"{book.uid}.vcf"
    card = SIMPLE.format(uid=book.uid, fn="Carol").replace("END:", f"{line}\r\nEND:")
    assert (await book.put(name, card)).status_code == 201
    text = (await stored(book, name)).findtext(f".//{CARD}address-data", "")
    assert line in text.replace("\r\n ", "").replace("\n ", "").splitlines()


async def test_query_does_not_normalize_unicode(book: Book) -> None:
    """NFC and NFD spellings of a letter do not match each other, so clients send a filter for each."""
    spelled = [normalize(form, "Jürgen Übel") for form in ("NFC", "NFD")]
    for number, name in enumerate(spelled):
        uid = f"{book.uid}-{number}"
        await book.put(f"{uid}.vcf", SIMPLE.format(uid=uid, fn=name))
    hits = [
        {href.rpartition("/")[2] for href, _ in await book.query(*(("FN", "contains", text) for text in texts))}
        for texts in ([spelled[0]], [spelled[1]], spelled)
    ]
    names = [f"{book.uid}-{number}.vcf" for number in range(2)]
    assert [each & set(names) for each in hits] == [{names[0]}, {names[1]}, set(names)]


@pytest.mark.parametrize("name", MADE_BY_NEXTCLOUD)
async def test_generated_address_book_is_read_only(alice: Person, book: Book, name: str) -> None:
    """It is listed with the other address books, takes no card, and refuses DELETE with 403 or 500."""
    path = f"{book.home}/{name}/"
    listing = await alice.http.request("PROPFIND", f"{book.home}/", content=BOOKS, headers={"Depth": "1"})
    assert path in [each.findtext(f"{DAV}href") for each in fromstring(listing.content).iter(f"{DAV}response")]
    vcard = SIMPLE.format(uid=book.uid, fn="Carol")
    written = await alice.http.put(f"{path}{book.uid}.vcf", content=vcard, headers={"Content-Type": "text/vcard"})
    assert written.status_code in {403, 404}
    assert (await alice.http.delete(path)).status_code in {403, 500}
    assert (await alice.http.request("PROPFIND", path, headers={"Depth": "0"}, content=BOOKS)).status_code == 207


NO_NEW_BOOK: Final = {
    "z-app-generated--x": (405, "has a reserved name"),
    "z-app-generatedx": (405, "has a reserved name"),
    "z-app-generated--contactsinteraction--recent": (405, "already exists"),
    "z-server-generated--system": (405, "already exists"),
    "n" * 256: (400, "URI too long. Address book not created"),
    "ü" * 128: (400, "URI too long. Address book not created"),
}


@pytest.mark.parametrize(("name", "refusal"), NO_NEW_BOOK.items())
async def test_reserved_address_book_name_is_refused(alice: Person, name: str, refusal: tuple[int, str]) -> None:
    """A reserved name gets the status of an existing one with another message; more than 255 bytes get 400."""
    url = f"/remote.php/dav/addressbooks/users/{quote(alice.user)}/{quote(name)}/"
    answer = await alice.http.request("MKCOL", url, content=MKCOL, headers={"Content-Type": "application/xml"})
    assert (answer.status_code, refusal[1] in answer.text) == (refusal[0], True)
