"""Read, create and change vCards 3 and 4 (RFC 2426, RFC 6350).

Cards come from many programs, each with its own properties. Therefore a change rewrites only the lines of the changed
fields. It keeps all other lines byte for byte: photos, labels, parameters, folding, order.

Reading and writing use the same fields, so a caller can change what it has read and pass it back.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import islice
from typing import Annotated, Any, ClassVar, Final, Literal, NamedTuple, get_args

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    ValidationInfo,
    model_serializer,
    model_validator,
)
from pydantic_core import ErrorDetails, to_json

from nextcloud_mcp.errors import MAX_QUOTED, InvalidArgumentError, NextcloudError, quoted, quoted_names
from nextcloud_mcp.nextcloud import content_lines
from nextcloud_mcp.nextcloud.content_lines import MAX_LINES, ContentLine, escape, split_values, unescape, write

Kind = Literal["individual", "group", "org", "location"]


class _Fields(BaseModel):
    """Base model that forbids unknown fields and serializes no empty ones."""

    _null_is_absent: ClassVar[bool] = True

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _without_null(cls, fields: Any) -> Any:
        """Treat an optional field that is null as missing."""
        if not isinstance(fields, dict) or not cls._null_is_absent:
            return fields
        parts = cls.model_fields
        return {
            name: value
            for name, value in fields.items()
            if value is not None or name not in parts or parts[name].is_required()
        }

    @model_serializer(mode="wrap")
    def _lean(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if value not in (None, "", [])}


def _to_nonempty_list(value: Any) -> Any:
    """Return the values that are not empty; a single value becomes a list of one."""
    values = [value] if isinstance(value, str | dict) else value
    return [each for each in values if each not in _EMPTY] if isinstance(values, list) else values


_EMPTY: Final = (None, "", {"value": ""})


def _split_commas(value: Any) -> Any:
    return _to_nonempty_list([part.strip() for part in value.split(",")] if isinstance(value, str) else value)


def _strip_trailing_empty(value: Any) -> Any:
    """Return a list of values without the empty ones at its end; empty ones between others keep the positions."""
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list):
        return values
    filled = [index for index, each in enumerate(values, 1) if each not in _EMPTY]
    return ["" if each is None else each for each in values[: max(filled, default=0)]]


def _to_typed_value(value: Any, info: ValidationInfo) -> Any:
    """Convert text to an object; accept an object without `value` if the card has it, as some programs write it."""
    if isinstance(value, dict) and "value" not in value and _is_present_value(value, info):
        return {"value": "", **value}
    return {"value": value} if isinstance(value, str) else value


def _is_present_value(value: Any, info: ValidationInfo) -> bool:
    """Return whether the present card contains a value; such a value is valid in any form."""
    return _key(value) in (info.context or ())


def _key(value: Any) -> Any:
    """Return a hashable form of a text or an object."""
    return json.dumps(value, sort_keys=True).encode() if isinstance(value, dict) else value


def _uri(text: str, info: ValidationInfo) -> str:
    if re.search(r"\s", text) and not _is_present_value(text, info):
        raise ValueError("must be without blanks")
    return text


def _day(text: str, info: ValidationInfo) -> str:
    """Check that a text is a date, YYYY-MM-DD, or `--MM-DD` without the year."""
    if _is_present_value(text, info):
        return text
    if not re.fullmatch(r"(\d{4}|-)-\d{2}-\d{2}", text, re.ASCII):
        raise ValueError("must be YYYY-MM-DD, or --MM-DD without the year")
    try:
        date.fromisoformat(text.replace("--", "2000-", 1) if text.startswith("--") else text)
    except ValueError:
        raise ValueError(f"must be a day of the calendar, which {text} is not") from None
    return text


def _type(text: str, info: ValidationInfo) -> str:
    if not _is_present_value(text, info) and not re.fullmatch(r"[A-Za-z0-9-]+", text):
        raise ValueError("must be a word such as home or work")
    return text.lower()


Text = Annotated[str, AfterValidator(content_lines.text)]
"""Text without control characters except line breaks, which are escaped in the card."""

Texts = Annotated[list[Text], BeforeValidator(_to_nonempty_list)]
Types = Annotated[list[Annotated[str, AfterValidator(_type)]], BeforeValidator(_to_nonempty_list)]


class Name(_Fields):
    """The components of N, in their order in the card; commas separate several values of one component."""

    family: Text = ""
    given: Text = ""
    additional: Text = ""
    prefix: Text = ""
    suffix: Text = ""


class Value(_Fields):
    """A telephone number or mail address with its types, such as home, work or cell; None keeps the present types."""

    value: Text
    type: Types | None = None


class Link(_Fields):
    """A URL with its types; None keeps the present types."""

    value: Annotated[Text, AfterValidator(_uri)]
    type: Types | None = None


class Address(_Fields):
    """The components of ADR, in their order in the card, and its types, such as home or work."""

    po_box: Text = ""
    extended: Text = ""
    street: Text = ""
    city: Text = ""
    region: Text = ""
    postcode: Text = ""
    country: Text = ""
    type: Types | None = None


Values = Annotated[list[Annotated[Value, BeforeValidator(_to_typed_value)]], BeforeValidator(_to_nonempty_list)]
Links = Annotated[list[Annotated[Link, BeforeValidator(_to_typed_value)]], BeforeValidator(_to_nonempty_list)]
Addresses = Annotated[list[Address], BeforeValidator(_to_nonempty_list)]


class ContactData(_Fields):
    """The fields of a contact that this module reads and writes; `org` is the organization, then its units.

    `members` are the UIDs of the contacts of a group. In a change, fields that are not set keep their values, and
    fields that are None or empty are removed.
    """

    _null_is_absent: ClassVar[bool] = False

    fn: Text | None = None
    n: Name | None = None
    nickname: Texts | None = None
    email: Values | None = None
    tel: Values | None = Field(default=None, validation_alias=AliasChoices("tel", "phone"))
    adr: Addresses | None = None
    org: Annotated[list[Text], BeforeValidator(_strip_trailing_empty)] | None = Field(
        default=None, validation_alias=AliasChoices("org", "organization")
    )
    title: Text | None = None
    role: Text | None = None
    bday: Annotated[str, AfterValidator(_day)] | Literal[""] | None = None
    url: Links | None = None
    note: Text | None = None
    categories: Annotated[list[Text], BeforeValidator(_split_commas)] | None = None
    kind: Kind | None = None
    members: Texts | None = None


def check_names(fields: Mapping[str, Any]) -> None:
    """Check the names of fields.

    Raises:
        InvalidArgumentError: fields are unknown, or passed under both of their names; the error has all of them.
    """
    errors = [
        InvalidArgumentError(
            "contact_data has {other!r} and {name!r}, which are the same field",
            "pass {name} alone",
            argument="contact_data",
            other=other,
            name=name,
        )
        for other, name in _ALIASES.items()
        if other in fields and name in fields
    ]
    if unknown := [name for name in fields if name not in {*ContactData.model_fields, *_ALIASES}]:
        errors.append(_unknown_error(unknown))
    if errors:
        raise InvalidArgumentError.combine(errors)


def _unknown_error(unknown: Sequence[str]) -> InvalidArgumentError:
    return InvalidArgumentError(
        "Unknown {noun} {unknown} in contact_data",
        f"use {', '.join(ContactData.model_fields)}",
        argument="contact_data",
        noun="field" if len(unknown) == 1 else "fields",
        unknown=quoted_names(unknown),
    )


_ALIASES: Final = {"phone": "tel", "organization": "org"}


_MAX_ERRORS: Final = 10
"""The most invalid fields that one error names."""

_EXPECTED_VALUES: Final = 'text or {"value", "type"}, or a list of these'
_EXPECTED_TEXTS: Final = "text, or a list of texts"
_EXPECTED: Final[Mapping[str, str]] = {
    "n": f"an object with {', '.join(Name.model_fields)}",
    "nickname": _EXPECTED_TEXTS,
    "email": _EXPECTED_VALUES,
    "tel": _EXPECTED_VALUES,
    "adr": f"an object with {', '.join(Address.model_fields)}, or a list of these",
    "org": _EXPECTED_TEXTS,
    "bday": "text, YYYY-MM-DD or --MM-DD",
    "url": _EXPECTED_VALUES,
    "categories": _EXPECTED_TEXTS,
    "kind": f"one of {', '.join(get_args(Kind))}",
    "members": _EXPECTED_TEXTS,
}
"""The expected values of the fields that are not plain text, for errors."""


def contact_data(fields: Mapping[str, Any], known: AbstractSet[str | bytes] = frozenset()) -> ContactData:
    """Validate a caller's fields; a single text is accepted for a list. Values in `known`, by `_key`, are not checked.

    Raises:
        InvalidArgumentError: a field is unknown or invalid.
    """
    check_names({name: None for name in fields if name in _ALIASES or name in ContactData.model_fields})
    try:
        return ContactData.model_validate(fields, context=known)
    except ValidationError as error:
        problems = error.errors(include_url=False)
    errors: dict[str, InvalidArgumentError] = {}
    unknown: list[str] = []
    for problem in problems:
        place = _ErrorLocation.of(problem, fields)
        if problem["type"] == "extra_forbidden" and place.part is None:
            unknown.append(place.field)
        else:
            errors.setdefault(place.name, _error(place, problem))
    each = [*errors.values()][:_MAX_ERRORS]
    raise InvalidArgumentError.combine([*each, _unknown_error(unknown)] if unknown else each)


class _ErrorLocation(NamedTuple):
    """The location of an error: a field, an item of its list (counted from 1), or a component of either."""

    field: str
    item: int | None
    part: str | None

    @classmethod
    def of(cls, problem: ErrorDetails, fields: Mapping[str, Any]) -> "_ErrorLocation":
        """Return the location in the caller's data; pydantic's `loc` also contains names of validators."""
        field, *inner = (step for step in problem["loc"] if isinstance(step, int) or "[" not in step)
        part = next((step[:MAX_QUOTED] for step in inner if isinstance(step, str)), None)
        given, item = fields.get(str(field)), None
        if isinstance(given, list) and inner and isinstance(inner[0], int):
            keeps_places = _ALIASES.get(str(field), field) == "org"
            item = [n for n, each in enumerate(given, 1) if keeps_places or each not in _EMPTY][inner[0]]
        return cls(str(field)[:MAX_QUOTED], item, part)

    @property
    def name(self) -> str:
        """The location, for an error message."""
        return " of ".join(self._steps)

    @property
    def outside(self) -> str:
        """The item or field that contains the component, for an error message."""
        return " of ".join(self._steps[1:])

    @property
    def _steps(self) -> list[str]:
        item = None if self.item is None else f"item {self.item}"
        return [step for step in (self.part, item, f"contact_data.{self.field}") if step is not None]


def _error(place: _ErrorLocation, problem: ErrorDetails) -> InvalidArgumentError:
    cause, remedy = _cause_and_remedy(problem)
    return InvalidArgumentError(
        cause,
        remedy,
        argument="contact_data",
        place=place.name,
        outside=place.outside,
        part=place.part or "",
        quoted_part=quoted(place.part or ""),
        given=_describe_input(problem["input"]),
        rule=problem["msg"].removeprefix("Value error, "),
        expected=_expected(place, problem),
    )


def _cause_and_remedy(problem: ErrorDetails) -> tuple[str, str]:
    """Return the templates of an error message for an error of pydantic: the cause and the remedy."""
    kind = problem["type"]
    if kind == "extra_forbidden":
        return "Unknown {quoted_part} in {outside}", "leave it out"
    if kind == "value_error":
        return "Invalid {place}", "{rule}"
    if kind == "missing":
        return "Missing {part} in {outside}", "pass {expected}"
    return "Invalid {place} ({given})", "pass {expected}"


def _describe_input(value: Any) -> str:
    """Return the JSON of null, a boolean or a short number; for other values, return their kind."""
    if value is None or isinstance(value, bool | int | float):
        written = to_json(value).decode()
        return written if len(written) <= MAX_QUOTED else "a number"
    return "a text" if isinstance(value, str) else "a list" if isinstance(value, list) else "an object"


def _expected(place: _ErrorLocation, problem: ErrorDetails) -> str:
    """Return the expected value at a location, for an error message."""
    if place.part == "type":
        return "a word such as home, or a list of words"
    if place.part is not None:
        return "text"
    expected = _EXPECTED.get(_ALIASES.get(place.field, place.field), "text")
    is_item = any(isinstance(step, int) for step in problem["loc"])
    return expected.partition(", or a list")[0] if is_item else expected


def change_fields(card: str, fields: Mapping[str, Any]) -> str:
    """Return the card with a caller's fields; fields that equal the result of `read` are not changed.

    Raises:
        InvalidArgumentError, NextcloudError: as in `contact_data` and `change`.
    """
    told = read(card).model_dump(mode="json")
    others = {
        name: value for name, value in fields.items() if told.get(_ALIASES.get(name, name)) != value or value is None
    }
    return change(card, contact_data(others, frozenset(map(_key, _values_in(told)))))


def _values_in(value: Any) -> Iterator[Any]:
    """Yield all texts and objects in a value, at any depth."""
    if isinstance(value, str | dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _values_in(inner)


def read_lines(card: str) -> list[ContentLine]:
    """Return the first `MAX_LINES` content lines of a card."""
    return [content_lines.parse(raw) for raw in islice(content_lines.split(card), MAX_LINES)]


def _types(line: ContentLine) -> list[str]:
    """Return the types of a line, such as `home`; in vCard 2.1, parameters without a name are types too."""
    named = [value for name, *values in line.params if name.upper() == "TYPE" for value in values]
    unnamed = [param[0] for param in line.params if len(param) == 1]
    types = dict.fromkeys(word.lower() for value in named + unnamed for word in value.split(","))
    return [word for word in types if word not in {"", "pref"}]


def uid_of(card: str) -> str:
    """Return the card's UID; empty if it has none."""
    return next((_text(line) for line in read_lines(card) if line.name == "UID"), "")


