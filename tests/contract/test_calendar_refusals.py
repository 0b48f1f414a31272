"""Refusals of calendar requests with their messages: reserved calendar names, and objects that are not stored."""

from typing import Final
from urllib.parse import quote

import httpx
import pytest

from tests.contract.calendars import Place, ics, look, make
from tests.contract.people import Person

EXISTS: Final = "The resource you tried to create already exists"
RESERVED: Final = "The resource you tried to create has a reserved name"
TOO_LONG: Final = "URI too long. Calendar not created"
NAMES: Final = {
    "inbox": (405, EXISTS),
    "outbox": (405, EXISTS),
    "trashbin": (405, EXISTS),
    "personal": (405, EXISTS),
    "app-generatedx": (405, RESERVED),
}


@pytest.mark.parametrize(("name", "refusal"), NAMES.items())
async def test_reserved_calendar_name_is_405(alice: Person, name: str, refusal: tuple[int, str]) -> None:
    """A reserved name gets 405 like an existing one; only the message differs."""
    answer = await make(alice, name, "VEVENT")
    skip_if_limited(answer)
    assert (answer.status_code, refusal[1] in answer.text) == (refusal[0], True)


async def test_calendar_name_beyond_255_bytes_is_500(alice: Person) -> None:
    """A longer name, here of 128 letters, gets HTTP 500, so clients have to check the length."""
    answer = await make(alice, quote("\u00fc" * 128), "VEVENT")
    skip_if_limited(answer)
    assert (answer.status_code, TOO_LONG in answer.text) == (500, True)


def skip_if_limited(answer: httpx.Response) -> None:
    """End a test without a result, if Alice has made her ten calendars of this hour: refused ones count."""
    if answer.status_code == 429:
        pytest.skip("Nextcloud lets nobody ask for more than ten calendars an hour")


@pytest.mark.parametrize("name", ["inbox", "outbox", "trashbin"])
async def test_collection_that_is_no_calendar_is_read_only(alice: Person, name: str, uid: str) -> None:
    """It is listed with another resource type; writes and its deletion get 403."""
    fixed = Place(alice, name)
    (there,) = await look(alice, fixed.path)
    assert there.find(".//{DAV:}resourcetype/{urn:ietf:params:xml:ns:caldav}calendar") is None
    assert (await fixed.put(uid, ics(uid))).status_code == 403
    assert (await alice.http.delete(fixed.path)).status_code == 403


FIRST: Final = ("DTSTART:20301001T100000Z", "DURATION:PT1H")
WITHOUT_ANY: Final = {
    "one, left out": (*FIRST, "RRULE:FREQ=DAILY;COUNT=1", "EXDATE:20301001T100000Z"),
    "two, left out": (*FIRST, "RRULE:FREQ=DAILY;COUNT=2", "EXDATE:20301001T100000Z,20301002T100000Z"),
    "two in a zone, left out": (
        "DTSTART;TZID=Europe/Berlin:20301026T100000",
        "DURATION:PT1H",
        "RRULE:FREQ=DAILY;COUNT=2",
        "EXDATE;TZID=Europe/Berlin:20301026T100000,20301027T100000",
    ),
    "two days, left out": (
        "DTSTART;VALUE=DATE:20301001",
        "RRULE:FREQ=DAILY;COUNT=2",
        "EXDATE;VALUE=DATE:20301001,20301002",
    ),
    "one that ends before it starts, left out": (
        *(*FIRST, "RRULE:FREQ=DAILY;UNTIL=20300901T000000Z", "EXDATE:20301001T100000Z"),
    ),
    "one by rule and one by date, left out": (
        *(*FIRST, "RRULE:FREQ=DAILY;COUNT=1", "RDATE:20301003T100000Z"),
        "EXDATE:20301001T100000Z,20301003T100000Z",
    ),
    "a rule that goes on, and all dates left out": (
        *(*FIRST, "RRULE:FREQ=DAILY;COUNT=2", "RDATE:20301003T100000Z"),
        "EXDATE:20301001T100000Z,20301003T100000Z",
    ),
}
WITH_ONE: Final = {
    "the second of two": (*FIRST, "RRULE:FREQ=DAILY;COUNT=2", "EXDATE:20301001T100000Z"),
    "of a rule without end": (*FIRST, "RRULE:FREQ=DAILY", "EXDATE:20301001T100000Z,20301002T100000Z"),
    "none, and no rule": (*FIRST, "EXDATE:20301001T100000Z"),
    "none, and dates alone": (*FIRST, "RDATE:20301003T100000Z", "EXDATE:20301001T100000Z,20301003T100000Z"),
}


@pytest.mark.parametrize("lines", WITHOUT_ANY.values(), ids=WITHOUT_ANY.keys())
async def test_series_without_occurrences_is_403(place: Place, uid: str, lines: tuple[str, ...]) -> None:
    """A series without occurrences gets 403 with the reason; in a series with RDATE the rule is ignored."""
    answer = await place.put(uid, ics(uid, *lines))
    assert (answer.status_code, "This recurrence rule does not generate any valid instances" in answer.text) == (
        403,
        True,
    )
    assert await place.query("") == {}


@pytest.mark.parametrize("lines", WITH_ONE.values(), ids=WITH_ONE.keys())
async def test_series_with_an_occurrence_is_stored(place: Place, uid: str, lines: tuple[str, ...]) -> None:
    """DTSTART counts as an occurrence even if the rule does not match it; a series without a rule is not checked."""
    assert (await place.put(uid, ics(uid, *lines))).status_code == 201
    assert (await place.query("")).keys() == {uid}


async def test_changed_occurrence_counts_as_an_occurrence(place: Place, uid: str) -> None:
    """A series with nothing but a changed occurrence is stored."""
    changed = ics(uid, "RECURRENCE-ID:20301001T100000Z", "DTSTART:20301001T120000Z", "DURATION:PT1H")
    event = changed[changed.index("BEGIN:VEVENT") :]
    series = ics(uid, *WITHOUT_ANY["one, left out"]).replace("END:VCALENDAR\r\n", event)
    assert (await place.put(uid, series)).status_code == 201
