"""Foreign iCalendar, rules, XML and JSON are parsed in bounded time, whatever they contain.

Each input is parsed in its own process, which is killed after a timeout. The tests compare the CPU time for an input
and for one twice as long, which does not depend on the load of the machine.
"""

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextcloud_mcp.apps.calendar import freebusy
from nextcloud_mcp.apps.calendar.caldav import calendars, queries
from nextcloud_mcp.apps.calendar.ical.series import Series
from nextcloud_mcp.apps.contacts import properties
from nextcloud_mcp.apps.contacts.validation import validate_contact
from nextcloud_mcp.apps.cookbook import api as cookbook
from nextcloud_mcp.apps.files import search
from nextcloud_mcp.apps.tables import values
from nextcloud_mcp.errors import InvalidArgumentError, NextcloudError
from nextcloud_mcp.nextcloud import answers, content_lines, dav, moments, reasons, refusals
from nextcloud_mcp.nextcloud.client import User
from tests.support import killable
from tests.support.ics import ics, stored

Text = Callable[[int], str]

START: Final = "DTSTART:20301007T100000Z"
DAY: Final = (datetime(2030, 10, 7, tzinfo=UTC), datetime(2030, 10, 8, tzinfo=UTC))
THREE_YEARS: Final = (DAY[0], datetime(2033, 10, 6, tzinfo=UTC))
AT_MOST: Final = 5.0
"""CPU seconds for one event with any rule."""


def zone(name: str, *lines: str) -> str:
    """Return a VTIMEZONE with these lines in its standard time."""
    begin = ("BEGIN:VTIMEZONE", f"TZID:{name}", "BEGIN:STANDARD", "DTSTART:19700101T000000")
    return "\n".join((*begin, "TZOFFSETFROM:+0100", "TZOFFSETTO:+0200", *lines, "END:STANDARD", "END:VTIMEZONE\n"))


def with_zones(zones: str, *lines: str) -> str:
    """Return an event with zones before it."""
    return ics(START, *lines).replace("BEGIN:VEVENT", zones + "BEGIN:VEVENT")


def numbered(template: str, count: int) -> str:
    """Return a text so many times, each with its number."""
    return "".join(template.format(number) for number in range(count))