def read(card: str) -> ContactData:
    """Return the fields of a card."""
    lines = read_lines(card)
    found: dict[str, Any] = {}
    for field in _FIELDS:
        items = [field.read(line) for line in lines if line.name in field.names]
        found[field.key] = field.join([item for item in items if item])
    return ContactData.model_construct(**found)


def create(uid: str, data: ContactData) -> str:
    """Return a new card, in vCard 4.

    Raises:
        InvalidArgumentError: `uid` is not valid, or no field supplies a formatted name (FN).
    """
    if not re.fullmatch(r"[!-.0-~]{1,200}", uid):
        raise InvalidArgumentError(
            "Invalid uid {uid}",
            "pass up to 200 letters, digits and signs, without blanks and slashes",
            argument="uid",
            uid=quoted(uid),
        )
    shown = data.fn or _shown_name(data)
    if not shown:
        raise InvalidArgumentError(
            "contact_data.fn is missing", "it is the name under which the contact is shown", argument="contact_data"
        )
    names = data.n if data.n and data.n.model_dump() else _name_from(shown, data.kind)
    frame = f"BEGIN:VCARD\r\nVERSION:4.0\r\n{write(f'UID:{escape(uid)}').raw}\r\nEND:VCARD\r\n"
    return change(frame, ContactData(**{**_set_fields(data), "fn": shown, "n": names}))


