"""Validate the fields that a caller passes, and describe each invalid one."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final, NamedTuple, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails, to_json

from nextcloud_mcp.apps.contacts.fields import EMPTY, Address, ContactData, Kind, Name
from nextcloud_mcp.errors import MAX_QUOTED, InvalidArgumentError, quoted, quoted_names


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
        for other, name in ALIASES.items()
        if other in fields and name in fields
    ]
    if unknown := [name for name in fields if name not in {*ContactData.model_fields, *ALIASES}]:
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


ALIASES: Final = {"phone": "tel", "organization": "org"}


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


def validate_contact(fields: Mapping[str, Any], known: AbstractSet[str | bytes] = frozenset()) -> ContactData:
    """Validate a caller's fields; a single text is accepted for a list.

    Values in `known`, by `value_key`, are not checked.

    Raises:
        InvalidArgumentError: a field is unknown or invalid.
    """
    check_names({name: None for name in fields if name in ALIASES or name in ContactData.model_fields})
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
            keeps_places = ALIASES.get(str(field), field) == "org"
            item = [n for n, each in enumerate(given, 1) if keeps_places or each not in EMPTY][inner[0]]
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
    expected = _EXPECTED.get(ALIASES.get(place.field, place.field), "text")
    is_item = any(isinstance(step, int) for step in problem["loc"])
    return expected.partition(", or a list")[0] if is_item else expected
