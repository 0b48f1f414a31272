"""Changes to recurring events: tools change them, and plain CalDAV writes and reads them."""

import re
from typing import Final

import httpx
import pytest
from mcp import Client

from stack.chain import Chain
from tests.e2e.servers import Connect, NextcloudOf
from tests.support.ics import WRITTEN_BY, ics
from tests.support.mcp_client import use

CALENDAR: Final = "/remote.php/dav/calendars/alice/personal"
PERSONAL: Final = {"calendar_name": "personal"}
STAMPS: Final = ("DTSTAMP", "LAST-MODIFIED", "SEQUENCE")
BERLIN: Final = "DTSTART;TZID=Europe/Berlin"


async def put(nextcloud: httpx.AsyncClient, uid: str, ical: str) -> None:
    """Store an object as another program does."""
    headers = {"Content-Type": "text/calendar; charset=utf-8"}
    stored = await nextcloud.put(f"{CALENDAR}/{uid}.ics", content=ical.replace("\n", "\r\n").encode(), headers=headers)
    assert stored.status_code == 201, stored.text


async def take(nextcloud: httpx.AsyncClient, uid: str) -> list[str]:
    """Return the unfolded lines of an object, and delete it."""
    path = f"{CALENDAR}/{uid}.ics"
    lines = unfold((await nextcloud.get(path)).text)
    await nextcloud.delete(path)
    return lines


def series(uid: str, *lines: str, override: tuple[str, ...]) -> str:
    """Return an event with these lines, and one occurrence that differs."""
    _, begin, changed = ics(*override, uid=uid).partition("BEGIN:VEVENT")
    return ics(*lines, uid=uid).removesuffix("END:VCALENDAR\n") + begin + changed


async def starts(client: Client, uid: str, first: str, last: str) -> list[str]:
    """Return when the occurrences of an event begin, as the list has them."""
    listed = (await use(client, "nc_calendar_list_events", **PERSONAL, start_date=first, end_date=last))["events"]
    return [event["start_datetime"][:16] for event in listed if event["uid"] == uid]


async def test_moving_a_series_moves_rule_and_exceptions(
    connect: Connect, nextcloud_of: NextcloudOf, unique: str
) -> None:
    """The rule, the excluded occurrence and the changed occurrence move with the series."""
    when = (f"{BERLIN}:20261006T101500", "DURATION:PT30M", "RRULE:FREQ=WEEKLY;BYDAY=TU;COUNT=6")
    changed = ("RECURRENCE-ID;TZID=Europe/Berlin:20261020T101500", f"{BERLIN}:20261020T140000", "DURATION:PT30M")
    ical = series(unique, *when, "EXDATE;TZID=Europe/Berlin:20261013T101500", override=changed)
    async with connect("alice") as client, nextcloud_of("alice") as nextcloud:
        await put(nextcloud, unique, ical)
        await use(client, "nc_calendar_update_event", **PERSONAL, event_uid=unique, start_datetime="2026-10-07T10:15")
        found = await starts(client, unique, "2026-10-01", "2026-12-31")
        lines = await take(nextcloud, unique)
    (rule,) = (line for line in events(lines) if line.startswith("RRULE"))
    assert set(rule.removeprefix("RRULE:").split(";")) == {"FREQ=WEEKLY", "BYDAY=WE", "COUNT=6"}
    days = ["2026-10-07T10:15", "2026-10-21T14:00", "2026-10-28T10:15", "2026-11-04T10:15", "2026-11-11T10:15"]
    assert found == days


CLOCK_CHANGES: Final = {
    "the repeated hour": ("20261024T023000", "2026-10-24", "2026-10-26"),
    "the skipped hour": ("20270327T023000", "2027-03-27", "2027-03-29"),
}


