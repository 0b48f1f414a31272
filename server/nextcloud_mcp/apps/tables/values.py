"""Convert a value between Tables' API and tools, by the type of its column.

Selections use labels, and checks use true and false. Only values that Tables stores unchanged are accepted (measured on
1.0.9 and 2.2.2); it would drop others.

Tables stores times without a zone and shows them unchanged. Therefore a time with an offset is converted to the user's
time zone.
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, tzinfo
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from nextcloud_mcp.apps.tables.columns import Column
from nextcloud_mcp.errors import InvalidArgumentError, quoted
from nextcloud_mcp.nextcloud.names import folded

_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,300}(?:\.[0-9]{1,300})?", re.ASCII)
"""Matches a number that a caller passes as text."""

_MAX_NUMBER: Final = sys.float_info.max
_BOOLEAN: Final = TypeAdapter(bool)
"""Accepts the same values as Boolean tool arguments."""

_BOUNDS: Final = {"stars": (0, 5), "progress": (0, 100)}
_USER = 0


def encode_value(column: Column, name: str, value: Any) -> Any:
    """Return the API's value for a caller's value; `name` is what the caller calls the column.

    Raises:
        InvalidArgumentError: the column cannot store the value.
    """
    try:
        if value in (None, "", []) or (column.type in _WITHOUT_BLANKS and _stripped(value) == ""):
            return _check_may_be_empty(column)
        return _ENCODERS.get(column.type, _unchanged)(column, value)
    except ValueError as error:
        raise InvalidArgumentError(
            "data[{name}] {problem}", "correct that value", argument="data", name=quoted(name), problem=str(error)
        ) from None


_WITHOUT_BLANKS: Final = frozenset({"datetime", "usergroup"})
"""Types of columns in which leading and trailing blanks of a text have no meaning."""


def _stripped(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


def _check_may_be_empty(column: Column) -> None:
    if column.mandatory:
        raise ValueError("is empty, but the column is mandatory")
    if column.type == "number":
        raise ValueError("is empty, which a number column stores as 0: write 0, or leave it away")


def _unchanged(_column: Column, value: Any) -> Any:
    return value


def _text(column: Column, value: Any) -> str:
    if column.subtype == "link":
        return _link(column, value)
    if not isinstance(value, str):
        raise ValueError("must be a text")  # noqa: TRY004 - the caller converts only a ValueError
    if column.text_max_length and len(value) > column.text_max_length:
        raise ValueError(f"has {len(value)} characters, and at most {column.text_max_length} are allowed")
    return value


def _link(column: Column, value: Any) -> str:
    """Return a link as JSON, because Tables may store only a part of a bare URL, or nothing."""
    link = value if isinstance(value, dict) else {"value": value}
    address = str(link.get("value")).strip()
    scheme, _, rest = address.partition("://")
    if scheme.lower() not in {"http", "https"} or not rest or rest[0] in "/?#":
        raise ValueError("must be an http or https address, such as https://example.org, or {title, value} with one")
    address = f"{scheme.lower()}://{rest}"  # Tables rejects a scheme in capitals
    provider = link.get("providerId")
    kept = {"providerId": provider} if provider in (column.text_allowed_pattern or "").split(",") and provider else {}
    text = json.dumps({"title": str(link.get("title") or address), "value": address, **kept})
    return text.replace(" (http", " \\u0028http")  # Tables parses ` (http` as the link format of its exports


def _number(column: Column, value: Any) -> float:
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):  # clients may pass any number as text
        value = float(value) if "." in value else int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _MAX_NUMBER:
        raise ValueError("must be a number")
    low, high = _BOUNDS.get(column.subtype or "", (column.number_min, column.number_max))
    if (low is not None and value < low) or (high is not None and value > high):
        raise ValueError(f"must be {_between(low, high)}")
    decimals = column.number_decimals or 0
    if round(value, decimals) != value:
        raise ValueError(f"would be rounded: the column keeps {decimals} decimals")
    return value


def _between(low: float | None, high: float | None) -> str:
    bounds = {"at least": low, "at most": high}
    return " and ".join(f"{word} {bound:g}" for word, bound in bounds.items() if bound is not None)


def _selection(column: Column, value: Any) -> Any:
    if column.subtype == "check":
        try:
            return str(_BOOLEAN.validate_python(_stripped(value))).lower()
        except ValidationError:
            raise ValueError("must be true or false") from None
    if column.subtype == "multi":
        return [_option(column, each) for each in (value if isinstance(value, list) else [value])]
    return _option(column, value)


def _option(column: Column, value: Any) -> int:
    """Return the id of an option, given the value that reading returns, its label, or its id, in this order.

    If several options have the same label, reading returns their ids, as numbers.
    """
    options = _option_values(column)
    read = [each for each, label in options.items() if type(label) is type(value) and label == value]
    text = str(int(value) if isinstance(value, float) and value.is_integer() else value)
    found = read or [option.id for option in column.selection_options if text == option.label]
    if len(found) > 1:
        raise ValueError(f"is the label of more than one option: pass one of the ids {', '.join(map(str, found))}")
    alike = [each.id for each in column.selection_options if folded(each.label.strip()) == folded(text.strip())]
    found = found or (alike if len(alike) == 1 else [])
    found = found or [option.id for option in column.selection_options if text.strip() == str(option.id)]
    if not found:
        labels = ", ".join(repr(option.label) for option in column.selection_options)
        raise ValueError(f"must be one of {labels}")
    return found[0]


def _option_values(column: Column) -> dict[int, str | int]:
    """Return the value of each option in results, by id: its label, or the id if other options have that label."""
    counts = Counter(option.label for option in column.selection_options)
    return {option.id: option.label if counts[option.label] == 1 else option.id for option in column.selection_options}


def _datetime(column: Column, value: Any) -> str:
    form, read, written = _FORMS.get(column.subtype or "", _FORMS[""])
    try:
        found = read(_stripped(value))
    except (TypeError, ValueError):  # a value that is not text raises TypeError
        raise ValueError(f"must be {form}") from None
    text = written(found)
    if read(text) != found:
        raise ValueError(f"must be {form}, without seconds and time zone")
    return text


_FORMS: Final[Mapping[str, tuple[str, Callable[[str], Any], Callable[[Any], str]]]] = {
    "": ("YYYY-MM-DD HH:MM", datetime.fromisoformat, lambda found: found.isoformat(" ")[: len("YYYY-MM-DD HH:MM")]),
    "date": ("YYYY-MM-DD", date.fromisoformat, date.isoformat),
    "time": ("HH:MM", time.fromisoformat, lambda found: found.isoformat()[: len("HH:MM")]),
}


def parse_aware_datetime(column: Column, value: Any) -> datetime | None:
    """Return the time if the column stores a date with a time and the value has an offset, else None."""
    if column.type != "datetime" or column.subtype or not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    return found if found.tzinfo else None


def in_zone(column: Column, name: str, value: Any, zone: tzinfo | None) -> Any:
    """Convert a time with an offset to local time in `zone`; return other values unchanged."""
    found = parse_aware_datetime(column, value)
    if found is None:
        return value
    if zone is None:
        raise InvalidArgumentError(
            "data[{name}] has an offset, and you have set no time zone in Nextcloud",
            "write the time without it, as people are to see it",
            argument="data",
            name=quoted(name),
        )
    try:
        return found.astimezone(zone).replace(tzinfo=None).isoformat(" ")
    except OverflowError:
        raise InvalidArgumentError(
            "data[{name}] is outside of the years 1 to 9999", "pass another date", argument="data", name=quoted(name)
        ) from None


def _usergroup(column: Column, value: Any) -> list[dict[str, Any]]:
    items = [_member(each) for each in (value if isinstance(value, list) else [value])]
    if len(items) > 1 and not column.usergroup_multiple_items:
        raise ValueError("takes only one entry")
    allowed = (column.usergroup_select_users, column.usergroup_select_groups, column.usergroup_select_teams)
    for item in items:
        if any(allowed) and not allowed[item["type"]]:
            raise ValueError(f"takes no {('users', 'groups', 'teams')[item['type']]}")
    return items


def _member(value: Any) -> dict[str, Any]:
    """Return the API's object for a user, group or team; a text is a user id."""
    value = {"id": value.strip(), "type": _USER} if isinstance(value, str) else value
    kind = value.get("type") if isinstance(value, dict) else None
    if isinstance(kind, bool) or str(kind) not in {"0", "1", "2"} or not isinstance(value.get("id"), str):
        raise ValueError('must be user ids, or {"id": …, "type": 0 for a user, 1 for a group, 2 for a team}')
    return {"id": value["id"], "type": int(str(kind))}


