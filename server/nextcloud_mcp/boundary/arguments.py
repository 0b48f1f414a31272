"""Validate the arguments that callers send.

Each function has a pydantic model. A text argument stays text, whatever it looks like. Some clients send other values
as text: a number as `"7"`, a list or an object as JSON, no value as `null`, `"null"` or `""`. These are accepted if
their meaning is clear. Errors describe all invalid arguments at once, in one sentence each and without pydantic's
wording.
"""

import re
from collections.abc import Container, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime
from difflib import get_close_matches
from inspect import Parameter
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

from pydantic import Field, ValidationError, create_model
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, from_json, to_json

from nextcloud_mcp.auth.json_size import has_too_many_values
from nextcloud_mcp.errors import MAX_QUOTED, InvalidArgumentError, quoted

MAX_UNKNOWN: Final = 10
"""Maximum unknown arguments that an error names."""

_EXPECTED: Final[Mapping[type, str]] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    datetime: "a date and time such as 2026-12-24T14:00:00Z",
    date: "a date such as 2026-12-24",
    list: 'a list of texts such as ["a", "b"]',
    dict: 'an object such as {"name": "value"}',
}

_TYPE_NAMES: Final[Mapping[type, str]] = {
    NoneType: "null",
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "an object",
}

LARGEST: Final = 2**63
"""Whole numbers must be smaller than this, because databases store 64 bits, one of them for the sign."""

SECRET: Final = Field(repr=False)
"""Marks an argument whose value never appears in errors."""


@dataclass(frozen=True)
class Expects:
    """Marks a text that stands for another type, such as a number; errors ask for `expected`."""

    expected: str


class _EmptyIsDefault:
    """Marks text for which an empty text means the default."""


NonEmptyText = Annotated[str | None, _EmptyIsDefault()]
"""Text that a change sets and cannot clear, such as a start, a status or an ETag: empty text means the default."""

_NO_VALUE: Final = frozenset({"", "null"})
"""Texts that clients send for no value, where the value is not text."""

_NUMBER: Final = re.compile(r"[+-]?[0-9]+([._][0-9]+)*")
"""Matches what is meant as a number and not as a name, even if the number is invalid."""

_ABSENT: Final = object()


@dataclass(frozen=True)
class _Argument:
    """One argument that a function takes.

    Attributes:
        name: Its name.
        kind: The type of its values, one of `_EXPECTED`.
        field: Its field in the pydantic model.
        empty_is_default: Whether an empty text means the default.
        may_be_name: Whether callers may pass a name, which is looked up.
    """

    name: str
    kind: type
    field: FieldInfo
    empty_is_default: bool
    may_be_name: bool

    @property
    def is_required(self) -> bool:
        return self.field.is_required()

    @property
    def is_secret(self) -> bool:
        return not self.field.repr

    @property
    def expected(self) -> str:
        return self._marked or _EXPECTED[self.kind]

    @property
    def _marked(self) -> str | None:
        return next((each.expected for each in self.field.metadata if isinstance(each, Expects)), None)

    def is_name(self, given: Any) -> bool:
        """Return whether `given` is a name for a number argument."""
        return (
            self.may_be_name
            and self.kind is not str
            and isinstance(given, str)
            and given.strip() not in _NO_VALUE
            and _NUMBER.fullmatch(given.strip()) is None
        )

    def value(self, given: Any) -> Any:
        """Return the value to validate, or `_ABSENT` for the default.

        Raises:
            ValueError: pydantic would accept the value with a meaning that the caller did not intend.
        """
        if self.kind is str and self._marked is None:
            is_default = given is None or (given == "" and self.empty_is_default)
            return _ABSENT if is_default and not self.is_required else given
        if isinstance(given, str) and given.strip() in _NO_VALUE:
            given = None
        if given is None:
            return None if self.is_required else _ABSENT
        if self.kind in {list, dict} and isinstance(given, str):
            return _parsed(given)
        if self.kind is int and (isinstance(given, bool) or _is_too_large(given)):
            raise ValueError
        if self.kind in {date, datetime} and not _is_written_date(given):
            raise ValueError  # pydantic reads numbers as seconds since 1970
        return given

    def wrong(self, given: Any, error: ErrorDetails | None = None) -> InvalidArgumentError:
        """Return the error for an invalid value."""
        location = error["loc"] if error is not None else ()
        if error is not None and error["type"] in {"too_long", "string_too_long"}:
            most, parts = error["ctx"]["max_length"], "characters" if self.kind is str else "items"
            return self._invalid("", f"pass at most {most:,} {parts}")
        if error is not None and error["type"] == "value_error":
            return self._invalid("", "{rule}", rule=str(error["ctx"]["error"]))
        if error is not None and len(location) > 1 and isinstance(location[1], int):
            item = f"item {location[1] + 1} is {_described(error['input'])}"
            return self._invalid("", "{item}; pass {expected}", item=item, expected=self.expected)
        if self.kind is int and _is_too_large(given):
            return self._invalid(", which is too large", f"pass a whole number below {LARGEST:,}")
        return self._invalid("{given}", "pass {expected}", given=self._quoted(given), expected=self.expected)

    def _invalid(self, detail: str, remedy: str, **values: Any) -> InvalidArgumentError:
        return InvalidArgumentError("Invalid {argument}" + detail, remedy, argument=self.name, **values)

    def _quoted(self, given: Any) -> str:
        if isinstance(given, str) and self.kind in {list, dict}:
            return ", which is not written as JSON"
        if isinstance(given, str) and self.kind is not str:
            return f" {quoted(given)}"
        is_short = given is None or isinstance(given, bool | int | float)
        if is_short and not self.is_secret:
            return f" {_as_json(given)}"
        return f", which is {_described(given)}"


