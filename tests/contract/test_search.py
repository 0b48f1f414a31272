"""File search: the parts of WebDAV SEARCH (RFC 5323) that Nextcloud supports.

https://docs.nextcloud.com/server/latest/developer_manual/client_apis/WebDAV/search.html
"""

from collections.abc import Mapping
from typing import Final
from unicodedata import normalize
from urllib.parse import unquote
from xml.sax.saxutils import escape

import httpx
import pytest
from defusedxml.ElementTree import fromstring

from tests.contract.people import Person

ALL: Final = "<d:like><d:prop><d:displayname/></d:prop><d:literal>%</d:literal></d:like>"
NEWEST_FIRST: Final = (
    "<d:orderby><d:order><d:prop><d:getlastmodified/></d:prop><d:descending/></d:order>"
    "<d:order><d:prop><d:displayname/></d:prop><d:ascending/></d:order></d:orderby>"
)
DAY: Final = 24 * 3600
FIRST: Final = 1_700_000_000
"""14 November 2023, 22:13:20 UTC: the date of the first file; each of the others is a day younger."""
NAMES: Final = ("alpha.md", "Alphabet.txt", "gamma_1.txt", "gammaX1.txt", "beta.pdf", "größe & mehr.txt")


@pytest.fixture
async def filled(alice: Person, folder: str) -> str:
    """A folder with files of known dates, and one more in a folder in it."""
    await alice.http.request("MKCOL", alice.path(folder, "sub dir"))
    for number, name in enumerate(NAMES):
        headers = {"X-OC-MTime": str(FIRST + number * DAY)}
        await alice.http.put(alice.path(folder, name), content=b"x", headers=headers)
    headers = {"X-OC-MTime": str(FIRST - DAY)}
    await alice.http.put(alice.path(folder, "sub dir", "deep.txt"), content=b"x", headers=headers)
    return folder


async def search(
    person: Person, folder: str, where: str, extra: str = "", *, user: str | None = None
) -> httpx.Response:
    """Search below a folder; `where` and `extra` are XML."""
    body = (
        '<?xml version="1.0"?><d:searchrequest xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns"><d:basicsearch>'
        "<d:select><d:prop><d:getcontentlength/><oc:fileid/></d:prop></d:select>"
        f"<d:from><d:scope><d:href>/files/{user or person.user}/{escape(folder)}</d:href><d:depth>infinity</d:depth>"
        f"</d:scope></d:from><d:where>{where}</d:where>{extra}</d:basicsearch></d:searchrequest>"
    )
    headers = {"Content-Type": "text/xml"}
    return await person.http.request("SEARCH", "/remote.php/dav/", content=body.encode(), headers=headers)


async def found(person: Person, folder: str, where: str, extra: str = "") -> list[str]:
    """Return the names of what a search finds."""
    answer = await search(person, folder, where, extra)
    assert answer.status_code == 207, answer.text
    hrefs = [element.text or "" for element in fromstring(answer.content).iter("{DAV:}href")]
    assert all(href.startswith(person.path(*folder.split("/"))) for href in hrefs)
    return [unquote(href).rstrip("/").rpartition("/")[2] for href in hrefs]


def like(name: str, pattern: str) -> str:
    """Return the condition that a property is like a pattern."""
    return f"<d:like><d:prop><d:{name}/></d:prop><d:literal>{escape(pattern)}</d:literal></d:like>"


def modified(comparison: str, literal: str) -> str:
    """Return a condition on the date."""
    return f"<d:{comparison}><d:prop><d:getlastmodified/></d:prop><d:literal>{literal}</d:literal></d:{comparison}>"


def limit(rows: int, start: int) -> str:
    """Return the limit to a page."""
    first = f'<s:firstresult xmlns:s="https://github.com/icewind1991/SearchDAV/ns">{start}</s:firstresult>'
    return f"<d:limit><d:nresults>{rows}</d:nresults>{first}</d:limit>"


FINDS: Final[Mapping[str, tuple[str, set[str]]]] = {
    "a name": (like("displayname", "beta.pdf"), {"beta.pdf"}),
    "a name in another case": (like("displayname", "ALPHA%"), {"alpha.md", "Alphabet.txt"}),
    "a part of a name is not enough": (like("displayname", "beta"), set()),
    "an underscore is any character": (like("displayname", "gamma_1.txt"), {"gamma_1.txt", "gammaX1.txt"}),
    "unless it is escaped": (like("displayname", r"gamma\_1.txt"), {"gamma_1.txt"}),
    "letters and an ampersand": (like("displayname", "größe & %"), {"größe & mehr.txt"}),
    "a folder": (like("displayname", "sub%"), {"sub dir"}),
    "in a folder in it": (like("displayname", "deep%"), {"deep.txt"}),
    "a media type": (like("getcontenttype", "application/pdf"), {"beta.pdf"}),
    "a kind of type": (like("getcontenttype", "application/%"), {"beta.pdf"}),
    "no such type": (like("getcontenttype", "application/x-none"), set()),
    "after a moment": (
        modified("gt", "2023-11-17T22:13:20Z") + like("getcontenttype", "text/%"),
        {"größe & mehr.txt"},
    ),
    "before a moment": (modified("lt", "2023-11-14T22:13:20Z"), {"deep.txt"}),
    "all conditions at once": (like("displayname", "%alpha%") + like("getcontenttype", "text/plain"), {"Alphabet.txt"}),
}


@pytest.mark.parametrize(("where", "names"), FINDS.values(), ids=FINDS.keys())
async def test_search_conditions(alice: Person, filled: str, where: str, names: set[str]) -> None:
    """A `d:and` combines conditions; `%` matches any characters, and case is ignored."""
    assert set(await found(alice, filled, f"<d:and>{where}</d:and>")) == names