@pytest.mark.parametrize(("start", "first", "last"), CLOCK_CHANGES.values(), ids=CLOCK_CHANGES.keys())
async def test_listed_occurrence_can_be_deleted_by_its_id(
    connect: Connect, nextcloud_of: NextcloudOf, unique: str, start: str, first: str, last: str
) -> None:
    """Each occurrence can be deleted by its listed id, also around a daylight saving change."""
    ical = ics(f"{BERLIN}:{start}", "DURATION:PT30M", "RRULE:FREQ=DAILY;COUNT=9", uid=unique)
    async with connect("alice") as client, nextcloud_of("alice") as nextcloud:
        await put(nextcloud, unique, ical)
        listed = (await use(client, "nc_calendar_list_events", **PERSONAL, start_date=first, end_date=last))["events"]
        ids = [event["recurrence_id"] for event in listed if event["uid"] == unique]
        for recurrence_id in ids:
            await use(client, "nc_calendar_delete_event", **PERSONAL, event_uid=unique, recurrence_id=recurrence_id)
        left = await starts(client, unique, first, last)
        lines = await take(nextcloud, unique)
    assert (len(ids), left) == (3, [])
    assert sum(len(line.split(",")) for line in lines if line.startswith("EXDATE")) == 3


async def test_series_with_rrule_and_rdate_is_listed_in_every_month(
    connect: Connect, nextcloud_of: NextcloudOf, unique: str
) -> None:
    """The list has the rule's occurrences even in months where Nextcloud's time filter misses them."""
    when = ("DTSTART:20261006T100000Z", "DURATION:PT1H", "RRULE:FREQ=WEEKLY", "RDATE:20261008T100000Z")
    async with connect("alice") as client, nextcloud_of("alice") as nextcloud:
        await put(nextcloud, unique, ics(*when, uid=unique))
        found = await starts(client, unique, "2026-11-01", "2026-11-30")
        await take(nextcloud, unique)
    assert [start[:10] for start in found] == ["2026-11-03", "2026-11-10", "2026-11-17", "2026-11-24"]


@pytest.mark.parametrize("program", WRITTEN_BY)
async def test_read_event_can_be_written_back_unchanged(
    connect: Connect, nextcloud_of: NextcloudOf, chain: Chain, unique: str, program: str
) -> None:
    """The result of a read can be passed to an update: Nextcloud keeps every line except the time stamps."""
    if program == "Evolution" and chain.nextcloud.kind == "stand-in":
        pytest.skip("The stand-in's calendar server refuses the name that Evolution gives a time zone.")
    ical = WRITTEN_BY[program].replace("UID:theirs", f"UID:{unique}").replace("METHOD:PUBLISH\n", "")
    async with connect("alice") as client, nextcloud_of("alice") as nextcloud:
        await put(nextcloud, unique, ical)
        stored = (await nextcloud.get(f"{CALENDAR}/{unique}.ics")).text
        told = await use(client, "nc_calendar_get_event", **PERSONAL, event_uid=unique)
        fields = ("title", "description", "location", "start_datetime", "end_datetime", "categories", "privacy", "url")
        same = {name: told[name] for name in fields if told.get(name) is not None}
        zone = told["time_zone"] or ""
        await use(
            client, "nc_calendar_update_event", **PERSONAL, event_uid=unique, **same, time_zone=zone, etag=told["etag"]
        )
        lines = await take(nextcloud, unique)
    assert kept(lines) == kept(unfold(stored))


def unfold(ical: str) -> list[str]:
    """Return the lines of an object, each whole (RFC 5545 section 3.1)."""
    return re.sub(r"\r?\n[ \t]", "", ical).splitlines()


def events(lines: list[str]) -> list[str]:
    """Return an object's lines without those of its zones, which the stand-in writes in an order of its own."""
    return lines[lines.index("BEGIN:VEVENT") :]


def kept(lines: list[str]) -> list[str]:
    """Return what is to stay of the events in an object."""
    return [line for line in events(lines) if not line.startswith(STAMPS)]
