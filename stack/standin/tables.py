"""Nextcloud Tables, REST API v1, as recorded from Tables 1.0.9: https://github.com/nextcloud/tables (openapi.json).

As in Tables, a value that does not fit its column is stored as null or 0, without an error. Each user has their own
tables, in one file, and the tables that others share; views are not implemented.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from stack.standin.gate import account_of
from stack.standin.shared_tables import TableShares, permissions
from stack.standin.table_values import RefusedError, stored_value

_V1 = "/index.php/apps/tables/api/1"
_V2 = "/ocs/v2.php/apps/tables/api/2"
_EXTRAS: dict[str, Any] = {
    "mandatory": False,
    "description": "",
    "numberDefault": None,
    "numberMin": None,
    "numberMax": None,
    "numberDecimals": 0,
    "numberPrefix": "",
    "numberSuffix": "",
    "textDefault": None,
    "textAllowedPattern": None,
    "textMaxLength": None,
    "textUnique": False,
    "selectionOptions": "[]",
    "selectionDefault": None,
    "datetimeDefault": None,
    "usergroupDefault": [],
    "usergroupMultipleItems": False,
    "usergroupSelectUsers": False,
    "usergroupSelectGroups": False,
    "usergroupSelectTeams": False,
    "showUserStatus": False,
}
Json = dict[str, Any]


class _Store:
    """All tables, columns and rows of one user.

    Args:
        folder: The folder of all users' tables.
        user: The user.
        caller: Who sends the request, if it is not the user.
    """

    def __init__(self, folder: Path, shares: TableShares, user: str, caller: str = "") -> None:
        self._file = file = folder / f"{user}.json"
        self.folder = folder
        self.shares = shares
        self.user = caller or user
        empty: Json = {"last": 0, "tables": {}, "columns": {}, "rows": {}}
        self._data: Json = json.loads(file.read_text("utf-8")) if file.is_file() else empty

    def of(self, kind: str) -> dict[str, Json]:
        """Return all `tables`, `columns` or `rows`, by id."""
        found: dict[str, Json] = self._data[kind]
        return found

    def add(self, kind: str, fields: Json) -> Json:
        """Add an entry with the next id."""
        self._data["last"] = self.shares.next_id(self._data["last"])
        entry = {"id": self._data["last"], **fields}
        self.of(kind)[str(entry["id"])] = entry
        return entry

    def save(self) -> None:
        """Write all data to the file."""
        self._file.write_text(json.dumps(self._data), "utf-8")

    def stamp(self) -> Json:
        """Return the fields for who created and edited an entry, and when."""
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
        return {"createdBy": self.user, "createdAt": now, "lastEditBy": self.user, "lastEditAt": now}


Handler = Callable[[Request, _Store, Json], Any]


def routes(folder: Path) -> list[Route]:
    """Return the API's routes; of version 2, only the one that creates columns."""
    folder.mkdir(parents=True, exist_ok=True)
    shares = TableShares(folder)

    def at(path: str, method: str, handler: Handler) -> Route:
        async def endpoint(request: Request) -> Response:
            user = account_of(request.scope).user
            sent = await request.body()
            try:
                store = _store_of(request, _Store(folder, shares, user))
                answer = handler(request, store, json.loads(sent) if sent else {})
            except RefusedError as refused:
                return refused.response
            store.save()
            return answer if isinstance(answer, Response) else JSONResponse(answer)

        return Route(path, endpoint, methods=[method])

    return [
        at(f"{_V1}/tables", "GET", _list_tables),
        at(f"{_V1}/shares", "POST", lambda _, store, sent: store.shares.add(store.user, sent)),
        at(f"{_V1}/tables", "POST", _create_table),
        at(f"{_V1}/tables/{{id}}", "DELETE", _delete_table),
        at(f"{_V1}/tables/{{id}}/scheme", "GET", _scheme),
        at(f"{_V1}/tables/{{id}}/columns", "GET", _list_columns),
        at(f"{_V1}/tables/{{id}}/rows", "GET", _list_rows),
        at(f"{_V1}/tables/{{id}}/rows", "POST", _create_row),
        at(f"{_V1}/rows/{{id}}", "GET", lambda request, store, _: _row_out(_row(request, store, 404))),
        at(f"{_V1}/rows/{{id}}", "PUT", _update_row),
        at(f"{_V1}/rows/{{id}}", "DELETE", _delete_row),
        at(f"{_V2}/columns/{{type}}", "POST", _create_column),
    ]


def _store_of(request: Request, own: _Store) -> _Store:
    """Return the store of the table or row in the path, which may be one that another user shares.

    Raises:
        RefusedError: the share does not allow the request.
    """
    number = request.path_params.get("id")
    kind = "rows" if request.url.path.startswith(f"{_V1}/rows/") else "tables"
    if number is None or number in own.of(kind):
        return own
    for share in own.shares.received(own.user):
        store = _Store(own.folder, own.shares, share["sender"], own.user)
        found = store.of(kind).get(number)
        if found is None or found["id" if kind == "tables" else "tableId"] != share["nodeId"]:
            continue
        if kind == "tables" and request.method == "DELETE":
            return own
        right = {"GET": "read", "POST": "create", "PUT": "update", "DELETE": "delete"}[request.method]
        if not permissions(share)[right]:
            message = "OCA\\Tables\\Service\\RowService - delete: Update row is not allowed."
            raise RefusedError(403, message if right == "delete" else None)
        return store
    return own


