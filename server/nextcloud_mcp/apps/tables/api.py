"""Nextcloud Tables, REST API v1 (github.com/nextcloud/tables, openapi.json), which supports rows and returns reasons.

If a column cannot store a value, Tables stores null or 0 without an error. Therefore this module validates each value
against its column first (`tables.cells`), reads the row after the change, and reverts the change if the stored values
differ. Rows have no ETag, so an update writes only the cells that the caller passes. Nextcloud has no trash bin for
rows.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

import httpx
from pydantic import Field

from nextcloud_mcp.apps.tables import cells
from nextcloud_mcp.apps.tables.columns import ApiModel, Cell, Column
from nextcloud_mcp.errors import ForbiddenError, InvalidArgumentError, NextcloudError, NotFoundError, completed, quoted
from nextcloud_mcp.nextcloud import dav, moments, reasons
from nextcloud_mcp.nextcloud.answers import parse
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.permissions import missing_permission_error

API: Final = "/index.php/apps/tables/api/1"


class View(ApiModel):
    """A saved way to look at a table."""

    id: int
    title: str
    description: str | None = None


class Table(ApiModel):
    """A table; times are Nextcloud's, in UTC. `onSharePermissions` is what others grant, null for one's own."""

    id: int
    title: str
    emoji: str | None = None
    description: str | None = None
    ownership: str
    owner_display_name: str | None = None
    last_edit_at: str | None = None
    archived: bool = False
    favorite: bool = False
    is_shared: bool = False
    on_share_permissions: dict[str, Any] | None = None
    rows_count: int = 0
    columns_count: int = 0
    views: list[View] = Field(default_factory=list)


class Scheme(ApiModel):
    """The columns and views of a table."""

    title: str
    emoji: str | None = None
    description: str | None = None
    columns: list[Column]
    views: list[View] = Field(default_factory=list)


class Row(ApiModel):
    """A row: its values by column; the API leaves out who made a row that is new."""

    id: int
    table_id: int
    last_edit_by: str | None = None
    last_edit_at: str | None = None
    data: dict[str, Any]


class Rows(NamedTuple):
    """A page of a table's rows, and whether more rows follow."""

    rows: list[Row]
    more: bool


class _Row(ApiModel):
    id: int
    table_id: int
    last_edit_by: str | None = None
    last_edit_at: str | None = None
    data: list[Cell]

    def by(self, columns: Sequence[Column]) -> Row:
        """Return the row with its values by column name."""
        return Row(**self.model_dump(exclude={"data"}), data=cells.decode_row(self.data, columns))


FindPerson = Callable[[str], Awaitable[str]]

MAX_PEOPLE: Final = 100
"""The most people in one cell; each is looked up with a request."""


async def _taken_as_uid(given: str) -> str:
    return given


async def list_tables(nextcloud: Nextcloud) -> list[Table]:
    """Return the user's own tables and the tables that others share with the user."""
    return parse(list[Table], await nextcloud.request("GET", f"{API}/tables", about="the list of tables"))


async def scheme(nextcloud: Nextcloud, table_id: int) -> Scheme:
    """Return the columns and views of a table."""
    return parse(Scheme, await nextcloud.request("GET", f"{API}/tables/{table_id}/scheme", about=_table(table_id)))


async def read(nextcloud: Nextcloud, table_id: int, *, limit: int, offset: int) -> Rows:
    """Return up to `limit` rows after the first `offset` rows, sorted by id."""
    columns = await _columns(nextcloud, table_id)
    response = await nextcloud.request(
        "GET",
        f"{API}/tables/{table_id}/rows",
        about=_table(table_id),
        params={"limit": str(limit + 1), "offset": str(offset)},
    )
    found = [row.by(columns) for row in parse(list[_Row], response)]
    return Rows(found[:limit], more=len(found) > limit)


