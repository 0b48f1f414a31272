"""Columns of Nextcloud Tables, the API's models, and the names by which callers address columns.

A column's name is its title, or its id if several columns have the title.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

from pydantic import (
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
)
from pydantic.alias_generators import to_camel

from nextcloud_mcp.errors import InvalidArgumentError, quoted, quoted_names
from nextcloud_mcp.nextcloud.names import folded

MAX_ERRORS: Final = 10
"""The most columns for each of which an error has a sentence."""


class ApiModel(BaseModel):
    """Base model with the API's field names, which serializes no empty fields."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    @model_serializer(mode="wrap")
    def _lean(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = handler(self)
        return {name: value for name, value in fields.items() if value is not False and value not in (None, "", [])}


class Option(BaseModel):
    """What a column of type `selection` offers."""

    id: int
    label: str


class Column(ApiModel):
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
        """Drop the number of decimals, which Tables returns for all types, from columns of other types."""
        return decimals if info.data.get("type") == "number" else None


class Cell(ApiModel):
    """A value in the API's format; the value of a selection is the id of its option."""

    column_id: int
    value: Any = None


def names(columns: Sequence[Column]) -> dict[int, str]:
    """Return the name of each column, by column id."""
    titles = Counter(column.title for column in columns)
    ids = {str(column.id) for column in columns}
    return {
        column.id: column.title if titles[column.title] == 1 and column.title not in ids | {""} else str(column.id)
        for column in columns
    }


def columns_by_name(data: Iterable[str], columns: Sequence[Column]) -> dict[str, Column]:
    """Return the column of each name.

    Raises:
        InvalidArgumentError: names are unknown or ambiguous; the error has all of them.
    """
    matching = {name: _matching(name, columns) for name in data}
    unknown = [name for name, found in matching.items() if not found]
    errors = [_unknown_error(unknown, columns)] if unknown else []
    errors += [_ambiguous_error(name, found) for name, found in matching.items() if len(found) > 1]
    if errors:
        raise InvalidArgumentError.combine(errors[:MAX_ERRORS])
    return {name: column for name, (column,) in matching.items()}


def _matching(name: str, columns: Sequence[Column]) -> list[Column]:
    """Return the columns that a name may mean: by id or title; if none matches, regardless of case and blanks."""
    matching = [column for column in columns if str(column.id) == name]
    matching = matching or [column for column in columns if column.title == name]
    matching = matching or [column for column in columns if str(column.id) == name.strip()]
    return matching or [column for column in columns if folded(column.title.strip()) == folded(name.strip())]


def _unknown_error(unknown: Sequence[str], columns: Sequence[Column]) -> InvalidArgumentError:
    return InvalidArgumentError(
        "The table has no {noun} {unknown}",
        "use {known}",
        argument="data",
        noun="column" if len(unknown) == 1 else "columns",
        unknown=quoted_names(unknown),
        known=", ".join(repr(known) for known in names(columns).values()),
    )


def _ambiguous_error(name: str, matching: Iterable[Column]) -> InvalidArgumentError:
    return InvalidArgumentError(
        "The table has more than one column {name}",
        "use its id, {ids}",
        argument="data",
        name=quoted(name),
        ids=" or ".join(str(column.id) for column in matching),
    )
