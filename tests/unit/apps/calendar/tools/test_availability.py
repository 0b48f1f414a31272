"""`apps.calendar.tools.availability`: free time, called through MCP."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
import pytest

from tests.support.calendars import (
    HOME,
    WORK,
    by_query,
    calendar,
    has_calendars,
    holds,
    knows_address,
    sent,
)
from tests.support.ics import ics, unfolded
from tests.support.issuer import Answer, answer
from tests.support.nextcloud import USER_PATH, ocs_user
from tests.support.server import Server


def replies(**busy: str | None) -> Answer:
    """Answer as the outbox does: `FREEBUSY` lines by recipient, at example.org; None for a stranger."""
    parts = []
    for name, lines in busy.items():
        ical = ics(*(lines or "").split(), kind="VFREEBUSY")
        data = f"<c:calendar-data>{ical}</c:calendar-data>" if lines is not None else ""
        parts.append(
            f"<c:response><c:recipient><d:href>mailto:{name}@example.org</d:href></c:recipient>{data}</c:response>"
        )
    namespaces = 'xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"'
    return answer(content=f"<c:schedule-response {namespaces}>{''.join(parts)}</c:schedule-response>".encode())


async def slots(server: Server, **arguments: Any) -> list[str]:
    """Return when all are free on Friday 4 and Monday 7 October 2030, for half an hour, in Berlin."""
    days = {"date_range_start": "2030-10-04", "date_range_end": "2030-10-07", "time_zone": "Europe/Berlin"}
    result = await server.use("nc_calendar_find_availability", {"duration_minutes": 30, **days, **arguments})
    return [
        f"{slot['start'][8:16]}-{slot['end'][8:16]} {slot['duration_minutes']}" for slot in result["available_slots"]
    ]


FREE: Final[Mapping[str, tuple[dict[str, Any], list[str]]]] = {
    "in business hours, on working days": (
        {},
        ["04T09:00-04T10:00 60", "04T11:00-04T17:00 360", "07T12:00-07T17:00 300"],
    ),
    "for longer": ({"duration_minutes": 61}, ["04T11:00-04T17:00 360", "07T12:00-07T17:00 300"]),
    "at other times": (
        {"preferred_times": "16:00-18:00, 07:00-08:00"},
        [
            "04T07:00-04T08:00 60",
            "04T16:00-04T18:00 120",
            "07T07:00-07T08:00 60",
            "07T16:00-07T18:00 120",
        ],
    ),
    "at any time": (
        {"business_hours_only": False, "exclude_weekends": False},
        [
            "04T00:00-04T10:00 600",
            "04T11:00-05T00:00 780",
            "05T00:00-06T00:00 1440",
            "06T00:00-07T00:00 1440",
            "07T00:00-07T08:50 530",
            "07T12:00-08T00:00 720",
        ],
    ),
}


@pytest.mark.parametrize(("arguments", "expected"), FREE.values(), ids=FREE.keys())
async def test_finds_common_free_time(server: Server, arguments: dict[str, Any], expected: list[str]) -> None:
    """Busy times of all attendees are subtracted, whether they have an end or a duration."""
    knows_address(server.nextcloud)
    has_calendars(server.nextcloud)
    own = "FREEBUSY:20301004T080000Z/20301004T090000Z,20301007T065000Z/PT130M"
    busy = replies(
        alice=f"{own} FREEBUSY;FBTYPE=FREE:20301004T100000Z/PT1H",
        bob="FREEBUSY;FBTYPE=BUSY-TENTATIVE:20301007T080000Z/20301007T100000Z",
    )
    server.nextcloud.on("POST", f"{HOME}outbox/", busy)
    assert await slots(server, attendees="bob@example.org", **arguments) == expected


async def test_unknown_attendees_are_reported(server: Server) -> None:
    """Attendees without a free/busy answer are ignored, and the result names them."""
    knows_address(server.nextcloud)
    has_calendars(server.nextcloud)
    server.nextcloud.on("POST", f"{HOME}outbox/", replies(alice="", carol=None))
    arguments = {"duration_minutes": 30, "attendees": "carol@example.org", "date_range_end": "2030-01-01"}
    start = {"date_range_start": "2029-12-20"}
    result = await server.use("nc_calendar_find_availability", arguments | start)
    assert (result["attendees_checked"], result["attendees_unknown"]) == (["alice@example.org"], ["carol@example.org"])
    assert result["time_zone"] == "UTC"
    question = unfolded(sent(server.nextcloud, "POST").content.decode())
    assert {"ORGANIZER:mailto:alice@example.org", "ATTENDEE:mailto:carol@example.org", "METHOD:REQUEST"} <= set(
        question
    )


async def test_free_time_starts_now(server: Server) -> None:
    """Without dates the range is one week from now in the user's zone."""
    server.nextcloud.on("GET", USER_PATH, ocs_user("alice", timezone="Europe/Berlin"))
    knows_address(server.nextcloud)
    has_calendars(server.nextcloud)
    server.nextcloud.on("POST", f"{HOME}outbox/", replies(alice=""))
    result = await server.use("nc_calendar_find_availability", {"duration_minutes": 5, "business_hours_only": False})
    first = datetime.fromisoformat(result["available_slots"][0]["start"])
    assert first >= datetime.now(UTC) - timedelta(minutes=1)
    assert result["time_zone"] == "Europe/Berlin"