def _shown_name(data: ContactData) -> str:
    names = data.n
    whole = " ".join(filter(None, (names.prefix, names.given, names.additional, names.family))) if names else ""
    return whole or (data.org or [""])[0] or (data.nickname or [""])[0] or (data.email[0].value if data.email else "")


def _name_from(shown: str, kind: str | None = None) -> Name:
    """Derive N from FN, because vCard 3 and many phones require N: the last word is the family name."""
    given, _, family = shown.rpartition(" ")
    return Name(family=family, given=given) if given and kind in {None, "individual"} else Name(given=shown)


def change(card: str, data: ContactData) -> str:
    """Return the card with the fields that are set in `data`; all other lines stay as they are.

    If FN changes and N is what `_name_from` derives from the old FN, N is derived again.

    Raises:
        InvalidArgumentError: FN would be empty.
        NextcloudError: the card is vCard 2.1 or older, which this module cannot write, or has too many lines.
    """
    fields = _set_fields(data)
    lines = was = read_lines(card)
    if len(lines) == MAX_LINES:
        raise NextcloudError(f"The contact has {MAX_LINES} lines or more", "change it in Nextcloud Contacts")
    version = next((line.value.strip() for line in lines if line.name == "VERSION"), "")
    if version not in {"3.0", "4.0"}:
        raise NextcloudError(
            "The contact is a vCard {version}", "change it in Nextcloud Contacts", version=version or "without version"
        )
    if "fn" in fields and not fields["fn"]:
        raise InvalidArgumentError(
            "contact_data.fn is empty",
            "a contact can't be without the name that it is shown by",
            argument="contact_data",
        )
    before = read(card)
    if "n" not in fields and fields.get("fn") and before.n == _name_from(before.fn or "", before.kind):
        fields["n"] = _name_from(fields["fn"], before.kind)
    for field in _FIELDS:
        if field.key in fields:
            lines = _with_field(lines, field, fields[field.key], version)
    if lines == was:
        return card
    if any(line.name == "REV" for line in lines):
        lines = _replaced(lines, ("REV",), [write(f"REV:{datetime.now(UTC):%Y%m%dT%H%M%SZ}")])
    return "".join(f"{line.raw}\r\n" for line in lines)