class Arguments:
    """The arguments that callers pass to a function."""

    def __init__(
        self,
        name: str,
        parameters: Mapping[str, Parameter],
        *,
        named: AbstractSet[str] = frozenset(),
        empty_is_default: bool = False,
        place: str = "",
    ) -> None:
        """Build the model for these parameters.

        Args:
            name: the name of the tool, resource or prompt, for errors.
            parameters: the parameters that callers pass.
            named: the number arguments for which callers may pass a name, which `read` returns unchanged.
            empty_is_default: whether an empty text means a default of null; for functions that only read.
            place: where the arguments are, if not in `arguments`: ` in the URI`. Errors contain it.
        """
        self._name = name
        self._place = place
        fields: dict[str, Any] = {each.name: _definition(each) for each in parameters.values()}
        self._model = create_model(f"{name}_arguments", **fields)
        self._arguments = {
            field_name: _argument(field_name, field, empty_is_default=empty_is_default, may_be_name=field_name in named)
            for field_name, field in self._model.model_fields.items()
        }

    @property
    def names(self) -> list[str]:
        """The names of the arguments, in order."""
        return list(self._arguments)

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema."""
        schema: dict[str, Any] = self._model.model_json_schema()
        return schema

    def read(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the validated arguments, without those for which the default is meant.

        Raises:
            InvalidArgumentError: arguments are invalid, missing or unknown; has a sentence for each.
        """
        names = {name: given[name] for name, each in self._arguments.items() if each.is_name(given.get(name))}
        values, wrong = self._values({name: value for name, value in given.items() if name not in names})
        try:
            model = self._model.model_validate(values | dict.fromkeys(names, 0))
        except ValidationError as error:
            wrong |= self._rejected(error, given, wrong)
        unknown = [name for name in given if name not in self._arguments]
        if wrong or unknown:
            errors = (wrong[name] for name in self._arguments if name in wrong)
            raise InvalidArgumentError.combine([*errors, *self._unknown(unknown)])
        return {name: getattr(model, name) for name in model.model_fields_set} | names

    def _values(self, given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, InvalidArgumentError]]:
        """Return the values to validate, and the errors that are known before."""
        values: dict[str, Any] = {}
        wrong: dict[str, InvalidArgumentError] = {}
        for name, argument in self._arguments.items():
            if name not in given:
                continue
            try:
                value = argument.value(given[name])
            except ValueError:
                wrong[name] = argument.wrong(given[name])
                continue
            if value is not _ABSENT:
                values[name] = value
        return values, wrong

    def _rejected(
        self, error: ValidationError, given: Mapping[str, Any], known: Container[str]
    ) -> dict[str, InvalidArgumentError]:
        """Return the errors for what pydantic rejected, one for each argument."""
        errors: dict[str, InvalidArgumentError] = {}
        for each in error.errors(include_url=False):
            argument = self._arguments[str(each["loc"][0])]
            if argument.name in known or argument.name in errors:
                continue
            if argument.name in given:
                errors[argument.name] = argument.wrong(given[argument.name], each)
            else:
                errors[argument.name] = InvalidArgumentError(
                    f"Missing {{argument}}{self._place}",
                    "pass {expected}",
                    argument=argument.name,
                    expected=argument.expected,
                )
        return errors

    def _unknown(self, names: list[str]) -> Iterator[InvalidArgumentError]:
        for name in names[:MAX_UNKNOWN]:
            near = self._nearest(_comparison_key(name[:MAX_QUOTED]))
            if near is not None:
                remedy = f"did you mean {near}?"
            else:
                remedy = f"{self._name} takes {', '.join(self._arguments) or 'none'}"
            yield InvalidArgumentError("Unknown argument {name}", "{advice}", name=quoted(name), advice=remedy)
        if len(names) > MAX_UNKNOWN:
            yield InvalidArgumentError(f"{len(names) - MAX_UNKNOWN} more arguments are unknown", "leave them out")

    def _nearest(self, plain: str) -> str | None:
        """Return the argument that starts with `plain`, such as `start_date` for `start`, or the most similar one."""
        by_sound = {_comparison_key(each): each for each in self._arguments}
        longer = [each for each in by_sound if plain and each.startswith(plain)]
        return next((by_sound[each] for each in longer or get_close_matches(plain, by_sound, 1)), None)


