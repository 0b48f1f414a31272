"""Writing iCalendar (RFC 5545 section 3.4), so that what a change does not name keeps its text."""

from collections.abc import Set as AbstractSet
from datetime import date
from typing import Final

from icalendar import Calendar as VCalendar

from nextcloud_mcp.apps.calendar.ical.parsing import own_zones, parse
from nextcloud_mcp.apps.calendar.ical.properties import timed
from nextcloud_mcp.nextcloud import content_lines

PRODID: Final = "-//nextcloud-mcp//EN"


def serialize(calendar: VCalendar, *, missing_tzids: AbstractSet[str] = frozenset(), original: str = "") -> str:
    """Serialize iCalendar in its order; add a VTIMEZONE for each zone that lacks one and is not in `missing_tzids`.

    Content lines with the same meaning as in the `original` keep the text of the original.
    """
    starts = [start.dt.year for each in calendar.subcomponents if (start := timed(each, "DTSTART"))]
    if calendar.get_missing_tzids() - missing_tzids:
        with own_zones():
            calendar.add_missing_timezones(first_date=date(max(min(starts, default=1971) - 1, 1), 1, 1))
    text = _to_text(calendar)
    return content_lines.restore(text, _to_text(parse(original)), original) if original else text


def _to_text(calendar: VCalendar) -> str:
    ical: bytes = calendar.to_ical(sorted=False)
    return ical.decode()