def _set_fields(data: ContactData) -> dict[str, Any]:
    return {name: getattr(data, name) for name in data.model_fields_set}


def _with_field(lines: list[ContentLine], field: "_Field", wanted: Any, version: str) -> list[ContentLine]:
    """Return the lines with a new value of a field; a line that already has its value is kept."""
    old = [line for line in lines if line.name in field.names]
    if not wanted:
        return _replaced(lines, field.names, [])
    if field.lines == "each":
        by_value: dict[str, list[ContentLine]] = {}
        for line in old:
            by_value.setdefault(_key_without_types(field.read(line)), []).append(line)
        said = [
            item
            for item in wanted
            if _key_without_types(item) in by_value or _key_without_types(item) != _KEY_OF_EMPTY_ITEM
        ]
        new = [_matching_or_new_line(by_value.get(_key_without_types(item), []), item, field, version) for item in said]
        return lines if new == old else _replaced(lines, field.names, new)
    if old and field.join([field.read(line) for line in old]) == wanted:
        return lines
    written = write(field.write(wanted, version))
    return _replaced(lines, field.names, [written, *(old[1:] if field.lines == "first" else [])])


def _matching_or_new_line(same: list[ContentLine], item: Any, field: "_Field", version: str) -> ContentLine:
    """Return a line for an item: one of `same`, the lines with its value, with other types if needed, or a new line."""
    if not same:
        return write(field.write(item, version))
    types: list[str] | None = getattr(item, "type", None)
    if types is None:
        return next((line for line in same if not _types(line)), same[0])
    exact = next((line for line in same if set(_types(line)) == set(types)), None)
    return exact or _with_types(same[0], types)


