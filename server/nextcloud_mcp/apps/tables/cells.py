"""Cells of Nextcloud Tables: what people and models write, against what a column can hold, and back.

A column is named by its title, or by its id where two share a title. Selections are written by label, checks as true
and false. What goes through here is what Tables was measured to store as it is (1.0.9 and 2.2.2); all else it would
drop.

A time in a table has no zone: what people see is what is stored. So a time that is written with an offset is stored as
what the person's clock shows then.
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time, tzinfo
from typing import Any, Final

from pydantic import (
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_serializer,
)
from pydantic.alias_generators import to_camel
from pydantic_core import from_json

from nextcloud_mcp.errors import InvalidArgumentError, quoted
from nextcloud_mcp.nextcloud.names import folded


class Known(BaseModel):
    """Has the names that the API has, and shows nothing that is not set."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    @model_serializer(mode="wrap")
    def _lean(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = handler(self)
        return {name: value for name, value in fields.items() if value is not False and value not in (None, "", [])}


class Option(BaseModel):
    """What a column of type `selection` offers."""

    id: int
    label: str


class Column(Known):
    """A column: `type` is text, number, selection, datetime or usergroup, `subtype` refines it."""

    id: int
    title: str
    type: str
    subtype: str | None = None
    mandatory: bool = False
    description: str | None = None
    number_default: float | None = None
    number_min: float | None = None
    number_max: float | None = None
    number_decimals: int | None = None
    number_prefix: str | None = None
    number_suffix: str | None = None
    text_default: str | None = None
    text_allowed_pattern: str | None = None
    text_max_length: int | None = None
    text_unique: bool | None = None
    selection_options: list[Option] = []
    selection_default: Any = None
    datetime_default: str | None = None
    usergroup_default: list[Any] = []
    usergroup_multiple_items: bool | None = None
    usergroup_select_users: bool | None = None
    usergroup_select_groups: bool | None = None
    usergroup_select_teams: bool | None = None

    @field_validator("number_decimals")
    @classmethod
    def _only_of_numbers(cls, decimals: int | None, info: ValidationInfo) -> int | None:
        """Leave out what Tables says of columns of all types."""
        return decimals if info.data.get("type") == "number" else None


class Cell(Known):
    """A value as the API has it: of a selection, the option's id."""

    column_id: int
    value: Any = None


_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,300}(?:\.[0-9]{1,300})?", re.ASCII)
"""A number that is written as text."""

_MAX_NUMBER: Final = sys.float_info.max
_TRUTH: Final = TypeAdapter(bool)
"""Takes what every argument does that is true or false."""

_BOUNDS: Final = {"stars": (0, 5), "progress": (0, 100)}
_USER = 0


def names(columns: Sequence[Column]) -> dict[int, str]:
    """Return by which name each column is called."""
    titles = Counter(column.title for column in columns)
    ids = {str(column.id) for column in columns}
    return {
        column.id: column.title if titles[column.title] == 1 and column.title not in ids | {""} else str(column.id)
        for column in columns
    }


def decode_row(cells: Iterable[Cell], columns: Sequence[Column]) -> dict[str, Any]:
    """Return a row's values by column; those of columns that the person can't see are not there."""
    called = names(columns)
    by_id = {column.id: column for column in columns}
    return {
        called[cell.column_id]: _shown(by_id[cell.column_id], cell.value) for cell in cells if cell.column_id in by_id
    }


def encode_row(
    data: Mapping[str, Any], columns: Sequence[Column], *, new: bool, zone: tzinfo | None = None
) -> dict[int, Any]:
    """Return the values to send, by column id; a `new` row must have all that is mandatory.

    Raises:
        InvalidArgumentError: with the column that is unknown, missing or can't hold its value.
    """
    called = {name: _column(name, columns) for name in data}
    for column, times in Counter(column.id for column in called.values()).items():
        if times > 1:
            names_given = " and ".join(repr(name) for name, each in called.items() if each.id == column)
            raise InvalidArgumentError(
                "data has {names_given}, which are the same column",
                "name it once",
                argument="data",
                names_given=names_given,
            )
    cells = {
        column.id: _stored(column, name, _in_zone(column, name, data[name], zone)) for name, column in called.items()
    }
    missing = [column.title for column in columns if new and column.mandatory and column.id not in cells]
    if missing:
        raise InvalidArgumentError(
            "data lacks {columns}",
            "these columns are mandatory",
            argument="data",
            columns=", ".join(map(repr, missing)),
        )
    return cells


