"""Calendar objects: what a calendar contains (RFC 4791 section 4.1)."""

from dataclasses import dataclass
from typing import Final

EVENT: Final = "VEVENT"
TASK: Final = "VTODO"
COMPONENT_NAMES: Final = {EVENT: "event", TASK: "task"}
"""What errors call a calendar component (RFC 5545 section 3.6)."""


@dataclass(frozen=True)
class CalendarObject:
    """A stored calendar object: an event with all its occurrences, or a task.

    Attributes:
        calendar: The name of its calendar.
        name: The last segment of its URL, decoded.
        href: The path of its URL, as Nextcloud returns it.
        etag: The ETag of `text`, without quotes.
        text: The iCalendar text.
    """

    calendar: str
    name: str
    href: str
    etag: str
    text: str
