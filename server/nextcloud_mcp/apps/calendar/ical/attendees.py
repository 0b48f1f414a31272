"""The attendees and the organizer of an event (RFC 5545 sections 3.8.4.1 and 3.8.4.3)."""

import re
from collections.abc import Set as AbstractSet
from typing import Final

from icalendar import Event as VEvent
from icalendar import vCalAddress

from nextcloud_mcp.apps.calendar.ical.comma_lists import check_length, join_known, split_list
from nextcloud_mcp.errors import InvalidArgumentError
from nextcloud_mcp.nextcloud import content_lines


def address(uri: str) -> str:
    """Return the mail address in a `mailto:` URI; any other URI as it is."""
    return uri[len("mailto:") :] if uri.lower().startswith("mailto:") else uri


def mail_addresses(listed: str, known: AbstractSet[str] = frozenset()) -> list[str]:
    """Return the mail addresses in the argument `attendees`; all else is as for `parse_attendees`."""
    return list(parse_attendees(listed, known))


def parse_attendees(listed: str, known: AbstractSet[str] = frozenset()) -> dict[str, str]:
    """Parse the argument `attendees`; return names by mail address, without `mailto:`.

    Each attendee is an address, or a name and an address as in mail headers: `Bob <bob@example.org>`. A name with a
    comma is in quotes (RFC 5322 section 3.4). Items that are in `known`, in lower case, are accepted unchanged, because
    attendees whom another program invited may have no mail address.

    Raises:
        InvalidArgumentError: the list is too long, or an attendee has no mail address or contains a line break.
    """
    text = content_lines.one_line(listed, "attendees")
    check_length(text)
    items = [item for found in _LIST_ITEM.findall(text) if (item := found.strip())]
    together = {", ".join(split_list(each)): each for each in known if "," in each}
    people: dict[str, str] = {}
    for item in join_known(items, together, as_key=str.lower):
        name, address = _parse_attendee(item)
        is_address = "@" in address.strip("@") and not any(each in address for each in ' "<>')
        if item.lower() not in known and not (is_address and not any(each in name for each in "<>")):
            raise InvalidArgumentError(
                "Invalid mail address {item!r} in attendees",
                (
                    "pass addresses separated by commas, or names with addresses, in quotes where they have a comma: "
                    '"Doe, Jane" <jane@example.org>'
                ),
                argument="attendees",
                item=item[:100],
            )
        people.setdefault(item if item.lower() in known else address, name)
    return people


_LIST_ITEM: Final = re.compile(r'((?:"[^"]*+"|[^,])++),?')
"""Matches one item of a comma-separated list; commas in quotes do not separate."""


def _parse_attendee(item: str) -> tuple[str, str]:
    """Return the name, which may be "", and the address of one attendee."""
    name, _, address = item.removesuffix(">").rpartition("<") if item.endswith(">") else ("", "", item)
    name = name.strip()
    if len(name) > 1 and name[0] == name[-1] == '"':
        name = re.sub(r"\\(.)", r"\1", name[1:-1])
    return name.replace('"', "'").strip(), address.strip().removeprefix("mailto:")


def set_attendees(event: VEvent, listed: str | None, mailto: str | None) -> None:
    """Replace the attendees. Present attendees keep their PARTSTAT and other parameters.

    If the user is the organizer, Nextcloud sends invitations to new attendees and cancellations to removed ones.
    """
    if listed is None:
        return
    known: dict[str, list[vCalAddress]] = {}
    for each in event.attendees:
        known.setdefault(address(each).lower(), []).append(each)
    wanted = parse_attendees(listed, known.keys())
    event.pop("ATTENDEE", None)
    for uri in dict.fromkeys(each.lower() if each.lower() in known else each for each in wanted):
        for attendee in known.get(uri) or [_new_attendee(uri, wanted[uri])]:
            event.add("attendee", attendee)
    if wanted and mailto and "ORGANIZER" not in event:
        event["ORGANIZER"] = vCalAddress(mailto)


def _new_attendee(address: str, name: str) -> vCalAddress:
    attendee = vCalAddress(f"mailto:{address}")
    if name:
        attendee.params["CN"] = name
    attendee.params.update({"ROLE": "REQ-PARTICIPANT", "PARTSTAT": "NEEDS-ACTION", "RSVP": "TRUE"})
    return attendee