def has_offset(data: Mapping[str, Any], columns: Sequence[Column]) -> bool:
    """Return whether a time is written with an offset, so that the person's zone is needed."""
    return any(_aware(_column(name, columns), value) for name, value in data.items())


def of_people(data: Mapping[str, Any], columns: Sequence[Column]) -> list[str]:
    """Return the names in `data` of the columns that hold people."""
    return [name for name in data if _column(name, columns).type == "usergroup"]


def lost(sent: Mapping[int, Any], cells: Iterable[Cell], columns: Sequence[Column]) -> list[str]:
    """Return what Tables did not keep of the values that were sent: a phrase for each cell."""
    called, by_id = names(columns), {column.id: column for column in columns}
    kept = {cell.column_id: cell.value for cell in cells}
    return [
        f"{kept.get(number)!r} in place of {value!r} in {called[number]!r}"
        for number, value in sent.items()
        if value is not None and not _is_same(by_id[number], value, kept.get(number))
    ]


def _is_same(column: Column, sent: Any, kept: Any) -> bool:
    compare = _COMPARED.get((column.type, column.subtype or "")) or _COMPARED.get((column.type, ""))
    if compare is None:  # of a type that is not known here: something is kept
        return kept not in (None, "", [])
    try:
        return bool(compare(sent) == compare(kept))
    except (TypeError, ValueError, KeyError):
        return False


_COMPARED: Final[Mapping[tuple[str, str], Callable[[Any], Any]]] = {
    ("text", ""): str,
    ("text", "link"): lambda value: {name: from_json(value)[name] for name in ("title", "value")},
    ("number", ""): float,
    ("selection", ""): int,
    ("selection", "multi"): lambda value: sorted(map(int, value)),
    ("selection", "check"): lambda value: str(value).lower(),
    ("datetime", ""): str,
    ("usergroup", ""): lambda value: [(each["id"], each["type"]) for each in value],
}
"""By type and subtype: what makes two values the same, although Tables writes one in another way."""


def _column(name: str, columns: Sequence[Column]) -> Column:
    matching = [column for column in columns if str(column.id) == name]
    matching = matching or [column for column in columns if column.title == name]
    matching = matching or [column for column in columns if str(column.id) == name.strip()]
    matching = matching or [column for column in columns if folded(column.title.strip()) == folded(name.strip())]
    if not matching:
        known = ", ".join(repr(known) for known in names(columns).values())
        raise InvalidArgumentError(
            "The table has no column {name}", "use {known}", argument="data", name=quoted(name), known=known
        )
    if len(matching) > 1:
        ids = " or ".join(str(column.id) for column in matching)
        raise InvalidArgumentError(
            "The table has more than one column {name}",
            "use its id, {ids}",
            argument="data",
            name=quoted(name),
            ids=ids,
        )
    return matching[0]


def _stored(column: Column, name: str, value: Any) -> Any:
    try:
        if value in (None, "", []) or (column.type in _WITHOUT_BLANKS and _stripped(value) == ""):
            return _emptied(column)
        return _WRITTEN.get(column.type, _unchanged)(column, value)
    except ValueError as error:
        raise InvalidArgumentError(
            "data[{name}] {problem}", "correct that value", argument="data", name=quoted(name), problem=str(error)
        ) from None


_WITHOUT_BLANKS: Final = frozenset({"datetime", "usergroup"})
"""Types of columns in which blanks around a text mean nothing."""