async def test_free_time_without_address_uses_own_calendars(server: Server) -> None:
    """A free/busy query needs a mail address; without one the user's own calendars are read."""
    knows_address(server.nextcloud, None)
    has_calendars(
        server.nextcloud,
        calendar("work"),
        calendar("birthdays", privileges="<d:read/>"),
        calendar("ideas", more=TRANSPARENT),
    )
    busy = ics("FREEBUSY:20301004T070000Z/20301004T150000Z", kind="VFREEBUSY")
    holds(server.nextcloud, {}, name="birthdays")
    server.nextcloud.on("REPORT", WORK, answers_busy(busy))
    assert await slots(server) == ["07T09:00-07T17:00 480"]
    asked = [request for request in server.nextcloud.requests if b"free-busy-query" in request.content]
    assert [request.url.path for request in asked] == [WORK]


async def test_free_time_with_a_busy_period_that_ends_before_it_starts(server: Server) -> None:
    """Nextcloud gives one for an event in a skipped hour; the other periods count."""
    knows_address(server.nextcloud, None)
    has_calendars(server.nextcloud, calendar("work"))
    periods = "FREEBUSY:20300331T013000Z/20300331T010000Z,20301004T070000Z/20301004T150000Z"
    server.nextcloud.on("REPORT", WORK, answers_busy(ics(periods, kind="VFREEBUSY")))
    assert await slots(server) == ["07T09:00-07T17:00 480"]


TRANSPARENT: Final = "<cal:schedule-calendar-transp><cal:transparent/></cal:schedule-calendar-transp>"


def answers_busy(busy: str, **objects: str) -> Answer:
    """Answer a free-busy-query with `busy`, and each query as `by_query` does."""

    def respond(request: httpx.Request) -> httpx.Response:
        told = answer(content=busy.encode()) if b"free-busy-query" in request.content else by_query(**objects)
        return told(request)

    return respond


BERLIN: Final = "TZID=Europe/Berlin"