def _key_without_types(item: Any) -> str:
    """Return a value without its types, as a key."""
    return str(item.model_dump(exclude={"type"}) if isinstance(item, BaseModel) else item)


_KEY_OF_EMPTY_ITEM: Final = "{}"
"""The result of `_untyped` for an item without any value; such an item gets no line."""


def _with_types(line: ContentLine, types: list[str]) -> ContentLine:
    """Return a line with other types; its other parameters and its group stay."""
    params = [f"{name}={','.join(map(_quoted, values))}" for name, *values in line.params if name.upper() != "TYPE"]
    name = f"{line.group}.{line.name}" if line.group else line.name
    return write(f"{';'.join([name, *params, *_type_param(types)])}:{line.value}")


def _quoted(value: str) -> str:
    """Return the value of a parameter, in quotes if it contains a delimiter (RFC 6350 section 3.3)."""
    return f'"{value}"' if any(character in value for character in ",;:") else value


def _replaced(lines: list[ContentLine], names: tuple[str, ...], new: list[ContentLine]) -> list[ContentLine]:
    """Replace the lines with these names, or add lines before END; labels of removed groups are removed too."""
    places = [index for index, line in enumerate(lines) if line.name in names]
    end = max((index for index, line in enumerate(lines) if line.name == "END"), default=len(lines))
    place = places[0] if places else end
    result = [line for line in lines[:place] if line.name not in names]
    result += [*new, *(line for line in lines[place:] if line.name not in names)]
    gone = {line.group for line in lines} - {line.group for line in result if line.name not in _LABELS}
    return [line for line in result if line.name not in _LABELS or line.group not in gone or line.group is None]


