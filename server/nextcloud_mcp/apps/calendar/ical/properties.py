"""Reading and setting the properties that events and tasks share (RFC 5545 section 3.8)."""

from collections.abc import Iterable, MutableMapping
from datetime import UTC, datetime
from typing import Any, Final, Protocol, cast

from icalendar import Component, vDDDTypes, vRecur, vText

from nextcloud_mcp.apps.calendar.ical.comma_lists import join_known, split_argument, split_list
from nextcloud_mcp.errors import InvalidArgumentError
from nextcloud_mcp.nextcloud import content_lines
from nextcloud_mcp.nextcloud.moments import Moment

_VENDOR_DUPLICATES: Final = {"DESCRIPTION": ("X-ALT-DESC",), "LOCATION": ("X-APPLE-STRUCTURED-LOCATION",)}
"""Properties that duplicate a standard one, and that other programs show instead of it."""

_MAX_DIGITS: Final = 10


def text(component: Component, name: str) -> str:
    """Return the first property of this name as text, or "" without one."""
    value = component.get(name, "")
    return str(value[0] if isinstance(value, list) else value)


def as_list(value: Any) -> list[Any]:
    """Return the properties of one name: icalendar has a list of several, and a single one as it is."""
    return value if isinstance(value, list) else [value]


def categories(component: Component) -> list[str]:
    """Return the categories. icalendar's own property is not used, because reading it rewrites CATEGORIES."""
    found: Any = component.get("CATEGORIES", [])
    return [str(name) for each in as_list(found) for name in each.cats]


class Timed(Protocol):
    """A property whose value is a date or a time."""

    dt: Moment
    params: MutableMapping[str, str]


def timed(component: Component, name: str) -> Timed | None:
    """Return a date or time property, or None if it is missing, with a narrower type than icalendar's."""
    value: Any = component.get(name)
    return cast("Timed | None", value)


def at(component: Component, name: str) -> Timed:
    """Return a date or time property that is present, with a narrower type than icalendar's."""
    value: Any = component[name]
    return cast("Timed", value)


def number(value: str) -> int:
    """Parse a whole number of fewer than `_MAX_DIGITS` digits; return 0 for any other text."""
    return int(value) if value.isdecimal() and len(value) < _MAX_DIGITS else 0


def format_rules(rules: Iterable[vRecur]) -> str:
    """Return the rules of a series as text, one a line; nearly all series have one."""
    return "\n".join(format_rule(rule) for rule in rules)


def format_rule(rule: vRecur) -> str:
    """Return a rule in the format of RFC 5545 section 3.3.10."""
    ical: bytes = rule.to_ical()  # type: ignore[no-untyped-call]
    return ical.decode()


def set_text(component: Component, name: str, value: str) -> None:
    """Set a text property, or remove it if `value` is empty. Control characters in `value` become spaces."""
    for other in (name, *_VENDOR_DUPLICATES.get(name, ())):
        component.pop(other, None)
    if text := content_lines.text(value):
        component[name] = vText(text)


def set_priority(component: Component, priority: int | None) -> None:
    """Set PRIORITY: 1 is the highest, 9 the lowest, 0 none.

    Raises:
        InvalidArgumentError: `priority` is not from 0 to 9.
    """
    if priority is None:
        return
    if not 0 <= priority <= 9:  # noqa: PLR2004 - RFC 5545 section 3.8.1.9
        raise InvalidArgumentError(
            "Invalid priority {priority}",
            "use 1 (highest) to 9 (lowest), or 0 for no priority",
            argument="priority",
            priority=priority,
        )
    component.pop("PRIORITY", None)
    component.add("priority", priority)


def set_categories(component: Component, listed: str | None) -> None:
    """Set CATEGORIES from a comma-separated list; an empty list removes them.

    A present category that contains a comma stays one category.
    """
    if listed is None:
        return
    known = {", ".join(split_list(each)): each for each in categories(component) if "," in each}
    component.pop("CATEGORIES", None)
    if names := join_known(split_argument(content_lines.text(listed)), known):
        component.add("categories", names)


def stamp(component: Component) -> None:
    """Set DTSTAMP and LAST-MODIFIED to the present time."""
    for name in ("DTSTAMP", "LAST-MODIFIED"):
        component[name] = vDDDTypes(datetime.now(UTC).replace(microsecond=0))