async def insert(
    nextcloud: Nextcloud, table_id: int, data: Mapping[str, Any], *, find_person: FindPerson = _taken_as_uid
) -> Row:
    """Add a row; `data` has the values by column name, and `find_person` returns the uid for a name or mail address.

    Raises:
        InvalidArgumentError: a column is unknown, lacks its mandatory value or cannot store its value.
    """
    columns = await _columns(nextcloud, table_id)
    sent = await _encode_with_zone(nextcloud, await _with_uids(data, columns, find_person), columns, new=True)
    async with _explained(nextcloud, table_id, "create"):
        row = await _write(nextcloud, "POST", f"{API}/tables/{table_id}/rows", _table(table_id), sent)
    with completed(
        "{resource} is added, but checking its values failed",
        "read the row, and do not add it again",
        resource=_row(row.id),
    ):
        kept = await _get_or(nextcloud, row)
    if lost := cells.value_mismatches(sent, kept.data, columns):
        with completed(
            "{resource} is added, but Tables stored {why}, and deleting the row failed",
            "delete the row, or write a value that the column can hold",
            resource=_row(row.id),
            why="; ".join(lost),
        ):
            await nextcloud.request("DELETE", f"{API}/rows/{row.id}", about=_row(row.id))
        raise _mismatch_error(lost)
    return kept.by(columns)


async def update(
    nextcloud: Nextcloud, row_id: int, data: Mapping[str, Any], *, find_person: FindPerson = _taken_as_uid
) -> Row:
    """Change the values of a row that differ from the present ones; columns that are not in `data` stay.

    For `find_person`, see `insert`.

    Raises:
        NotFoundError: the row does not exist.
        InvalidArgumentError: a column is unknown or cannot store its value.
    """
    present = await _get(nextcloud, row_id)
    columns = await _columns(nextcloud, present.table_id)
    read = present.by(columns)
    differing = {name: value for name, value in data.items() if name not in read.data or read.data[name] != value}
    if data and not differing:
        return read
    sent = await _encode_with_zone(nextcloud, await _with_uids(differing, columns, find_person), columns, new=False)
    async with _explained(nextcloud, present.table_id, "update"):
        await _write(nextcloud, "PUT", f"{API}/rows/{row_id}", _row(row_id), sent)
    with completed("{resource} is changed, but checking its values failed", resource=_row(row_id)):
        kept = await _get(nextcloud, row_id)
    if lost := cells.value_mismatches(sent, kept.data, columns):
        before = dict.fromkeys(sent) | {cell.column_id: cell.value for cell in present.data if cell.column_id in sent}
        with completed(
            "{resource} is changed, but Tables stored {why}, and writing back the former values failed",
            "read the row, then write a value that the column can hold",
            resource=_row(row_id),
            why="; ".join(lost),
        ):
            await _write(nextcloud, "PUT", f"{API}/rows/{row_id}", _row(row_id), before)
        raise _mismatch_error(lost)
    return kept.by(columns)


async def delete(nextcloud: Nextcloud, row_id: int) -> Row:
    """Delete a row permanently, and return its former values.

    Raises:
        NotFoundError: the row does not exist.
    """
    table_id = (await _get(nextcloud, row_id)).table_id
    columns = await _columns(nextcloud, table_id)
    async with _explained(nextcloud, table_id, "delete"):
        response = await nextcloud.request("DELETE", f"{API}/rows/{row_id}", about=_row(row_id))
    return parse(_Row, response).by(columns)


async def _with_uids(data: Mapping[str, Any], columns: Sequence[Column], find_person: FindPerson) -> dict[str, Any]:
    """Return the values with a uid for each person that is passed as text.

    Raises:
        InvalidArgumentError: a name is ambiguous, or a cell has more than `MAX_PEOPLE` people.
    """
    found = dict(data)
    for name in cells.usergroup_names(data, columns):
        listed = data[name] if isinstance(data[name], list) else [data[name]]
        if sum(isinstance(each, str) for each in listed) > MAX_PEOPLE:
            raise InvalidArgumentError(
                "data[{name}] names more than {max_people} people",
                "pass fewer",
                argument="data",
                name=quoted(name),
                max_people=MAX_PEOPLE,
            )
        given = [each.strip() if isinstance(each, str) else each for each in listed]
        uids = [await find_person(each) if isinstance(each, str) and each else each for each in given]
        found[name] = uids if isinstance(data[name], list) else uids[0]
    return found


