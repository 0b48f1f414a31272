"""Parsing iCalendar objects (RFC 5545) in worker threads, each independent of the others.

The objects come from many programs and many people. An object that is broken, or slow to parse, must not prevent
others from being read. The content of one object, such as its VTIMEZONEs, must not change how others are read.
"""

import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, tzinfo
from hashlib import sha256
from itertools import islice
from threading import Lock
from typing import Any, Final, Self, TypeVar

from cachetools import LRUCache
from dateutil.tz.tz import _tzicalvtz  # type: ignore[import-untyped]
from icalendar import Calendar as VCalendar
from icalendar import Component, Timezone
from icalendar.error import GloballyUniqueTZIDGuessed
from icalendar.timezone import tzp
from icalendar.timezone.zoneinfo import ZONEINFO

from nextcloud_mcp.apps.calendar.calendar_object import CalendarObject
from nextcloud_mcp.apps.calendar.ical.limits import has_bounded_transitions
from nextcloud_mcp.errors import NextcloudError
from nextcloud_mcp.nextcloud import content_lines
from nextcloud_mcp.nextcloud.worker_threads import run_in_worker_thread

Result = TypeVar("Result")

A_WHILE: Final = 0.1
"""Seconds of parsing after which a worker thread yields to other work, and a call can be cancelled."""

_ONE_OBJECT: Final = Lock()
"""Held while icalendar's registry contains the zones of one object."""

_MOST_ZONES: Final = 100

_MAX_VALUES: Final = 50_000
"""Values and parameters per object, counted by commas and semicolons: each takes up to a kilobyte of memory."""

_MAX_DEPTH: Final = 10
"""Levels of nested components; a location in an alarm in an event in a calendar is at the fourth."""

UNREADABLE: Final = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError, OSError)
"""The exceptions that libraries raise for values that are not valid."""


class _Zone(_tzicalvtz):  # type: ignore[misc]  # dateutil has no types
    """A zone that several threads can use at once.

    dateutil caches the occurrences of a rule under a lock. It does not release this lock when a thread reaches the end
    of the rule, and another thread that waits for the lock would block for ever.
    """

    _one_asks: Final = Lock()

    def __deepcopy__(self, memo: object) -> Self:
        return self  # it is immutable

    def _find_comp(self, dt: datetime) -> Any:
        with self._one_asks:
            return super()._find_comp(dt)


class _Zones(ZONEINFO):
    """A provider that caches the zones of VTIMEZONE components by a hash of their content.

    Many objects contain the same VTIMEZONE, and expanding its transitions since 1601 takes longer than all other
    parsing.
    """

    def __init__(self) -> None:
        self._known: LRUCache[bytes, tzinfo] = LRUCache(_MOST_ZONES)

    def create_timezone(self, tz: Timezone) -> tzinfo:  # type: ignore[override]  # as ZONEINFO has it, unlike its base
        if not has_bounded_transitions(tz):  # before any time in the zone is computed
            raise ValueError("a zone that changes too often")
        described = sha256(tz.to_ical()).digest()
        known = self._known.get(described)
        if known is None:
            made: Any = super().create_timezone(tz)
            known = _Zone(made._tzid, made._comps)  # noqa: SLF001 - they have no other names
            self._known[described] = known
        return known


_KNOWN: Final = _Zones()
tzp.use(_KNOWN)


def parse(ical: str) -> VCalendar:
    """Parse iCalendar text.

    Raises:
        ValueError: the text is not iCalendar, is too large or too deeply nested, or has a zone that changes too often.
    """
    _check_size(ical)
    with own_zones(), warnings.catch_warnings():
        # icalendar guesses the zone of Thunderbird's old TZIDs, "/mozilla.org/20050126_1/Europe/Berlin", correctly
        warnings.simplefilter("ignore", GloballyUniqueTZIDGuessed)
        try:
            found = VCalendar.from_ical(ical)
        except RecursionError:
            raise ValueError("components nested too deeply") from None
    if not isinstance(found, VCalendar):
        raise ValueError("not a calendar")  # noqa: TRY004 - of the content, like the parser's own
    if not all(map(has_bounded_transitions, found.timezones)):
        raise ValueError("a zone that changes too often")
    _check_depth(found)
    return found


def _check_size(ical: str) -> None:
    lines = sum(1 for _ in islice(content_lines.split(ical), content_lines.MAX_LINES + 1))
    if lines > content_lines.MAX_LINES or ical.count(",") + ical.count(";") > _MAX_VALUES:
        raise ValueError("too many lines or values")


def _check_depth(calendar: VCalendar) -> None:
    level: list[Component] = [calendar]
    for _ in range(_MAX_DEPTH):
        level = [inner for outer in level for inner in outer.subcomponents]
    if level:
        raise ValueError("components nested too deeply")


@contextmanager
def own_zones() -> Iterator[None]:
    """Lock icalendar's registry of zones, and clear it on exit.

    The registry is global and keyed by TZID: a VTIMEZONE of one object would otherwise apply to those of other people.
    """
    with _ONE_OBJECT:
        try:
            yield
        finally:
            tzp.use(_KNOWN)


@contextmanager
def readable(stored: CalendarObject) -> Iterator[None]:
    """Turn the exceptions that libraries raise for values that are not valid into an error for this object.

    Besides text that is not iCalendar, such values are an end in the year 9999, a number with other characters, a
    floating time compared with one that has a zone, or a TZID that is the name of a folder.

    Raises:
        NextcloudError: the object is not readable; the message names the object.
    """
    try:
        yield
    except UNREADABLE as error:
        raise NextcloudError(
            "{name} in calendar {calendar!r} is not readable iCalendar",
            "open it in Nextcloud and save it",
            name=stored.name,
            calendar=stored.calendar,
        ) from error


async def read_all(
    objects: Iterable[CalendarObject], read: Callable[[CalendarObject], Result]
) -> tuple[list[Result], list[str]]:
    """Apply `read` to each object; return the results, and the hrefs of the objects that are not readable."""
    results: list[Result] = []
    unreadable: list[str] = []
    waiting = iter(objects)
    while await run_in_worker_thread(_read_some, waiting, read, results, unreadable):
        pass
    return results, unreadable


def _read_some(
    waiting: Iterator[CalendarObject],
    read: Callable[[CalendarObject], Result],
    results: list[Result],
    unreadable: list[str],
) -> bool:
    """Read objects for up to `A_WHILE` seconds; return whether there may be more."""
    until = time.monotonic() + A_WHILE
    for stored in waiting:
        try:
            results.append(read(stored))
        except NextcloudError:
            unreadable.append(stored.href)
        if time.monotonic() > until:
            return True
    return False
