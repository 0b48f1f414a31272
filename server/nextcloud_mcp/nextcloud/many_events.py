"""One operation on all events that match. Each stands for itself: what fails is reported, and the rest is done.

In a time that the caller names, a series is only worked on where it happens in that time: its other occurrences stay.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from pydantic import BaseModel

from nextcloud_mcp.errors import InvalidArgumentError, NextcloudMCPError
from nextcloud_mcp.nextcloud import caldav, events
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.events import Filter, Match, Range
from nextcloud_mcp.nextcloud.vevent_changes import Change, Whose, changed

MOST: Final = 100
"""Events in one operation: what a call can do in its time, and what a person can look over."""

Work = Callable[[Match, list[str]], Awaitable[object]]
"""What is done to a match: to all of it, or to the occurrences of these names."""


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
    """Change all that matches in the same way."""
    if change == Change():
        raise InvalidArgumentError("Nothing is to be changed: pass at least one of the new_… arguments.")
    whose = Whose(None)

    async def work(match: Match, recurrence_ids: list[str]) -> None:
        ical = ""
        for recurrence_id in recurrence_ids:
            ical = changed(match.series, change, whose, recurrence_id=recurrence_id)
        await caldav.replace(nextcloud, match.series.stored, ical)

    return await _each(nextcloud, calendars, within, wanted, work, done="updated")


async def delete(
    nextcloud: Nextcloud, calendars: Iterable[str], within: Range | None, wanted: Filter
) -> list[BulkItem]:
    """Delete all that matches."""

    async def work(match: Match, recurrence_ids: list[str]) -> None:
        await events.remove(nextcloud, match.series, recurrence_ids)

    return await _each(nextcloud, calendars, within, wanted, work, done="deleted")


async def move(
    nextcloud: Nextcloud, calendars: Iterable[str], within: Range | None, wanted: Filter, target: str
) -> list[BulkItem]:
    """Move all that matches to another calendar, as it is."""

    async def work(match: Match, recurrence_ids: list[str]) -> None:
        if recurrence_ids != [""]:
            raise InvalidArgumentError("A series can only be moved whole: leave start_date and end_date away.")
        await caldav.move(nextcloud, match.series.stored, target)

    await caldav.get_calendar(nextcloud, target, takes=caldav.EVENT)
    sources = [calendar for calendar in calendars if calendar != target]
    return await _each(nextcloud, sources, within, wanted, work, done="moved")


async def _each(
    nextcloud: Nextcloud, calendars: Iterable[str], within: Range | None, wanted: Filter, work: Work, *, done: str
) -> list[BulkItem]:
    matches, unreadable = await events.matching(nextcloud, calendars, within, wanted)
    count = sum(len(match.events) for match in matches)
    if count > MOST:
        raise InvalidArgumentError(
            f"{count} events match, and at most {MOST} can be worked on at once: narrow it by dates or text."
        )
    items = [item for match in matches for item in await _report(match, within, work, done)]
    return items + [_failed(href) for href in unreadable]


async def _report(match: Match, within: Range | None, work: Work, done: str) -> list[BulkItem]:
    summaries = [match.series.summary(event) for event in match.events]
    by_occurrence = within is not None and match.series.recurring
    names = [summary.recurrence_id or "" for summary in summaries] if by_occurrence else [""]
    error = None
    try:
        await work(match, names)
    except NextcloudMCPError as problem:
        error = str(problem)
    return [
        BulkItem(
            uid=summary.uid,
            title=summary.title,
            calendar_name=summary.calendar_name,
            recurrence_id=summary.recurrence_id,
            status="failed" if error else done,
            error=error,
        )
        for summary in summaries
    ]


def _failed(href: str) -> BulkItem:
    return BulkItem(
        uid="",
        title="",
        calendar_name=href.rstrip("/").rsplit("/", 2)[-2],
        recurrence_id=None,
        status="failed",
        error=f"{href} is not readable iCalendar: open it in Nextcloud and save it anew.",
    )