async def _encode_with_zone(
    nextcloud: Nextcloud, data: Mapping[str, Any], columns: Sequence[Column], *, new: bool
) -> dict[int, Any]:
    """Return the values to send; request the user's time zone only if a time has an offset."""
    zone = await moments.zone_for(nextcloud) if cells.has_offset(data, columns) else None
    return cells.encode_row(data, columns, new=new, zone=zone)


@asynccontextmanager
async def _explained(nextcloud: Nextcloud, table_id: int, permission: str) -> AsyncIterator[None]:
    """Replace a refusal of the requests inside by one that says what the table's owner does not allow.

    Raises:
        ForbiddenError: the user may not do this with the table's rows; Tables answers 403 without a reason.
    """
    try:
        yield
    except ForbiddenError as error:
        try:
            table = next(each for each in await list_tables(nextcloud) if each.id == table_id)
        except (NextcloudError, StopIteration):
            raise error from None
        granted = table.on_share_permissions or {}
        if not table.is_shared or granted.get(permission):
            raise
        raise missing_permission_error(
            f"the rows of table {table_id} ({quoted(table.title)})",
            allowed=[name for name in ("read", "create", "update", "delete") if granted.get(name)],
            needed=f"{permission} them",
            owner=dav.format_person(table.ownership, table.owner_display_name),
        ) from error


def _mismatch_error(lost: Sequence[str]) -> InvalidArgumentError:
    return InvalidArgumentError(
        "Tables stored {lost}, so the change was taken back",
        "write a value that the column can hold",
        lost="; ".join(lost),
    )


async def _columns(nextcloud: Nextcloud, table_id: int) -> list[Column]:
    """Return a table's columns.

    Raises:
        NotFoundError: the table does not exist or is not shared with the user; Tables answers 403 to both.
    """
    response = await nextcloud.request("GET", f"{API}/tables/{table_id}/columns", about=_table(table_id), also_ok={403})
    if response.status_code == httpx.codes.FORBIDDEN:
        raise NotFoundError(
            "Nextcloud did not find {resource} among what you may see", "list the tables", resource=_table(table_id)
        )
    return parse(list[Column], response)


async def _get(nextcloud: Nextcloud, row_id: int) -> _Row:
    """Return a row. Read it before a change, because Tables answers 500 to a change of a missing row."""
    return parse(_Row, await nextcloud.request("GET", f"{API}/rows/{row_id}", about=_row(row_id)))


async def _get_or(nextcloud: Nextcloud, written: _Row) -> _Row:
    """Return a row as it is stored, or as Tables returned it to a user who may add rows but not read them."""
    try:
        return await _get(nextcloud, written.id)
    except ForbiddenError:
        return written


async def _write(nextcloud: Nextcloud, method: str, path: str, about: str, sent: Mapping[int, Any]) -> _Row:
    data = {str(column): value for column, value in sent.items()}
    response = await nextcloud.request(method, path, about=about, json={"data": data}, also_ok={400})
    if response.status_code == httpx.codes.BAD_REQUEST:
        why = reasons.reason(response) or "it does not say why"
        hint = ". People are written by their uid" if why.lower().startswith("user not found") else ""
        raise InvalidArgumentError("Tables refuses data, and nothing was written", "{why}{hint}", why=why, hint=hint)
    return parse(_Row, response)


def _table(table_id: int) -> str:
    return f"table {table_id}"


def _row(row_id: int) -> str:
    return f"row {row_id}"
