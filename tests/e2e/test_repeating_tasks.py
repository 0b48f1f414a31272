"""Completion of a recurring task: the result in Nextcloud, read over plain CalDAV."""

from collections.abc import AsyncIterator
from typing import Final

import httpx
import pytest

from tests.e2e.servers import Connect, NextcloudOf
from tests.support.ics import ics, unfolded
from tests.support.mcp_client import use

WATERING: Final = (
    "SUMMARY:Water the plants",
    "DTSTART;TZID=Europe/Berlin:20261020T090000",
    "DUE;TZID=Europe/Berlin:20261020T180000",
    "RRULE:FREQ=WEEKLY;BYDAY=TU;COUNT=2",
    "BEGIN:VALARM",
    "ACTION:DISPLAY",
    "DESCRIPTION:Water",
    "TRIGGER;RELATED=END:-PT1H",
    "END:VALARM",
)
"""Twice, on each side of the change to winter time."""


@pytest.fixture
async def nextcloud(nextcloud_of: NextcloudOf) -> AsyncIterator[httpx.AsyncClient]:
    """Bob's Nextcloud: alice makes nearly all of the ten calendars that Nextcloud allows a person in an hour."""
    async with nextcloud_of("bob") as http:
        yield http


@pytest.fixture
async def calendar(nextcloud: httpx.AsyncClient, unique: str) -> AsyncIterator[str]:
    """The path of a calendar of Bob's that takes tasks."""
    path = f"/remote.php/dav/calendars/bob/{unique}"
    assert (await nextcloud.request("MKCALENDAR", path)).status_code == 201
    yield path
    await nextcloud.delete(path, headers={"X-NC-CalDAV-No-Trashbin": "1"})


async def test_completed_recurring_task_reopens_for_next_date(
    connect: Connect, nextcloud: httpx.AsyncClient, calendar: str, unique: str
) -> None:
    """It reopens for the next date with its reminder; each completion stays as a task; the last one ends it."""
    path = f"{calendar}/{unique}.ics"
    written = ics(*WATERING, kind="VTODO", uid=unique).replace("\n", "\r\n")
    stored = await nextcloud.put(path, content=written, headers={"Content-Type": "text/calendar; charset=utf-8"})
    assert stored.status_code == 201, stored.text
    task = {"calendar_name": unique, "todo_uid": unique, "status": "COMPLETED"}
    async with connect("bob") as client:
        await use(client, "nc_calendar_update_todo", **task)
        open_again = unfolded((await nextcloud.get(path)).text)
        once = (await use(client, "nc_calendar_list_todos", calendar_name=unique))["todos"]
        await use(client, "nc_calendar_update_todo", **task)
        ended = unfolded((await nextcloud.get(path)).text)
        twice = (await use(client, "nc_calendar_list_todos", calendar_name=unique))["todos"]
    next_date = {
        "DTSTART;TZID=Europe/Berlin:20261027T090000",
        "DUE;TZID=Europe/Berlin:20261027T180000",
        "STATUS:NEEDS-ACTION",
        "TRIGGER;RELATED=END:-PT1H",
    }
    assert next_date <= set(open_again)
    assert "STATUS:COMPLETED" in ended
    assert {(each["due"][:10], each["status"]) for each in once} == {
        ("2026-10-20", "COMPLETED"),
        ("2026-10-27", "NEEDS-ACTION"),
    }
    assert {(each["due"][:10], each["status"]) for each in twice} == {
        ("2026-10-20", "COMPLETED"),
        ("2026-10-27", "COMPLETED"),
    }
