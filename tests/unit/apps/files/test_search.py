"""`apps.files.search`: WebDAV SEARCH (RFC 5323), as Nextcloud 32 answers."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

import httpx
import pytest
from defusedxml.ElementTree import fromstring

from nextcloud_mcp.apps.files import search
from nextcloud_mcp.apps.files.search import FileFilter
from nextcloud_mcp.errors import InvalidArgumentError, NextcloudError, NextcloudUnavailableError, NotFoundError
from nextcloud_mcp.nextcloud.client import Nextcloud
from tests.support.issuer import Answer, answer
from tests.support.nextcloud import FILES, USER_PATH, FakeNextcloud, dav_file, dav_folder, multistatus, ocs, ocs_user

DAV: Final = "/remote.php/dav/"
D: Final = "{DAV:}"
SEARCH: Final = f"{D}basicsearch"


def hits(*responses: str) -> Answer:
    """Answer a SEARCH with these responses."""
    return answer(207, content=multistatus(*responses))


def asked(fake: FakeNextcloud, path: str) -> list[str]:
    """Return the texts at a path of the last search."""
    return [element.text or "" for element in fromstring(fake.requests[-1].content).iterfind(path)]


async def test_finds_files_and_folders(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Entries look as in a listing, with paths from the user's root; the XML goes to the one search URL."""
    fake.on("SEARCH", DAV, hits(dav_folder(f"{FILES}/a%20b/"), dav_file(f"{FILES}/a%20b/c.txt")))
    found, next_start = await search.search(nextcloud, "", FileFilter(), start=0, limit=9)
    assert [(file.path, file.is_directory, file.etag) for file in found] == [
        ("/a b", True, "6b0453b3d9ff8"),
        ("/a b/c.txt", False, "68a55c7c"),
    ]
    assert next_start is None
    assert fake.requests[-1].headers["Content-Type"] == "text/xml"


async def test_empty_result_is_no_error(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """An empty multistatus is an empty list."""
    fake.on("SEARCH", DAV, hits())
    assert await search.search(nextcloud, "", FileFilter(), start=0, limit=9) == ([], None)


def pages_of(rows: list[str], folder: str) -> Answer:
    """Answer as Nextcloud does: the rows that are asked for, without the folder, which counts as one."""

    def page(request: httpx.Request) -> httpx.Response:
        count, start = (
            int(element.text or "") for element in fromstring(request.content).iterfind(f"{SEARCH}/{D}limit/*")
        )
        asked_for = rows[start : start + count]
        return hits(*(dav_file(f"{FILES}/{name}") for name in asked_for if name != folder))(request)

    return page


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
@pytest.mark.parametrize("count", [0, 1, 2, 5, 6])
async def test_pages_have_each_entry_once(nextcloud: Nextcloud, fake: FakeNextcloud, count: int, limit: int) -> None:
    """Each entry comes once and all pages but the last are full, whether or not the folder itself is counted."""
    names = [str(number) for number in range(count)]
    orders = [names, *([*names[:place], "folder", *names[place:]] for place in range(count + 1))]
    for rows in orders:
        fake.on("SEARCH", DAV, pages_of(rows, "folder"))
        pages: list[list[str]] = []
        start: int | None = 0
        while start is not None:
            found, start = await search.search(nextcloud, "folder", FileFilter(), start=start, limit=limit)
            pages.append([file.name for file in found])
        assert pages == ([names[place : place + limit] for place in range(0, count, limit)] or [[]]), rows


@pytest.mark.parametrize(
    ("folder", "scope"),
    [
        ("", "/files/alice@example.org & x/"),
        ("/a b/<c>&amp;%20/", "/files/alice@example.org & x/a b/<c>&amp;%20"),
    ],
    ids=["root", "delimiters"],
)
async def test_scope_is_unencoded_path_below_user_root(
    nextcloud: Nextcloud, fake: FakeNextcloud, folder: str, scope: str
) -> None:
    """The scope is XML text below the user's own root and is not percent-encoded."""
    fake.on("GET", USER_PATH, ocs_user("alice@example.org & x"))
    fake.on("SEARCH", DAV, hits())
    await search.search(nextcloud, folder, FileFilter(), start=0, limit=9)
    assert asked(fake, f"{SEARCH}/{D}from/{D}scope/{D}href") == [scope]


async def test_path_traversal_is_refused(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """No search starts above the user's own root."""
    with pytest.raises(InvalidArgumentError, match=r"without '\.' and '\.\.'"):
        await search.search(nextcloud, "../bob", FileFilter(), start=0, limit=9)
    assert fake.asked() == []


NOON: Final = datetime(2026, 1, 2, 12, tzinfo=UTC)
CONDITIONS: Final[Mapping[str, tuple[FileFilter, list[tuple[str, str, str]]]]] = {
    "none, which all files meet": (FileFilter(), [("like", "displayname", "%")]),
    "a name": (FileFilter(name_pattern="a&b<c"), [("like", "displayname", "%a&b<c%")]),
    "a pattern as in a shell": (FileFilter(name_pattern="*.md"), [("like", "displayname", "%.md")]),
    "an underscore": (FileFilter(name_pattern=r"a_b\c%"), [("like", "displayname", r"a\_b\\c%")]),
    "no name at all": (FileFilter(name_pattern=""), [("like", "displayname", "%%")]),
    "a type": (FileFilter(mime_type="image/svg+xml"), [("like", "getcontenttype", "image/svg+xml")]),
    "all of a kind": (FileFilter(mime_type="Image/*"), [("like", "getcontenttype", "image/%")]),
    "after": (FileFilter(modified_after=NOON), [("gt", "getlastmodified", "2026-01-02T12:00:00Z")]),
    "before, in a zone": (
        FileFilter(modified_before=NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))),
        [("lt", "getlastmodified", "2026-01-02T12:00:00Z")],
    ),
    "a date without a zone": (
        FileFilter(modified_after=NOON.replace(tzinfo=None)),
        [("gt", "getlastmodified", "2026-01-02T12:00:00Z")],
    ),
    "favourites of a name": (
        FileFilter(name_pattern="a", only_favorites=True),
        [("like", "displayname", "%a%"), ("eq", "favorite", "1")],
    ),
}