_LABELS: Final = ("X-ABLABEL", "X-ABADR")
"""Properties with which Apple's programs describe the other line of the same group."""


@dataclass(frozen=True)
class _Field:
    """How a field of `ContactData` is stored in a card.

    `read` returns the value of a line; `write` returns the line for a value and a vCard version. `lines` says how the
    lines form the field: "first" takes the first line and keeps the others, for example those in other languages;
    "each" has an item for each line; "joined" joins the lists of all lines.
    """

    key: str
    names: tuple[str, ...]
    lines: Literal["first", "each", "joined"]
    read: Callable[[ContentLine], Any]
    write: Callable[[Any, str], str]

    def join(self, items: list[Any]) -> Any:
        """Return the field, given the values of its lines."""
        if self.lines == "first":
            return items[0] if items else None
        return (items if self.lines == "each" else [text for item in items for text in item]) or None


def _text(line: ContentLine) -> str:
    return unescape(line.value).strip()


def _texts(line: ContentLine) -> list[str]:
    return [text for part in split_values(line.value, ",") if (text := unescape(part).strip())]


def _components(line: ContentLine) -> list[str]:
    return [unescape(part).strip() for part in split_values(line.value.rstrip().removesuffix(";"), ";")]


def _value(line: ContentLine) -> Value:
    return Value.model_construct(value=_text(line), type=_types(line) or None)


def _link(line: ContentLine) -> Link:
    """Read a URL. Nextcloud escapes its commas (again) in responses that leave out other properties."""
    return Link.model_construct(value=_text(line).replace("\\,", ","), type=_types(line) or None)


def _name(line: ContentLine) -> Name:
    found: dict[str, Any] = dict(zip(Name.model_fields, _components(line), strict=False))
    return Name.model_construct(**found)


def _address(line: ContentLine) -> Address:
    parts = [name for name in Address.model_fields if name != "type"]
    found: dict[str, Any] = dict(zip(parts, _components(line), strict=False))
    return Address.model_construct(**found, type=_types(line) or None)


def _birthday(line: ContentLine) -> str:
    """Return YYYY-MM-DD or --MM-DD; a value in another format, such as text, is returned unchanged."""
    found = re.fullmatch(r"(\d{4}|-)-?(\d{2})-?(\d{2})(T.*)?", line.value.strip(), re.ASCII)
    if found is None:
        return _text(line)
    omitted = any(name.upper() == "X-APPLE-OMIT-YEAR" and found[1] in values for name, *values in line.params)
    return f"{'-' if omitted else found[1]}-{found[2]}-{found[3]}"


