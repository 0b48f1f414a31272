"""`nextcloud.names`: text as people compare it, wherever something is searched for."""

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


def test_spellings_compare_alike() -> None:
    """So do cases, also where one letter becomes two."""
    assert folded(COMPOSED) == folded(DECOMPOSED) == folded(COMPOSED.upper())
    assert spellings(COMPOSED) == spellings(DECOMPOSED) == [COMPOSED, DECOMPOSED]
    assert spellings("plain") == ["plain"]


@pytest.mark.parametrize(("given", "found"), [("Personal", "personal"), ("personal ", "personal"), ("Work", "Work")])
def test_the_nearest_is_found(given: str, found: str) -> None:
    """An id goes before a name, and a name before one that differs in case."""
    assert find_named(given, SOME, kind="calendar") == found


def test_what_is_not_found_is_told_with_what_there_is() -> None:
    """Or with those that are meant, if there are several; and never with more than can be read."""
    with pytest.raises(InvalidArgumentError, match=r"More than one calendar is called 'work': pass one of "):
        find_named("work", SOME, kind="calendar")
    with pytest.raises(NotFoundError, match=r"No calendar 'x': choose from personal \(Personal\), x-1 \(Work\)"):
        find_named("x", SOME, kind="calendar")
    many = [Thing(str(number), "n" * 1000) for number in range(1000)]
    with pytest.raises(NotFoundError, match=f"and {1000 - MAX_LISTED} more") as refused:
        find_named("x" * 10_000, many, kind="board")
    assert len(str(refused.value)) < 2500


@pytest.mark.parametrize(("stored", "query"), BOTH)
async def test_notes_are_found_in_either_spelling(server: Server, stored: str, query: str) -> None:
    """In title, category and content."""
    server.nextcloud.on("GET", NOTES, answer(json=[note(id=1, title=stored), note(id=2, content=f"a\n{stored}\n")]))
    found = await server.use("nc_notes_search_notes", {"query": query})
    assert {hit["id"] for hit in found["results"]} == {1, 2}


@pytest.mark.parametrize(("stored", "query"), BOTH)
async def test_events_and_tasks_are_found_in_either_spelling(server: Server, stored: str, query: str) -> None:
    """By title, place and category."""
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
async def test_nextcloud_is_asked_for_both_spellings(server: Server, query: str) -> None:
    """Where it compares by itself, byte by byte: files, contacts and recipes."""
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
async def test_recipes_are_found_by_keyword_in_either_spelling(server: Server, stored: str, query: str) -> None:
    """Keywords are compared here."""
    server.nextcloud.on("GET", f"{COOKBOOK}/recipes", answer(json=[stub(keywords=f"quick,{stored}")]))
    found = await server.use("nc_cookbook_get_recipes_with_keywords", {"keywords": [query]})
    assert found["total_count"] == 1