CALENDARS: Final[dict[str, Text]] = {
    "parameters without a colon": lambda n: ics(START, "X-A" + ";A=b" * n),
    "values of a parameter": lambda n: ics(START, "X-A;A=" + '"a",' * n + "b:x"),
    "quotation marks": lambda n: ics(START, "X-A;A=" + '"' * n + ":x"),
    "blanks around delimiters": lambda n: ics(START, 'X-A;A="' + '" ;' * n + ":x"),
    "backslashes": lambda n: ics(START, "X-A;A=" + "\\" * n + ":" + "\\" * n),
    "folds": lambda n: ics(START, "SUMMARY:a" + "\n x" * n),
    "empty lines": lambda n: ics(START, "\n" * n),
    "a property again and again": lambda n: ics(START, *["ATTENDEE:mailto:a@b"] * n),
    "exceptions": lambda n: ics(START, "EXDATE:" + ",".join(["20301007T100000Z"] * n)),
    "periods": lambda n: ics(START, "RDATE;VALUE=PERIOD:" + ",".join(["20301007T100000Z/PT1H"] * n)),
    "categories": lambda n: ics(START, "CATEGORIES:" + "a," * n),
    "a long number": lambda n: ics(START, "RRULE:FREQ=DAILY;COUNT=" + "9" * n),
    "a long duration": lambda n: ics(START, "DURATION:P" + "9" * n + "D"),
    "events": lambda n: ics(START, *["END:VEVENT", "BEGIN:VEVENT", "UID:a", START] * (n // 4)),
    "zones": lambda n: with_zones(numbered(zone("z{}"), n // 8)),
    "rules of a zone": lambda n: with_zones(zone("z", *["RRULE:FREQ=YEARLY;BYMONTH=10"] * n)),
    "parts of a rule": lambda n: ics(START, "RRULE:FREQ=DAILY;BYHOUR=" + ",".join(["1"] * n)),
}

DAV_RESPONSE: Final = "<d:multistatus xmlns:d='DAV:'><d:response>{}</d:response></d:multistatus>"
DOCUMENTS: Final[dict[str, Text]] = {
    "nested": lambda n: DAV_RESPONSE.format("<a>" * n + "</a>" * n),
    "nested without an end": lambda n: "<a>" * n,
    "attributes": lambda n: DAV_RESPONSE.format("<a" + numbered(" a{}=''", n) + "/>"),
    "namespaces": lambda n: DAV_RESPONSE.format("<a" + numbered(" xmlns:a{}='x'", n) + "/>"),
    "one long tag": lambda n: DAV_RESPONSE.format("<a" + " " * n * 10 + "/>"),
    "one long text": lambda n: DAV_RESPONSE.format("&#65;" * n),
    "comments": lambda n: DAV_RESPONSE.format("<!---->" * n),
    "sections": lambda n: DAV_RESPONSE.format("<![CDATA[]]>" * n),
    "an open comment": lambda n: DAV_RESPONSE.format("<!--" + "-" * n),
    "entities": lambda n: "<!DOCTYPE a [" + numbered("<!ENTITY e{} 'a'>", n) + "]><a/>",
    "an exception without an end": lambda n: "<s:exception>a</s:exception>" + " " * n + "<s:message>" * n,
    "a name without an end": lambda n: "<s:exception>" + "a\\" * n,
    "a long number": lambda n: r"<s:exception>a\InvalidPath</s:exception><s:message>&#" + "9" * n + "</s:message>",
}

JSONS: Final[dict[str, Text]] = {
    "nested lists": lambda n: "[" * n + "]" * n,
    "nested objects": lambda n: '{"ocs":' * n,
    "one number": lambda n: "9" * n,
    "one fraction": lambda n: "0." + "9" * n,
    "escapes": lambda n: '"' + "\\u0041" * n + '"',
    "backslashes": lambda n: '"' + "\\" * n,
    "the same name": lambda n: '{"message": "", ' + '"a": 1, ' * n + '"a": 1}',
    "many names": lambda n: '{"message": ""' + numbered(', "a{}": 1', n) + "}",
}


WORDS: Final[dict[str, Text]] = {
    "digits": lambda n: "1" * n,
    "a duration": lambda n: "PT" + "1" * n,
    "durations": lambda n: "PT1H" * n,
    "a fraction": lambda n: "PT1." + "1" * n,
    "dates": lambda n: "2030-10-07" * n,
    "dashes": lambda n: "-" * n,
    "a media type": lambda n: "a/" * n,
    "a scheme": lambda n: "a+." * n,
    "blanks": lambda n: " " * n + "x",
    "line ends": lambda n: "\r\n" * n + "x",
    "properties": lambda n: "UID;" * n,
    "quotation marks": lambda n: '"' * n + "x",
}


def read_calendar(text: str) -> None:
    """Do to an object what lists, readings and free/busy answers do."""
    queries._read_uid(text)  # noqa: SLF001
    calendars._read_tzid(text)  # noqa: SLF001
    with suppress(NextcloudError):
        series = Series(stored(text))
        series.occurrences(*DAY)
        series.event(series.main)
    with suppress(NextcloudError):
        freebusy._busy([text])  # noqa: SLF001


def read_document(text: str) -> None:
    """Do to an XML answer what is done to those of WebDAV, refusals included."""
    answer = httpx.Response(500, content=text.encode(), request=httpx.Request("PROPFIND", "http://cloud.test"))
    with suppress(NextcloudError):
        for response in dav.responses(answer):
            dav.properties(response)
            dav.last_part(response)
    refusals.error_for(answer, "it")


def read_json(text: str) -> None:
    """Do to a JSON answer what is done to those of apps, to Deck's refusals, and to the JSON in a table's cell."""
    answer = httpx.Response(200, content=text.encode(), request=httpx.Request("GET", "http://cloud.test"))
    with suppress(NextcloudError):
        answers.parse(User, answer)
    reasons.reason(answer)
    values._decode_link(text)  # noqa: SLF001


def read_word(text: str) -> None:
    """Do to a text what is done to single arguments and values, each with a regular expression of its own."""
    line = content_lines.parse(f"X:{text}")
    properties._birthday(line)  # noqa: SLF001
    for read in (
        *(cookbook._DURATION.fullmatch, search._media_type, dav.parse_etag, content_lines.text),  # noqa: SLF001
        *(lambda each: moments.read(each, "start"), lambda each: properties._write_member(each, "4.0")),  # noqa: SLF001
        *(lambda each: validate_contact({"url": each}), lambda each: validate_contact({"bday": each})),
    ):
        with suppress(InvalidArgumentError):
            read(text)


READERS: Final[dict[str, tuple[Callable[[str], None], dict[str, Text], int]]] = {
    "iCalendar": (read_calendar, CALENDARS, 10_000),
    "XML": (read_document, DOCUMENTS, 50_000),
    "JSON": (read_json, JSONS, 200_000),
    "words": (read_word, WORDS, 200_000),
}


def cpu_seconds(language: str) -> dict[str, list[float]]:
    """Return by kind of input the CPU seconds that one takes, and one that is twice as long."""
    read, texts, length = READERS[language]
    took: dict[str, list[float]] = {}
    for kind, text_of in texts.items():
        sys.stderr.write(f"{kind}\n")  # the last one is what did not end
        for text in (text_of(length), text_of(2 * length)):
            began = time.process_time()
            read(text)
            took.setdefault(kind, []).append(time.process_time() - began)
    return took


@pytest.mark.parametrize("language", READERS)
def test_parsing_takes_linear_time(language: str) -> None:
    """An input twice as long takes about twice the time, and raises only this project's errors."""
    took = killable.run(cpu_seconds, language, seconds=300)
    assert {kind: (first, second) for kind, (first, second) in took.items() if second > 4 * first + 0.5} == {}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(ics(START, *["BEGIN:X"] * 10, *["END:X"] * 10), id="components in components"),
        pytest.param(ics(START, *["BEGIN:X"] * 4000, *["END:X"] * 4000), id="as deep as lines allow"),
        pytest.param(with_zones(zone("z", *["BEGIN:X"] * 4000, *["END:X"] * 4000)), id="in a zone"),
        pytest.param(ics(START, *["COMMENT:x"] * 10_000), id="too many lines"),
        pytest.param(ics(START, "EXDATE:" + "20301007T100000Z," * 50_001), id="too many values"),
        pytest.param(ics(START, "X-A" + ";A" * 50_001 + ":x"), id="too many parameters"),
    ],
)
def test_oversized_event_is_unreadable(text: str) -> None:
    """An event beyond these limits is listed as unreadable, and the others are read."""
    with pytest.raises(NextcloudError, match="is not readable iCalendar"):
        Series(stored(text))


def test_event_with_many_attendees_is_read() -> None:
    """A thousand attendees with all parameters and a picture of two megabytes are within the limits."""
    guest = (
        "ATTENDEE;CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=ACCEPTED;RSVP=TRUE;CN=Ann:mailto:ann{}@example.org"
    )
    picture = "ATTACH;ENCODING=BASE64;VALUE=BINARY;FMTTYPE=image/png:" + "A" * 2_000_000
    series = Series(stored(ics(START, *[guest.format(number) for number in range(1000)], picture)))
    assert len(series.main.attendees) == 1000


def listed(*values: object) -> st.SearchStrategy[str]:
    """Return some of these, with commas between."""
    return st.lists(st.sampled_from([str(value) for value in values]), min_size=1, max_size=3).map(",".join)


RULES: Final = st.fixed_dictionaries(
    {"FREQ": st.sampled_from(["SECONDLY", "MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"])},
    optional={
        "INTERVAL": listed(-1, 0, 1, 2, 7, 24, 168, 8760, 99_999, 10**12),
        "COUNT": listed(-1, 0, 1, 10**9, 10**30),
        "UNTIL": listed("00010101T000000Z", "20310101T000000Z", "99991231T235959Z"),
        "BYMONTH": listed(0, 1, 2, 4, 12, 13),
        "BYMONTHDAY": listed(-31, -1, 0, 1, 29, 30, 31, 32),
        "BYYEARDAY": listed(-366, -1, 1, 60, 366),
        "BYWEEKNO": listed(-53, -1, 1, 53),
        "BYDAY": listed("MO", "TU", "1MO", "5SU", "-1FR", "53MO", "-53MO"),
        "BYHOUR": listed(0, 5, 23, 24),
        "BYMINUTE": listed(0, 59),
        "BYSECOND": listed(0, 59, 60),
        "BYSETPOS": listed(-366, -1, 1, 2, 366),
        "WKST": listed("MO", "SU"),
    },
).map(lambda parts: "RRULE:" + ";".join(f"{name}={value}" for name, value in parts.items()))
STARTS: Final = st.sampled_from(
    [
        START,
        "DTSTART:00010101T000000Z",
        "DTSTART;VALUE=DATE:16010101",
        "DTSTART;TZID=Europe/Berlin:20200229T023000",
        "DTSTART:99991231T235959Z",
    ]
)


@settings(max_examples=250, deadline=None, derandomize=True)
@given(start=STARTS, rules=st.lists(RULES, min_size=1, max_size=2), more=st.lists(RULES, max_size=1))
def find_a_slow_rule(start: str, rules: list[str], more: list[str]) -> None:
    """Look for rules, of an event and of a zone, that take long; some never happen, some happen for ever."""
    event = ics(start, *rules)
    zoned = with_zones(zone("Odd", *rules), "RDATE;TZID=Odd;VALUE=PERIOD:20301007T100000/20301008T100000Z", *more)
    for text in (event, zoned):
        began = time.process_time()
        with suppress(NextcloudError):
            series = Series(stored(text))
            series.occurrences(*DAY)
            series.occurrences(*THREE_YEARS)
            series.event(series.main)
        took = time.process_time() - began
        assert took < AT_MOST, (text, took)


def find_slow_rules() -> None:
    """Look for such rules among many."""
    find_a_slow_rule()


def test_no_rule_takes_long() -> None:
    """A rule that recurs forever, too often or never, in an event or a time zone, is read within seconds."""
    killable.run(find_slow_rules, seconds=900)