def _kind(line: ContentLine) -> str | None:
    if line.name == "X-ABSHOWAS":
        return "org" if line.value.upper() == "COMPANY" else None
    return line.value.strip().lower()


def _member(line: ContentLine) -> str:
    return line.value.strip().removeprefix("urn:uuid:")


def _write_text(name: str) -> Callable[[str, str], str]:
    return lambda text, _version: f"{name}:{escape(text)}"


def _write_list(name: str, separator: str) -> Callable[[list[str], str], str]:
    return lambda texts, _version: f"{name}:{separator.join(map(escape, texts))}"


def _write_parts(name: str, escape: Callable[[str], str]) -> Callable[[Any, str], str]:
    def write(item: Name | Address, _version: str) -> str:
        parts = [escape(getattr(item, part)) for part in type(item).model_fields if part != "type"]
        return f"{';'.join([name, *_type_param(getattr(item, 'type', None))])}:{';'.join(parts)}"

    return write


def _escaped_list(text: str) -> str:
    """Escape a component of N, in which commas separate values (RFC 6350 section 6.2.2)."""
    return ",".join(map(escape, text.split(",")))


def _write_value(name: str, escape: Callable[[str], str]) -> Callable[[Any, str], str]:
    return lambda item, _version: f"{';'.join([name, *_type_param(item.type)])}:{escape(item.value)}"


def _type_param(types: list[str] | None) -> list[str]:
    return [f"TYPE={','.join(map(_quoted, types))}"] if types else []


def _write_birthday(day: str, version: str) -> str:
    if version == "4.0":
        return f"BDAY:{day.replace('-', '') if day[0] != '-' else '--' + day[2:].replace('-', '')}"
    return f"BDAY;X-APPLE-OMIT-YEAR=1604:1604{day[1:]}" if day[0] == "-" else f"BDAY:{day}"


def _write_kind(kind: str, version: str) -> str:
    if version == "4.0":
        return f"KIND:{kind}"
    return "X-ABSHOWAS:COMPANY" if kind == "org" else f"X-ADDRESSBOOKSERVER-KIND:{kind}"


def _write_member(uid: str, version: str) -> str:
    uri = uid if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", uid) else f"urn:uuid:{uid}"
    return f"{'MEMBER' if version == '4.0' else 'X-ADDRESSBOOKSERVER-MEMBER'}:{uri}"


_FIELDS: Final = (
    _Field("fn", ("FN",), "first", _text, _write_text("FN")),
    _Field("n", ("N",), "first", _name, _write_parts("N", _escaped_list)),
    _Field("nickname", ("NICKNAME",), "joined", _texts, _write_list("NICKNAME", ",")),
    _Field("email", ("EMAIL",), "each", _value, _write_value("EMAIL", escape)),
    _Field("tel", ("TEL",), "each", _value, _write_value("TEL", escape)),
    _Field("adr", ("ADR",), "each", _address, _write_parts("ADR", escape)),
    _Field("org", ("ORG",), "first", _components, _write_list("ORG", ";")),
    _Field("title", ("TITLE",), "first", _text, _write_text("TITLE")),
    _Field("role", ("ROLE",), "first", _text, _write_text("ROLE")),
    _Field("bday", ("BDAY",), "first", _birthday, _write_birthday),
    _Field("url", ("URL",), "each", _link, _write_value("URL", str)),
    _Field("note", ("NOTE",), "first", _text, _write_text("NOTE")),
    _Field("categories", ("CATEGORIES",), "joined", _texts, _write_list("CATEGORIES", ",")),
    _Field("kind", ("KIND", "X-ADDRESSBOOKSERVER-KIND", "X-ABSHOWAS"), "first", _kind, _write_kind),
    _Field("members", ("MEMBER", "X-ADDRESSBOOKSERVER-MEMBER"), "each", _member, _write_member),
)

READ_PROPERTIES: Final = tuple(name for field in _FIELDS for name in field.names)
"""The properties that `read` uses; they exclude photos and the private properties of other programs."""