def _list_tables(_: Request, store: _Store, __: Json) -> list[Json]:
    found = [_shown(store, table) for table in store.of("tables").values()]
    for share in store.shares.received(store.user):
        other = _Store(store.folder, store.shares, share["sender"])
        table = other.of("tables").get(str(share["nodeId"]))
        if table is not None:
            shared = {"isShared": True, "onSharePermissions": permissions(share), "hasShares": False}
            found.append(_shown(other, table) | shared)
    return found


def _table(request: Request, store: _Store) -> Json:
    table = store.of("tables").get(request.path_params["id"])
    if table is None:
        raise RefusedError(404)
    return table


def _shown(store: _Store, table: Json) -> Json:
    counts = {
        kind: sum(each["tableId"] == table["id"] for each in store.of(kind).values()) for kind in ("rows", "columns")
    }
    has_shares = {"hasShares": store.shares.is_shared(table["id"])}
    return table | has_shares | {f"{kind}Count": count for kind, count in counts.items()}


def _create_table(_: Request, store: _Store, sent: Json) -> Json:
    fixed = {
        "ownership": store.user,
        "ownerDisplayName": store.user,
        "archived": False,
        "isShared": False,
        "favorite": False,
        "onSharePermissions": None,
        "hasShares": False,
        "views": [],
        "description": "",
    }
    table = store.add("tables", {"title": sent["title"], "emoji": sent.get("emoji"), **fixed, **store.stamp()})
    return _shown(store, table)


def _delete_table(request: Request, store: _Store, _: Json) -> Json:
    table = store.of("tables").pop(str(_table(request, store)["id"]))
    for kind in ("columns", "rows"):
        for number in [number for number, each in store.of(kind).items() if each["tableId"] == table["id"]]:
            del store.of(kind)[number]
    return table


def _columns(store: _Store, table_id: int) -> list[Json]:
    return [column for column in store.of("columns").values() if column["tableId"] == table_id]


def _scheme(request: Request, store: _Store, _: Json) -> Json:
    table = _table(request, store)
    told = {name: table[name] for name in ("title", "emoji", "views", "description")}
    return told | {"columns": _columns(store, table["id"]), "tablesVersion": "1.0.9"}


def _list_columns(request: Request, store: _Store, _: Json) -> list[Json]:
    if request.path_params["id"] not in store.of("tables"):
        raise RefusedError(403, f"no read access to table id = {request.path_params['id']}")
    return _columns(store, int(request.path_params["id"]))


def _create_column(request: Request, store: _Store, sent: Json) -> Json:
    if sent.get("baseNodeType") != "table" or (
        request.path_params["type"] == "selection" and "selectionOptions" not in sent
    ):
        failure = {"status": "failure", "statuscode": 996, "message": "Internal Server Error\n"}
        raise RefusedError(500, json.dumps({"ocs": {"meta": failure, "data": []}}))
    fields = {name: sent.get(name, default) for name, default in _EXTRAS.items()}
    fields["selectionOptions"] = json.loads(fields["selectionOptions"])
    about = {"tableId": sent["baseNodeId"], "title": sent["title"], "type": request.path_params["type"]}
    column = store.add("columns", about | {"subtype": sent.get("subtype", ""), **fields, **store.stamp()})
    return {"ocs": {"meta": {"status": "ok", "statuscode": 200, "message": "OK"}, "data": column}}


def _row(request: Request, store: _Store, missing: int) -> Json:
    row = store.of("rows").get(request.path_params["id"])
    if row is None:
        raise RefusedError(missing, "Did expect one result but found none when executing: query")
    return row


def _row_out(row: Json) -> Json:
    return row | {"data": [{"columnId": int(column), "value": value} for column, value in row["data"].items()]}


def _list_rows(request: Request, store: _Store, _: Json) -> list[Json]:
    table = _table(request, store)
    rows = [_row_out(row) for row in store.of("rows").values() if row["tableId"] == table["id"]]
    start, limit = (
        int(request.query_params.get(name, default)) for name, default in (("offset", 0), ("limit", len(rows)))
    )
    return rows[start : start + limit]


def _create_row(request: Request, store: _Store, sent: Json) -> Json:
    table = _table(request, store)
    data = _values(store, table["id"], sent["data"])
    for column in _columns(store, table["id"]):
        if column["mandatory"] and str(column["id"]) not in data:
            raise RefusedError(400, f'Mandatory column "{column["title"]}" cannot be empty.')
    row = store.add("rows", {"tableId": table["id"], **store.stamp(), "data": data})
    return _row_out(row) | dict.fromkeys(store.stamp())


def _update_row(request: Request, store: _Store, sent: Json) -> Json:
    row = _row(request, store, 500)
    row["data"] |= _values(store, row["tableId"], sent["data"])
    return _row_out(row)


def _delete_row(request: Request, store: _Store, _: Json) -> Json:
    row = _row(request, store, 500)
    del store.of("rows")[str(row["id"])]
    return _row_out(row)


def _values(store: _Store, table_id: int, data: Json) -> Json:
    columns = {str(column["id"]): column for column in _columns(store, table_id)}
    for number in data:
        if number not in columns:
            raise RefusedError(500, f"Column with id {int(number)} is not part of table with id {table_id}")
    return {number: stored_value(columns[number], value) for number, value in data.items()}