MISSED: Final[Mapping[str, tuple[str, tuple[str, ...], list[str]]]] = {
    "with an added date": (
        "rdate",
        (f"DTSTART;{BERLIN}:20300902T090000", "DURATION:PT3H", "RRULE:FREQ=WEEKLY", "RDATE:20300905T070000Z"),
        ["04T09:00-04T17:00 480", "07T12:00-07T17:00 300"],
    ),
    "with dates and no rule": (
        "rdate",
        (f"DTSTART;{BERLIN}:20300902T090000", "DURATION:PT3H", f"RDATE;{BERLIN}:20301004T140000"),
        ["04T09:00-04T14:00 300", "07T09:00-07T17:00 480"],
    ),
    "after thousands of occurrences": (
        "rrule",
        (f"DTSTART;{BERLIN}:20150101T120000", "DURATION:PT1H", "RRULE:FREQ=DAILY"),
        ["04T09:00-04T12:00 180", "04T13:00-04T17:00 240", "07T09:00-07T12:00 180", "07T13:00-07T17:00 240"],
    ),
    "for whole days": (
        "rdate",
        ("DTSTART;VALUE=DATE:20300930", "RRULE:FREQ=WEEKLY;BYDAY=MO", "RDATE;VALUE=DATE:20300901"),
        ["04T09:00-04T17:00 480"],
    ),
    "at a floating time": (
        "rdate",
        ("DTSTART:20300930T090000", "DURATION:PT2H", "RRULE:FREQ=WEEKLY", "RDATE:20300901T090000"),
        ["04T09:00-04T17:00 480", "07T11:00-07T17:00 360"],
    ),
    "that takes no time": (
        "rdate",
        (
            "DTSTART:20300930T070000Z",
            "DURATION:PT2H",
            "RRULE:FREQ=WEEKLY",
            "RDATE:20300901T090000Z",
            "TRANSP:TRANSPARENT",
        ),
        ["04T09:00-04T17:00 480", "07T09:00-07T17:00 480"],
    ),
    "that is cancelled": (
        "rdate",
        (
            "DTSTART:20300930T070000Z",
            "DURATION:PT2H",
            "RRULE:FREQ=WEEKLY",
            "RDATE:20300901T090000Z",
            "STATUS:CANCELLED",
        ),
        ["04T09:00-04T17:00 480", "07T09:00-07T17:00 480"],
    ),
    "that is not expanded": (
        "rrule",
        ("DTSTART:20300930T070000Z", "RRULE:FREQ=MINUTELY"),
        ["04T09:00-04T17:00 480", "07T09:00-07T17:00 480"],
    ),
    "that is not readable": (
        "rdate",
        ("DTSTART:20300930T070000Z", "RRULE:FREQ=WEEKLY", "RDATE:sometime"),
        ["04T09:00-04T17:00 480", "07T09:00-07T17:00 480"],
    ),
}


@pytest.mark.parametrize("mail", ["alice@example.org", None])
@pytest.mark.parametrize(("kind", "lines", "free"), MISSED.values(), ids=MISSED.keys())
async def test_own_series_that_nextcloud_omits_are_busy(
    server: Server, mail: str | None, kind: str, lines: tuple[str, ...], free: list[str]
) -> None:
    """The user's own calendars are read for it, except transparent ones."""
    knows_address(server.nextcloud, mail)
    has_calendars(server.nextcloud, calendar("work"), calendar("shared", more=TRANSPARENT))
    server.nextcloud.on("POST", f"{HOME}outbox/", replies(alice=""))
    server.nextcloud.on("REPORT", WORK, answers_busy(ics(kind="VFREEBUSY"), **{f"{kind}_series": ics(*lines)}))
    assert await slots(server) == free


async def test_free_time_of_others_requires_address(server: Server) -> None:
    """The error says where to set a mail address."""
    knows_address(server.nextcloud, None)
    arguments = {"duration_minutes": 30, "attendees": "bob@example.org"}
    assert "Nextcloud does not know your mail address" in await server.misuse(
        "nc_calendar_find_availability", arguments
    )


@pytest.mark.parametrize("content", [b"BEGIN:VCALENDAR", b"", ics("FREEBUSY:sometimes", kind="VFREEBUSY").encode()])
async def test_malformed_free_busy_response_is_outage(server: Server, content: bytes) -> None:
    """A malformed response is an outage, not free time."""
    knows_address(server.nextcloud, None)
    has_calendars(server.nextcloud, calendar("work"))
    server.nextcloud.on("REPORT", WORK, answer(content=content))
    assert "free/busy answer is not readable" in await server.misuse(
        "nc_calendar_find_availability", {"duration_minutes": 30}
    )


async def test_free_time_query_writes_nothing(server: Server) -> None:
    """The only POST goes to the outbox, which stores nothing (RFC 6638 section 5)."""
    knows_address(server.nextcloud)
    has_calendars(server.nextcloud)
    server.nextcloud.on("POST", f"{HOME}outbox/", replies(alice=""))
    await slots(server)
    methods = [(request.method, request.url.path) for request in server.nextcloud.requests]
    assert {each for each in methods if each[0] not in {"GET", "PROPFIND", "REPORT"}} == {("POST", f"{HOME}outbox/")}
