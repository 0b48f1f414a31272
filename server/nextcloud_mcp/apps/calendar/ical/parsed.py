"""Parsing iCalendar objects (RFC 5545): beside the event loop, and each for itself.

What is read comes from many programs and many people. What is broken in an object, or takes long to read, must not
keep others from being read, nor what is in it change how others are.
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

from nextcloud_mcp.apps.calendar.caldav import CalendarObject
from nextcloud_mcp.apps.calendar.ical.often import has_bounded_transitions
from nextcloud_mcp.errors import NextcloudError
from nextcloud_mcp.nextcloud import content_lines
from nextcloud_mcp.nextcloud.worker_threads import run_in_worker_thread

Result = TypeVar("Result")

A_WHILE: Final = 0.1
"""Seconds of reading, after which others have their turn and a call may end."""

_ONE_OBJECT: Final = Lock()
"""Held while icalendar knows the zones of one object."""

_MOST_ZONES: Final = 100

_MAX_VALUES: Final = 50_000
"""Values and parameters of one object, which commas and semicolons separate: each takes up to a kilobyte of memory."""

_MAX_DEPTH: Final = 10
"""Components in components: an alarm's place in an alarm in an event in a calendar is the fourth."""

UNREADABLE: Final = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError, OSError)
"""What libraries raise over values that make no sense to them."""


class _Zone(_tzicalvtz):  # type: ignore[misc]  # dateutil has no types
    """A zone that several threads may ask at once.

    dateutil keeps what it has walked of a rule, and the thread that comes to the rule's end never gives back the lock
    for which another may wait by then.
    """

    _one_asks: Final = Lock()

    def __deepcopy__(self, memo: object) -> Self:
        return self  # it never changes

    def _find_comp(self, dt: datetime) -> Any:
        with self._one_asks:
            return super()._find_comp(dt)


class _Zones(ZONEINFO):
    """The zones that people's programs describe, each known by all that is said of it.

    What programs write is alike, and to go through the changes of a clock since 1601 takes longer than all else.
    """

    def __init__(self) -> None:
        self._known: LRUCache[bytes, tzinfo] = LRUCache(_MOST_ZONES)

    def create_timezone(self, tz: Timezone) -> tzinfo:  # type: ignore[override]  # as ZONEINFO has it, unlike its base
        if not has_bounded_transitions(tz):  # before any time in it is looked at
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


def parsed(ical: str) -> VCalendar:
    """Read iCalendar.

    Raises:
        ValueError: it is none, or larger or more deeply nested than an event or a task is.
    """
    _check_size(ical)
    with own_zones(), warnings.catch_warnings():
        # Thunderbird's old zones are "/mozilla.org/20050126_1/Europe/Berlin"; the guess is right for them
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
    """Let icalendar know by name the zones of one object alone; it would take them for those of other people's."""
    with _ONE_OBJECT:
        try:
            yield
        finally:
            tzp.use(_KNOWN)


@contextmanager
def readable(stored: CalendarObject) -> Iterator[None]:
    """Turn what libraries raise over a value that makes no sense to them into the error of this object alone.

    Besides what is no iCalendar, that is an end in the year 9999, a number that is none, a time that can't be compared
    with another for one has no zone, or a zone with the name of a folder.

    Raises:
        NextcloudError: the object is not readable; it says which.
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
    """Read objects; return what came of those that are readable, and the addresses of the others."""
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
    """Read for a while; return whether there may be more."""
    until = time.monotonic() + A_WHILE
    for stored in waiting:
        try:
            results.append(read(stored))
        except NextcloudError:
            unreadable.append(stored.href)
        if time.monotonic() > until:
            return True
    return False
