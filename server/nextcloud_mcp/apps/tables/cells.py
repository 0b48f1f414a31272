"""Convert rows of Nextcloud Tables: cells on the API's side, values by column name on the tools' side."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import tzinfo
from typing import Any

from nextcloud_mcp.apps.tables.columns import MAX_ERRORS, Cell, Column, columns_by_name, names
from nextcloud_mcp.apps.tables.values import decode_value, encode_value, in_zone, is_same, parse_aware_datetime
from nextcloud_mcp.errors import InvalidArgumentError


def decode_row(cells: Iterable[Cell], columns: Sequence[Column]) -> dict[str, Any]:
    """Return a row's values by column name, without those of columns that are not in `columns`."""
    called = names(columns)
    by_id = {column.id: column for column in columns}
    return {
        called[cell.column_id]: decode_value(by_id[cell.column_id], cell.value)
        for cell in cells
        if cell.column_id in by_id
    }


def encode_row(
    data: Mapping[str, Any], columns: Sequence[Column], *, new: bool, zone: tzinfo | None = None
) -> dict[int, Any]:
    """Return the values to send, by column id; a `new` row needs a value for each mandatory column.

    Raises:
        InvalidArgumentError: columns are unknown, passed twice or missing, or cannot store their values.
    """
    called = columns_by_name(data, columns)
    for column, times in Counter(column.id for column in called.values()).items():
        if times > 1:
            names_given = " and ".join(repr(name) for name, each in called.items() if each.id == column)
            raise InvalidArgumentError(
                "data has {names_given}, which are the same column",
                "name it once",
                argument="data",
                names_given=names_given,
            )
    cells = _encode_cells(called, data, zone)
    missing = [column.title for column in columns if new and column.mandatory and column.id not in cells]
    if missing:
        raise InvalidArgumentError(
            "data lacks {columns}",
            "these columns are mandatory",
            argument="data",
            columns=", ".join(map(repr, missing)),
        )
    return cells


def _encode_cells(called: Mapping[str, Column], data: Mapping[str, Any], zone: tzinfo | None) -> dict[int, Any]:
    cells: dict[int, Any] = {}
    errors: list[InvalidArgumentError] = []
    for name, column in called.items():
        try:
            cells[column.id] = encode_value(column, name, in_zone(column, name, data[name], zone))
        except InvalidArgumentError as error:
            errors.append(error)
    if errors:
        raise InvalidArgumentError.combine(errors[:MAX_ERRORS])
    return cells


def has_offset(data: Mapping[str, Any], columns: Sequence[Column]) -> bool:
    """Return whether a time has an offset, so that `encode_row` needs the user's time zone."""
    return any(parse_aware_datetime(column, data[name]) for name, column in columns_by_name(data, columns).items())


def usergroup_names(data: Mapping[str, Any], columns: Sequence[Column]) -> list[str]:
    """Return the names in `data` that stand for columns of type `usergroup`."""
    return [name for name, column in columns_by_name(data, columns).items() if column.type == "usergroup"]


def value_mismatches(sent: Mapping[int, Any], cells: Iterable[Cell], columns: Sequence[Column]) -> list[str]:
    """Return a phrase for an error message for each cell in which Tables stored another value than the one sent."""
    called, by_id = names(columns), {column.id: column for column in columns}
    kept = {cell.column_id: cell.value for cell in cells}
    return [
        f"{kept.get(number)!r} in place of {value!r} in {called[number]!r}"
        for number, value in sent.items()
        if value is not None and not is_same(by_id[number], value, kept.get(number))
    ]
