"""Operations on all events that match a filter. An event that fails is reported, and the others are processed.

If the caller passes a range, an operation changes only the occurrences of a series within that range.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from pydantic import BaseModel

from nextcloud_mcp.apps.calendar import events
from nextcloud_mcp.apps.calendar.caldav import objects
from nextcloud_mcp.apps.calendar.caldav.calendars import get_calendar
from nextcloud_mcp.apps.calendar.calendar_object import EVENT
from nextcloud_mcp.apps.calendar.events import Filter, Match, Range
from nextcloud_mcp.apps.calendar.ical.event_changes import Author, Change
from nextcloud_mcp.errors import InvalidArgumentError, NextcloudMCPError
from nextcloud_mcp.nextcloud.client import Nextcloud

MAX_EVENTS: Final = 100
"""The most events in one operation: as many as one call can process in time and a person can review."""

Work = Callable[[Match, list[str]], Awaitable[object]]
"""The operation on one match, given its recurrence ids; `[""]` means the whole object."""


class BulkItem(BaseModel):
    """What became of one event: `status` is what was done, or "failed" with the reason in `error`."""

    uid: str
    title: str
    calendar_name: str
    recurrence_id: str | None
    status: str
    error: str | None = None


async def update(
    nextcloud: Nextcloud, calendars: Iterable[str], within: Range | None, wanted: Filter, change: Change
) -> list[BulkItem]:
    """Apply `change` to all events that match.

    Raises:
        InvalidArgumentError: more than `MAX_EVENTS` events match.
    """
    author = Author(None)

    async def work(match: Match, recurrence_ids: list[str]) -> None:
        await events.change_stored(nextcloud, match.stored, change, author, recurrence_ids)

    return await _each(nextcloud, calendars, within, wanted, work, done="updated")


async def delete(
    nextcloud: Nextcloud, calendars: Iterable[str], within: Range | None, wanted: Filter
) -> list[BulkItem]:
    """Delete all events that match.

    Raises:
        InvalidArgumentError: more than `MAX_EVENTS` events match.
    """

    async def work(match: Match, recurrence_ids: list[str]) -> None:
        await events.remove(nextcloud, match.stored, recurrence_ids)

    return await _each(nextcloud, calendars, within, wanted, work, done="deleted")


async def move(
    nextcloud: Nextcloud, calendars: Iterable[str], within: Range | None, wanted: Filter, target: str
) -> list[BulkItem]:
    """Move all events that match to the calendar `target`, unchanged.

    Raises:
        NotFoundError: the calendar `target` does not exist.
        InvalidArgumentError: `target` takes no events, or more than `MAX_EVENTS` events match.
    """

    async def work(match: Match, recurrence_ids: list[str]) -> None:
        if recurrence_ids != [""]:
            raise InvalidArgumentError("A series can only be moved whole", "leave start_date and end_date out")
        await objects.move(nextcloud, match.stored, target)

    await get_calendar(nextcloud, target, takes=EVENT)
    sources = [calendar for calendar in calendars if calendar != target]
    return await _each(nextcloud, sources, within, wanted, work, done="moved")


async def _each(
    nextcloud: Nextcloud, calendars: Iterable[str], within: Range | None, wanted: Filter, work: Work, *, done: str
) -> list[BulkItem]:
    matches, unreadable = await events.matching(nextcloud, calendars, within, wanted)
    count = sum(len(match.events) for match in matches)
    if count > MAX_EVENTS:
        raise InvalidArgumentError(
            "{count} events match, and one call changes at most {most}",
            "narrow the selection by dates or text",
            count=count,
            most=MAX_EVENTS,
        )
    items = [item for match in matches for item in await _report(match, within, work, done)]
    return items + [_failed(href) for href in unreadable]


async def _report(match: Match, within: Range | None, work: Work, done: str) -> list[BulkItem]:
    error = None
    try:
        await work(match, [""] if within is None else _names(match))
    except NextcloudMCPError as problem:
        error = str(problem)
    return [
        BulkItem(
            uid=event.uid,
            title=event.title,
            calendar_name=event.calendar_name,
            recurrence_id=event.recurrence_id,
            status="failed" if error else done,
            error=error,
        )
        for event in match.events
    ]


def _names(match: Match) -> list[str]:
    """Return the recurrence ids of the occurrences that match; "" for an event that is no series.

    Raises:
        InvalidArgumentError: the series is not expanded, so the operation would change more than what matches.
    """
    if any(event.recurring and not event.recurrence_id for event in match.events):
        raise InvalidArgumentError(
            "The series happens too often to change a part of it", "leave start_date and end_date out to change all"
        )
    return [event.recurrence_id or "" for event in match.events]


def _failed(href: str) -> BulkItem:
    return BulkItem(
        uid="",
        title="",
        calendar_name=href.rstrip("/").rsplit("/", 2)[-2],
        recurrence_id=None,
        status="failed",
        error=f"{href} is not readable iCalendar: open it in Nextcloud and save it again.",
    )
