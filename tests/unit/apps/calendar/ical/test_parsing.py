"""`apps.calendar.ical.parsing`: objects are parsed in a worker thread, each independently of the others."""

import sys
import threading
from datetime import datetime, tzinfo
from itertools import repeat

import anyio
import pytest

from nextcloud_mcp.apps.calendar.calendar_object import CalendarObject
from nextcloud_mcp.apps.calendar.ical.parsing import parse, read_all, readable
from nextcloud_mcp.errors import NextcloudError
from tests.support.ics import OUTLOOK, stored

OBJECT = stored(OUTLOOK)


async def test_parsing_does_not_block_event_loop() -> None:
    """The event loop serves other tasks while objects are parsed."""
    served = threading.Event()

    def read(_: CalendarObject) -> bool:
        return served.wait(timeout=120)

    async with anyio.create_task_group() as calls:

        async def serve() -> None:
            served.set()

        calls.start_soon(serve)
        assert await read_all([OBJECT], read) == ([True], [])


async def test_cancelled_call_stops_parsing() -> None:
    """Parsing stops after cancellation, however many objects remain."""
    with anyio.move_on_after(0.01) as call:
        await read_all(repeat(OBJECT), lambda each: each.name)
    assert call.cancelled_caught


async def test_unreadable_objects_are_returned_by_href() -> None:
    """The readable objects come in order, the others by their href."""

    def read(each: CalendarObject) -> str:
        with readable(each):
            return str(int(each.text))

    objects = [CalendarObject("work", "x.ics", f"/{text}", "e1", text) for text in ("1", "two", "3")]
    assert await read_all(objects, read) == (["1", "3"], ["/two"])


@pytest.mark.parametrize("error", [ValueError, TypeError, OverflowError, IndexError, AttributeError, OSError])
def test_library_exception_is_error_of_one_object(error: type[Exception]) -> None:
    """Whatever a library raises, the error names the object and quotes none of its content."""
    sentence = r"^theirs\.ics in calendar 'work' is not readable iCalendar: open it in Nextcloud and save it\.$"
    with pytest.raises(NextcloudError, match=sentence), readable(OBJECT):
        raise error("secret")


def zone_of(ical: str) -> tzinfo | None:
    """Return the zone in which an event begins, which nobody has asked for the time yet."""
    start = parse(ical).events[0].start
    return start.tzinfo if isinstance(start, datetime) else None


def test_repeated_vtimezone_is_expanded_once() -> None:
    """Outlook writes a VTIMEZONE that starts in 1601 into every event."""
    assert zone_of(OUTLOOK) is not None
    assert zone_of(OUTLOOK) is zone_of(OUTLOOK)


def test_concurrent_zone_lookups_do_not_deadlock() -> None:
    """A thread that exhausts the zone's rules does not block another that is still iterating."""
    rule = "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10"
    zones = [zone_of(OUTLOOK.replace(rule, f"{rule};UNTIL={2006 + each}1029T060000Z")) for each in range(100)]
    assert len(set(map(id, zones))) == len(zones)

    def ask() -> None:
        for zone in zones:
            assert datetime(2030, 10, 7, 10, tzinfo=zone).utcoffset()

    askers = [threading.Thread(target=ask, daemon=True) for _ in range(4)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # so that they meet
    try:
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join(timeout=120)
    finally:
        sys.setswitchinterval(interval)
    assert not any(asker.is_alive() for asker in askers)