async def test_results_have_the_selected_properties(alice: Person, filled: str) -> None:
    """Results have the selected properties: existing ones with 200, missing ones with 404."""
    answer = await search(alice, filled, like("displayname", "sub dir"))
    (response,) = fromstring(answer.content).iterfind("{DAV:}response")
    propstats = {each.findtext("{DAV:}status"): each for each in response.iterfind("{DAV:}propstat")}
    assert response.findtext("{DAV:}href", "").endswith("/sub%20dir/")
    assert propstats["HTTP/1.1 200 OK"].findtext("{DAV:}prop/{http://owncloud.org/ns}fileid", "").isdecimal()
    assert propstats["HTTP/1.1 404 Not Found"].find("{DAV:}prop/{DAV:}getcontentlength") is not None


async def test_search_scope_is_not_percent_encoded(alice: Person, filled: str) -> None:
    """Unlike other WebDAV paths, the scope is not percent-encoded: encoded, it would name another folder."""
    assert await found(alice, f"{filled}/sub dir", ALL) == ["deep.txt"]
    assert (await search(alice, f"{filled}/sub%20dir", ALL)).status_code == 404


async def test_pages_are_ordered_and_count_the_scope(alice: Person, filled: str) -> None:
    """Limit and offset work, but the searched folder counts as a row, which is then omitted."""
    files = "<d:and>" + modified("lt", "2024-01-01T00:00:00Z") + "</d:and>"
    newest_first = [*reversed(NAMES), "deep.txt"]
    pages = [await found(alice, filled, files, NEWEST_FIRST + limit(4, start)) for start in (0, 4, 8)]
    assert pages == [newest_first[:4], newest_first[4:], []]
    assert await found(alice, filled, like("displayname", filled), NEWEST_FIRST + limit(1, 0)) == []


@pytest.mark.parametrize("where", [ALL, modified("gt", "2000-01-01T00:00:00Z")], ids=["all", "after a moment"])
async def test_page_with_the_scope_is_one_row_shorter(alice: Person, filled: str, where: str) -> None:
    """If the searched folder matches, one page has a row less; no page repeats or misses a result."""
    everything = {*NAMES, "sub dir", "deep.txt"}
    pages = [await found(alice, filled, where, NEWEST_FIRST + limit(3, start)) for start in range(0, 12, 3)]
    assert sorted(name for page in pages for name in page) == sorted(everything)
    assert sorted(len(page) for page in pages) == [0, 2, 3, 3]


async def test_search_finds_favorites(alice: Person, filled: str) -> None:
    """The search finds favorite files and folders."""
    for name in ("beta.pdf", "sub dir"):
        body = (
            '<d:propertyupdate xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns"><d:set><d:prop>'
            "<oc:favorite>1</oc:favorite></d:prop></d:set></d:propertyupdate>"
        )
        assert (await alice.http.request("PROPPATCH", alice.path(filled, name), content=body)).status_code == 207
    favourite = "<d:eq><d:prop><oc:favorite/></d:prop><d:literal>1</d:literal></d:eq>"
    assert set(await found(alice, filled, favourite)) == {"beta.pdf", "sub dir"}


REFUSED: Final[Mapping[str, tuple[str, str, int]]] = {
    "no condition": ("", "", 500),
    "a part of a media type": ("", like("getcontenttype", "%pdf%"), 500),
    "no such folder": ("/none", ALL, 404),
    "a file": ("/beta.pdf", ALL, 500),
}


@pytest.mark.parametrize(("below", "where", "status"), REFUSED.values(), ids=REFUSED.keys())
async def test_invalid_search_is_404_or_500(alice: Person, filled: str, below: str, where: str, status: int) -> None:
    """A missing folder gets 404; every other error gets 500."""
    assert (await search(alice, filled + below, where)).status_code == status


async def test_file_as_scope_is_named_in_the_500(alice: Person, filled: str) -> None:
    """The 500 says that only directories can be searched."""
    assert "only supported on directories" in (await search(alice, f"{filled}/beta.pdf", ALL)).text


async def test_files_of_other_users_are_not_searched(alice: Person, bob: Person, filled: str) -> None:
    """A search below another user's root finds nothing."""
    assert (await search(bob, filled, ALL, user=alice.user)).status_code in {404, 500}


async def test_search_does_not_normalize_unicode(alice: Person, filled: str) -> None:
    """NFC and NFD spellings of a letter do not match each other, so clients combine both with `d:or`."""
    composed, decomposed = (like("displayname", f"%{normalize(form, 'größe')}%") for form in ("NFC", "NFD"))
    assert await found(alice, filled, composed) == ["größe & mehr.txt"]
    assert await found(alice, filled, decomposed) == []
    either = f"<d:and><d:or>{decomposed}{composed}</d:or>{like('getcontenttype', 'text/plain')}</d:and>"
    assert await found(alice, filled, either) == ["größe & mehr.txt"]


async def test_file_is_found_by_its_id(alice: Person, filled: str) -> None:
    """The search finds a file anywhere below the folder by its id, which Nextcloud's web URLs contain."""
    properties = (
        '<d:propfind xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns"><d:prop><oc:fileid/></d:prop></d:propfind>'
    )
    path = alice.path(filled, "sub dir", "deep.txt")
    answer = await alice.http.request("PROPFIND", path, content=properties, headers={"Depth": "0"})
    file_id = next(fromstring(answer.content).iter("{http://owncloud.org/ns}fileid")).text
    where = "<d:and><d:eq><d:prop><oc:fileid/></d:prop><d:literal>{}</d:literal></d:eq></d:and>"
    assert await found(alice, "", where.format(file_id)) == ["deep.txt"]
    assert await found(alice, "", where.format(10**12)) == []