@pytest.mark.parametrize(("wanted", "conditions"), CONDITIONS.values(), ids=CONDITIONS.keys())
async def test_criteria_become_search_conditions(
    nextcloud: Nextcloud, fake: FakeNextcloud, wanted: FileFilter, conditions: list[tuple[str, str, str]]
) -> None:
    """Each criterion is one comparison in one `d:and`; input is always escaped as text."""
    fake.on("SEARCH", DAV, hits())
    await search.search(nextcloud, "", wanted, start=0, limit=9)
    (both,) = fromstring(fake.requests[-1].content).iterfind(f"{SEARCH}/{D}where/{D}and")
    assert [_comparison(element) for element in both] == conditions


def _comparison(element: Any) -> tuple[str, str, str]:
    prop, literal = element
    return element.tag.removeprefix(D), prop[0].tag.partition("}")[2], literal.text or ""


@pytest.mark.parametrize("mime_type", ["pdf", "%", "%pdf%", "image/p%", "/png", "image/", "a/b/c"])
async def test_invalid_media_type_is_refused(nextcloud: Nextcloud, fake: FakeNextcloud, mime_type: str) -> None:
    """Nextcloud would answer 500; the error shows the expected format."""
    with pytest.raises(InvalidArgumentError, match="write mime_type like image/png"):
        await search.search(nextcloud, "", FileFilter(mime_type=mime_type), start=0, limit=9)
    assert fake.asked("SEARCH") == []


SCOPE_IS_A_FILE: Final = b"<s:message>Search is only supported on directories</s:message>"
FAILURES: Final[Mapping[str, tuple[Answer, type[NextcloudError | InvalidArgumentError], str]]] = {
    "no such folder": (answer(404), NotFoundError, "did not find /d"),
    "a file": (answer(500, content=SCOPE_IS_A_FILE), InvalidArgumentError, "/d is a file, not a folder"),
    "a defect there": (answer(500, content=b"TypeError"), NextcloudUnavailableError, "HTTP 500"),
    "a page": (answer(207, content=b"<html/>"), NextcloudUnavailableError, "not WebDAV"),
}


@pytest.mark.parametrize(("answered", "error", "sentence"), FAILURES.values(), ids=FAILURES.keys())
async def test_failed_search_names_folder_or_nextcloud(
    nextcloud: Nextcloud, fake: FakeNextcloud, answered: Answer, error: type[Exception], sentence: str
) -> None:
    """A problem with the folder names the folder; any other failure is Nextcloud's."""
    fake.on("SEARCH", DAV, answered)
    with pytest.raises(error, match=sentence):
        await search.search(nextcloud, "d", FileFilter(), start=0, limit=9)


async def test_time_without_offset_uses_user_zone(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The zone is the one set in Nextcloud, as everywhere else."""
    fake.on("GET", USER_PATH, ocs({"id": "alice", "timezone": "Europe/Berlin"}))
    fake.on("SEARCH", DAV, hits())
    await search.search(nextcloud, "", FileFilter(modified_after=NOON.replace(tzinfo=None)), start=0, limit=9)
    assert b"2026-01-02T11:00:00Z" in fake.requests[-1].content


async def test_time_out_of_range_in_utc_is_refused(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The time has no valid date in UTC."""
    early = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))
    with pytest.raises(InvalidArgumentError, match="is out of range: pass a year from 1 to 9999"):
        await search.search(nextcloud, "", FileFilter(modified_after=early), start=0, limit=9)
    assert fake.asked() == []
