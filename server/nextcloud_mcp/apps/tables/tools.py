"""The tools for Nextcloud Tables."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

from nextcloud_mcp.apps.tables import api
from nextcloud_mcp.apps.tables.api import Row, Table, View
from nextcloud_mcp.apps.tables.columns import Column
from nextcloud_mcp.boundary.addresses import accepts_url
from nextcloud_mcp.boundary.call import Admitted, AsUser
from nextcloud_mcp.boundary.changes import require_change
from nextcloud_mcp.boundary.declaration import Result, reads, writes
from nextcloud_mcp.boundary.lookup import Named
from nextcloud_mcp.boundary.paging import DEFAULT_LIMIT, MAX_LIMIT
from nextcloud_mcp.boundary.people import find_person
from nextcloud_mcp.boundary.schemas import described
from nextcloud_mcp.errors import InvalidArgumentError
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.names import Thing


async def _tables(nextcloud: Nextcloud, _: Mapping[str, Any]) -> list[Thing]:
    return [Thing(str(table.id), table.title) for table in await api.list_tables(nextcloud)]


TableId = Annotated[
    int,
    accepts_url(r"/apps/tables/?#?/?table/([0-9]{1,18})(?:/.*)?"),
    Named("table", _tables, scope="tables:read"),
]


class Tables(Result):
    """The tables that the person sees."""

    tables: list[Table]


class TableSchema(Result):
    """How a table is built."""

    table_id: int
    title: str
    description: str | None
    columns: list[Column]
    views: list[View]


class TableRows(Result):
    """A part of a table's rows; `next_offset` is null at the end."""

    rows: list[Row]
    next_offset: int | None


class RowWritten(Result):
    """A row after a change."""

    row: Row


class RowDeleted(Result):
    """A deleted row with its last values, which can be inserted again."""

    deleted_row: Row


Data = Annotated[
    dict[str, Any],
    described(
        "values by column title or id: selections by label, dates YYYY-MM-DD, times HH:MM or YYYY-MM-DD HH:MM, "
        "checks true or false, people by user id"
    ),
]


@reads("List tables", scopes="tables:read")
async def nc_tables_list_tables(nextcloud: AsUser) -> Tables:
    """List the user's own and shared tables, with id and number of rows."""
    return Tables(tables=await api.list_tables(nextcloud))


@reads("Read a table's columns", scopes="tables:read")
async def nc_tables_get_schema(table_id: TableId, nextcloud: AsUser) -> TableSchema:
    """Read a table's columns: type, whether mandatory, options of selections, limits. Call it before writing rows."""
    scheme = await api.scheme(nextcloud, table_id)
    return TableSchema(
        table_id=table_id,
        title=scheme.title,
        description=scheme.description,
        columns=scheme.columns,
        views=scheme.views,
    )


@reads("Read a table's rows", scopes="tables:read")
async def nc_tables_read_table(
    table_id: TableId,
    nextcloud: AsUser,
    limit: Annotated[int | None, described("100 by default")] = None,
    offset: Annotated[int | None, described("next_offset of the previous page")] = None,
) -> TableRows:
    """Read a table's rows: values by column title, selections by label."""
    size, start = DEFAULT_LIMIT if limit is None else limit, offset or 0
    if not 1 <= size <= MAX_LIMIT:
        raise InvalidArgumentError(
            "Invalid limit {limit}",
            f"pass a number from 1 to {MAX_LIMIT}, and for more, next_offset as offset",
            limit=size,
            argument="limit",
        )
    if start < 0:
        raise InvalidArgumentError("offset must be 0 or more", "the number of rows to pass over", argument="offset")
    found = await api.read(nextcloud, table_id, limit=size, offset=start)
    return TableRows(rows=found.rows, next_offset=start + size if found.more else None)


@writes("Add a row", scopes="tables:write", destructive=False, idempotent=False)
async def nc_tables_insert_row(table_id: TableId, data: Data, nextcloud: AsUser, admission: Admitted) -> RowWritten:
    """Add a row to a table."""
    finding = partial(find_person, nextcloud, admission)
    return RowWritten(row=await api.insert(nextcloud, table_id, data, find_person=finding))


@writes("Change a row", scopes="tables:read tables:write", destructive=True, idempotent=True)
async def nc_tables_update_row(row_id: int, data: Data, nextcloud: AsUser, admission: Admitted) -> RowWritten:
    """Change values of a row. Columns that data does not name stay; null empties a column."""
    require_change(data, "pass at least one column in data", argument="data")
    finding = partial(find_person, nextcloud, admission)
    return RowWritten(row=await api.update(nextcloud, row_id, data, find_person=finding))


@writes("Delete a row", scopes="tables:read tables:write", destructive=True, idempotent=True)
async def nc_tables_delete_row(row_id: int, nextcloud: AsUser) -> RowDeleted:
    """Delete a row permanently: there is no trash for rows. The result has its last values."""
    return RowDeleted(deleted_row=await api.delete(nextcloud, row_id))