_ENCODERS: Final[Mapping[str, Callable[[Column, Any], Any]]] = {
    "text": _text,
    "number": _number,
    "selection": _selection,
    "datetime": _datetime,
    "usergroup": _usergroup,
}


def decode_value(column: Column, value: Any) -> Any:
    """Return a caller's value for the API's value."""
    if value is None:
        return None
    if column.type == "selection":
        return _decode_selection(column, value)
    if column.type == "text" and column.subtype == "link":
        return _decode_link(value)
    return value


def _decode_selection(column: Column, value: Any) -> Any:
    if column.subtype == "check":
        return str(value).lower() == "true"
    options = {str(number): label for number, label in _option_values(column).items()}
    read = [options.get(str(each), each) for each in _as_list(value)]
    return read if isinstance(value, list) else read[0]


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _decode_link(value: Any) -> Any:
    """Return the title and URL of a link, which Tables stores as JSON."""
    try:
        link = from_json(value)
    except (TypeError, ValueError):
        return value
    if not isinstance(link, dict):
        return value
    provider = link.get("providerId")
    return {"title": link.get("title"), "value": link.get("value")} | (
        {"providerId": provider} if provider not in {None, "url"} else {}
    )


def is_same(column: Column, sent: Any, kept: Any) -> bool:
    """Return whether two of the API's values are the same to a person, such as 1 and 1.0."""
    compare = _COMPARISON_KEYS.get((column.type, column.subtype or "")) or _COMPARISON_KEYS.get((column.type, ""))
    if compare is None:  # an unknown type: any stored value counts as the same
        return kept not in (None, "", [])
    try:
        return bool(compare(sent) == compare(kept))
    except (TypeError, ValueError, KeyError):
        return False


_COMPARISON_KEYS: Final[Mapping[tuple[str, str], Callable[[Any], Any]]] = {
    ("text", ""): str,
    ("text", "link"): lambda value: {name: from_json(value)[name] for name in ("title", "value")},
    ("number", ""): float,
    ("selection", ""): int,
    ("selection", "multi"): lambda value: sorted(map(int, value)),
    ("selection", "check"): lambda value: str(value).lower(),
    ("datetime", ""): str,
    ("usergroup", ""): lambda value: [(each["id"], each["type"]) for each in value],
}
"""Functions by type and subtype: two values are the same if the function returns equal results for them."""
