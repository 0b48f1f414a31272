"""`nextcloud.names`: comparison of text in searches."""

from typing import Final
from unicodedata import normalize

import pytest

from nextcloud_mcp.errors import InvalidArgumentError, NotFoundError
from nextcloud_mcp.nextcloud.names import MAX_LISTED, Thing, find_named, folded, spellings
from tests.support.calendars import WORK, calendar, has_calendars, holds, one
from tests.support.cookbook import COOKBOOK, stub
from tests.support.ics import ics
from tests.support.issuer import answer
from tests.support.nextcloud import FILES, NOTES, dav_file, multistatus, note
from tests.support.server import Server

COMPOSED: Final = normalize("NFC", "Übergröße Ångström")
DECOMPOSED: Final = normalize("NFD", COMPOSED)
BOTH: Final = [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED), (COMPOSED, COMPOSED), (DECOMPOSED, DECOMPOSED)]
"""What is stored, and what is searched for."""

CONTACTS: Final = "/remote.php/dav/addressbooks/users/alice/contacts/"

SOME: Final = [Thing("personal", "Personal"), Thing("x-1", "Work"), Thing("x-2", "Work"), Thing("Work", "Home")]


def test_comparison_ignores_case_and_normalization() -> None:
    """This includes letters whose other case is two letters."""
    assert folded(COMPOSED) == folded(DECOMPOSED) == folded(COMPOSED.upper())
    assert spellings(COMPOSED) == spellings(DECOMPOSED) == [COMPOSED, DECOMPOSED]
    assert spellings("plain") == ["plain"]


@pytest.mark.parametrize(("given", "found"), [("Personal", "personal"), ("personal ", "personal"), ("Work", "Work")])
def test_exact_match_takes_precedence(given: str, found: str) -> None:
    """An id takes precedence over a name, and a name over one that differs in case."""
    assert find_named(given, SOME, kind="calendar") == found


def test_unknown_name_error_lists_candidates() -> None:
    """The error lists all names, or the ambiguous ones, up to a limit."""
    with pytest.raises(InvalidArgumentError, match=r"More than one calendar is called 'work': pass one of "):
        find_named("work", SOME, kind="calendar")
    with pytest.raises(NotFoundError, match=r"No calendar 'x': choose from personal \(Personal\), x-1 \(Work\)"):
        find_named("x", SOME, kind="calendar")
    many = [Thing(str(number), "n" * 1000) for number in range(1000)]
    with pytest.raises(NotFoundError, match=f"and {1000 - MAX_LISTED} more") as refused:
        find_named("x" * 10_000, many, kind="board")
    assert len(str(refused.value)) < 2500


@pytest.mark.parametrize(("stored", "query"), BOTH)
async def test_notes_are_found_in_either_normalization(server: Server, stored: str, query: str) -> None:
    """Title, category and content are searched."""
    server.nextcloud.on("GET", NOTES, answer(json=[note(id=1, title=stored), note(id=2, content=f"a\n{stored}\n")]))
    found = await server.use("nc_notes_search_notes", {"query": query})
    assert {hit["id"] for hit in found["results"]} == {1, 2}


@pytest.mark.parametrize(("stored", "query"), BOTH)
async def test_events_and_tasks_are_found_in_either_normalization(server: Server, stored: str, query: str) -> None:
    """Title, place and category are searched."""
    has_calendars(server.nextcloud, calendar("work"))
    event = ics("DTSTART:20261105T100000Z", f"SUMMARY:{stored}", f"LOCATION:{stored}", f"CATEGORIES:{stored}")
    holds(server.nextcloud, {"a": event})
    for argument in ("title_contains", "location_contains", "categories"):
        found = await server.use("nc_calendar_list_events", {"calendar_name": "work", argument: query})
        assert found["total_found"] == 1, argument
    task = event.replace("VEVENT", "VTODO")
    holds(server.nextcloud, {"a": task})
    server.nextcloud.on("PROPFIND", WORK, answer(207, content=one(calendar("work", takes="VTODO"))))
    for argument in ("summary_contains", "categories"):
        listed = await server.use("nc_calendar_list_todos", {"calendar_name": "work", argument: query})
        assert listed["total_count"] == 1, argument


@pytest.mark.parametrize("query", [COMPOSED, DECOMPOSED])
async def test_nextcloud_search_uses_both_normalizations(server: Server, query: str) -> None:
    """Nextcloud compares files, contacts and recipes byte by byte."""
    server.nextcloud.on("SEARCH", "/remote.php/dav/", answer(207, content=multistatus(dav_file(f"{FILES}/a.txt"))))
    assert (await server.use("nc_webdav_find_by_name", {"pattern": query}))["total_found"] == 1
    sent = server.nextcloud.requests[-1].content.decode()
    assert f"<d:or><d:like><d:prop><d:displayname/></d:prop><d:literal>%{COMPOSED}%</d:literal>" in sent
    assert f"<d:literal>%{DECOMPOSED}%</d:literal></d:like></d:or>" in sent

    server.nextcloud.on(
        "REPORT", "/remote.php/dav/addressbooks/users/alice/contacts/", answer(207, content=multistatus())
    )
    await server.use("nc_contacts_list_contacts", {"addressbook": "contacts", "query": query})
    asked = "".join(each.content.decode() for each in server.nextcloud.requests if each.method == "REPORT")
    assert COMPOSED in asked
    assert DECOMPOSED in asked


@pytest.mark.parametrize(("stored", "query"), BOTH)
async def test_recipes_by_keyword_are_found_in_either_normalization(server: Server, stored: str, query: str) -> None:
    """Keywords are compared by this server."""
    server.nextcloud.on("GET", f"{COOKBOOK}/recipes", answer(json=[stub(keywords=f"quick,{stored}")]))
    found = await server.use("nc_cookbook_get_recipes_with_keywords", {"keywords": [query]})
    assert found["total_count"] == 1