def _definition(parameter: Parameter) -> Any:
    return (parameter.annotation, ... if parameter.default is Parameter.empty else parameter.default)


def _argument(name: str, field: FieldInfo, *, empty_is_default: bool, may_be_name: bool) -> _Argument:
    (kind,) = (each for each in value_types(field.annotation) if each is not NoneType)
    if kind not in _EXPECTED:
        raise TypeError(f"{name}: there is no sentence for what is not a {kind}")
    has_text = isinstance(field.default, str) and field.default != ""
    is_marked = any(isinstance(each, _EmptyIsDefault) for each in field.metadata)
    return _Argument(
        name=name,
        kind=kind,
        field=field,
        empty_is_default=has_text or is_marked or (empty_is_default and field.default is None),
        may_be_name=may_be_name,
    )


def value_types(annotation: Any) -> list[type]:
    """Return the types that a value may have: `list` and `NoneType` for `list[str] | None`."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return value_types(get_args(annotation)[0])
    if origin in {Union, UnionType}:
        return [kind for option in get_args(annotation) for kind in value_types(option)]
    return [origin or annotation]


def _parsed(text: str) -> Any:
    """Return the list or object that the text contains as JSON, or else the text."""
    if has_too_many_values(text.encode()):
        raise ValueError
    value = from_json(text)
    return value if isinstance(value, list | dict) else text


def with_commas(given: Any) -> Any:
    """Return a list of texts, which may be written as JSON, as a comma-separated text; return other values unchanged.

    Raises:
        ValueError: an item is not a text or contains a comma; the message has its number.
    """
    listed = listed_texts(given)
    if listed is None:
        return given
    for number, each in enumerate(listed, 1):
        if "," in each:
            raise ValueError(f"item {number} has a comma; pass items without commas")
    return ", ".join(listed)


def listed_texts(given: Any) -> list[str] | None:
    """Return a list of texts, which may be written as JSON; None for other values.

    Raises:
        ValueError: an item is not a text; the message has its number.
    """
    listed = given
    if isinstance(given, str) and given.lstrip().startswith("["):
        try:
            listed = _parsed(given)
        except ValueError:
            return None
        if not isinstance(listed, list) or (listed and not any(isinstance(each, str) for each in listed)):
            return None  # a text such as "[1]"
    if not isinstance(listed, list):
        return None
    for number, each in enumerate(listed, 1):
        if not isinstance(each, str):
            raise ValueError(f"item {number} is {_described(each)}; pass texts alone")  # noqa: TRY004 - for pydantic
    return listed


def _is_written_date(given: Any) -> bool:
    return isinstance(given, str) and not given.strip().replace(".", "").lstrip("+-").isdigit()


def _is_too_large(given: Any) -> bool:
    """Return whether a number, also one that is written as text, is too large for 64 bits."""
    if isinstance(given, str):
        text = given.strip()
        return _NUMBER.fullmatch(text) is not None and len(text.partition(".")[0].lstrip("+-0_")) > len(str(LARGEST))
    return isinstance(given, int | float) and abs(given) >= LARGEST


def _described(given: Any) -> str:
    return _TYPE_NAMES.get(type(given), "something else")


def _as_json(given: Any) -> str:
    """Return null, true, false or a number as JSON, but describe a long number."""
    text = to_json(given).decode()
    return text if len(text) <= MAX_QUOTED else "of many digits"


def _comparison_key(name: str) -> str:
    """Return a name for comparisons: `noteId`, `note-id` and `note_id` are the same."""
    return name.casefold().replace("_", "").replace("-", "")
