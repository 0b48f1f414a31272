"""Finding calendar objects with the calendar-query REPORT (RFC 4791 section 7.8).

Each object is iCalendar text (RFC 5545) with an ETag. This module treats the text as opaque, and reads the UID alone.
"""

import re
from datetime import datetime
from typing import Final
from xml.etree.ElementTree import Element, SubElement

import httpx

from nextcloud_mcp.apps.calendar.caldav.resources import C, describe, format_utc, path_of
from nextcloud_mcp.apps.calendar.calendar_object import COMPONENT_NAMES, CalendarObject
from nextcloud_mcp.errors import ConflictError, NotFoundError, quoted
from nextcloud_mcp.nextcloud import dav
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.worker_threads import run_in_worker_thread


async def find_all(
    nextcloud: Nextcloud, calendar: str, component: str, *, between: tuple[datetime, datetime] | None = None
) -> list[CalendarObject]:
    """Return the objects with a component; `between` limits them to objects that may have an occurrence in that range.

    The times of `between` need a zone. Nextcloud treats floating times as UTC: if that matters, pass a range that is a
    day longer on both sides. Nextcloud's search by time misses some series, so the result includes those of
    `find_missed`, whether or not they have an occurrence in the range. The caller expands the objects.
    """
    if between is None:
        return await _query(nextcloud, calendar, _component_filter(component))
    found = await find_missed(nextcloud, calendar, component, until=between[1])
    by_time = _component_filter(component)
    SubElement(by_time, f"{C}time-range", start=format_utc(between[0]), end=format_utc(between[1]))
    found += await _query(nextcloud, calendar, by_time)
    return list({each.href: each for each in found}.values())


async def find_missed(nextcloud: Nextcloud, calendar: str, component: str, *, until: datetime) -> list[CalendarObject]:
    """Return the series that Nextcloud's search by time may miss in a range that ends at `until`.

    These are series with RDATE, and series that may repeat beyond what Nextcloud's index covers.
    """
    objects = await _with_property(nextcloud, calendar, component, "RDATE")
    series = await _with_property(nextcloud, calendar, component, "RRULE")
    objects += [each for each in series if until.year >= _INDEX_END_YEAR or _FREQUENT_RULE.search(each.text)]
    return list({each.href: each for each in objects}.values())


_INDEX_END_YEAR: Final = 2038
"""Nextcloud's index contains no occurrences from this year on."""

_FREQUENT_RULE: Final = re.compile(r"^RRULE[:;](?:[^\n]|\n[ \t])*(?:(?:SECOND|MINUTE|HOUR)LY|DAILY|,)", re.MULTILINE)
"""Matches rules that may give more than 3,500 occurrences, after which Nextcloud's index omits a series."""


def _component_filter(component: str) -> Element:
    return Element(f"{C}comp-filter", name=component)


async def _with_property(nextcloud: Nextcloud, calendar: str, component: str, name: str) -> list[CalendarObject]:
    condition = _component_filter(component)
    SubElement(condition, f"{C}prop-filter", name=name)
    return await _query(nextcloud, calendar, condition)


async def find(nextcloud: Nextcloud, calendar: str, component: str, uid: str, *, etag: str = "") -> CalendarObject:
    """Return the object with this UID.

    Raises:
        ConflictError: the ETag of the object is no longer `etag`.
        NotFoundError: the object or the calendar does not exist.
    """
    condition = Element(f"{C}comp-filter", name=component)
    has_uid = SubElement(condition, f"{C}prop-filter", name="UID")
    SubElement(has_uid, f"{C}text-match", collation="i;octet").text = uid
    # RFC 4791 section 9.7.5: text-match finds substrings
    found = [each for each in await _query(nextcloud, calendar, condition) if _read_uid(each.text) == uid]
    if not found:
        raise NotFoundError(
            "No {kind} {uid} in {resource}",
            "check both, or list the {kind}s",
            kind=COMPONENT_NAMES[component],
            uid=quoted(uid),
            resource=describe(calendar),
        )
    stored = found[0]
    if etag and dav.parse_etag(etag) != stored.etag:
        raise changed_object_error(stored)
    return stored


async def _query(nextcloud: Nextcloud, calendar: str, condition: Element) -> list[CalendarObject]:
    document = Element(f"{C}calendar-query")
    wanted = SubElement(document, f"{dav.D}prop")
    SubElement(wanted, f"{dav.D}getetag")
    SubElement(wanted, f"{C}calendar-data")
    SubElement(SubElement(document, f"{C}filter"), f"{C}comp-filter", name="VCALENDAR").append(condition)
    response = await nextcloud.request(
        "REPORT",
        await path_of(nextcloud, calendar),
        about=describe(calendar),
        headers={"Depth": "1"},
        content=dav.body(document),
    )
    return await run_in_worker_thread(_read_objects, calendar, response)  # thousands of objects take tenths of seconds


def _read_objects(calendar: str, response: httpx.Response) -> list[CalendarObject]:
    return [_read_object(calendar, element) for element in dav.each_response(response)]


def _read_object(calendar: str, response: Element) -> CalendarObject:
    properties = dav.properties(response)
    text = {tag: element.text or "" for tag, element in properties.items()}
    href = response.findtext(f"{dav.D}href", "")
    return CalendarObject(
        calendar=calendar,
        name=dav.last_part(response),
        href=href,
        etag=dav.unquoted(text.get(f"{dav.D}getetag")) or "",
        text=text.get(f"{C}calendar-data", ""),
    )


def changed_object_error(stored: CalendarObject) -> ConflictError:
    """Return the error for an object that has changed since the caller read it."""
    kind = "Task" if re.search(r"^BEGIN:VTODO", stored.text, re.MULTILINE | re.IGNORECASE) else "Event"
    return dav.etag_mismatch_error(
        f"{kind} {quoted(_read_uid(stored.text) or stored.name)} in {describe(stored.calendar)}"
    )


def _read_uid(text: str) -> str | None:
    """Return the first UID in iCalendar text, after unfolding its lines (RFC 5545 section 3.1)."""
    found = re.search(r"^UID(?:;[^:\n]*)?:(.*)$", re.sub(r"\r?\n[ \t]", "", text), re.MULTILINE | re.IGNORECASE)
    return re.sub(r"\\([\\;,])", r"\1", found[1].strip()) if found else None