def _stripped(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


def _emptied(column: Column) -> None:
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
        raise ValueError("must be a text")  # noqa: TRY004 - all that a caller got wrong is a ValueError here
    if column.text_max_length and len(value) > column.text_max_length:
        raise ValueError(f"has {len(value)} characters, and at most {column.text_max_length} are allowed")
    return value


def _link(column: Column, value: Any) -> str:
    """Return a link as JSON: of a bare address Tables keeps the part that its pattern knows, or nothing."""
    link = value if isinstance(value, dict) else {"value": value}
    address = str(link.get("value")).strip()
    scheme, _, rest = address.partition("://")
    if scheme.lower() not in {"http", "https"} or not rest or rest[0] in "/?#":
        raise ValueError("must be an http or https address, such as https://example.org, or {title, value} with one")
    address = f"{scheme.lower()}://{rest}"  # Tables takes no scheme in capitals
    provider = link.get("providerId")
    kept = {"providerId": provider} if provider in (column.text_allowed_pattern or "").split(",") and provider else {}
    text = json.dumps({"title": str(link.get("title") or address), "value": address, **kept})
    return text.replace(" (http", " \\u0028http")  # which Tables takes for the form of its exports


def _number(column: Column, value: Any) -> float:
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):  # as clients write any argument that is a number
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
            return str(_TRUTH.validate_python(_stripped(value))).lower()
        except ValidationError:
            raise ValueError("must be true or false") from None
    if column.subtype == "multi":
        return [_option(column, each) for each in (value if isinstance(value, list) else [value])]
    return _option(column, value)


def _option(column: Column, value: Any) -> int:
    """Return the id of the option that a value names: a text or number is a label first, then an id.

    Where options share a label, reading shows their ids, as numbers, and what reading shows counts before all else.
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
    """Return what reading shows of each option, by id: its label, or the id itself where others have that label."""
    counts = Counter(option.label for option in column.selection_options)
    return {option.id: option.label if counts[option.label] == 1 else option.id for option in column.selection_options}


def _datetime(column: Column, value: Any) -> str:
    form, read, written = _FORMS.get(column.subtype or "", _FORMS[""])
    try:
        found = read(_stripped(value))
    except (TypeError, ValueError):  # a number is neither a day nor a time
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


def _aware(column: Column, value: Any) -> datetime | None:
    """Return a time that is written with an offset for a column that takes times of a day."""
    if column.type != "datetime" or column.subtype or not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    return found if found.tzinfo else None


def _in_zone(column: Column, name: str, value: Any, zone: tzinfo | None) -> Any:
    """Return what the person's clock shows at a time that is written with an offset."""
    found = _aware(column, value)
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
    """Return who is meant; a text is a user's id."""
    value = {"id": value.strip(), "type": _USER} if isinstance(value, str) else value
    kind = value.get("type") if isinstance(value, dict) else None
    if isinstance(kind, bool) or str(kind) not in {"0", "1", "2"} or not isinstance(value.get("id"), str):
        raise ValueError('must be user ids, or {"id": …, "type": 0 for a user, 1 for a group, 2 for a team}')
    return {"id": value["id"], "type": int(str(kind))}


_WRITTEN: Final[Mapping[str, Callable[[Column, Any], Any]]] = {
    "text": _text,
    "number": _number,
    "selection": _selection,
    "datetime": _datetime,
    "usergroup": _usergroup,
}


def _shown(column: Column, value: Any) -> Any:
    if value is None:
        return None
    if column.type == "selection":
        return _shown_selection(column, value)
    if column.type == "text" and column.subtype == "link":
        return _shown_link(value)
    return value


def _shown_selection(column: Column, value: Any) -> Any:
    if column.subtype == "check":
        return str(value).lower() == "true"
    options = {str(number): label for number, label in _option_values(column).items()}
    read = [options.get(str(each), each) for each in _as_list(value)]
    return read if isinstance(value, list) else read[0]


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _shown_link(value: Any) -> Any:
    """Return title and address of a link, which Tables keeps as JSON."""
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
