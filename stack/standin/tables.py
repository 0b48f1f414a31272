"""Nextcloud Tables, REST API v1, as recorded from Tables 1.0.9: https://github.com/nextcloud/tables (openapi.json).

As in Tables, a value that does not fit its column is stored as null or 0, without an error. Each user has their own
tables, in one file; sharing and views are not implemented.
"""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from stack.standin.gate import account_of

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
_RANGES = {"stars": (0, 5), "progress": (0, 100)}
_DATES = {"": "%Y-%m-%d %H:%M", "date": "%Y-%m-%d", "time": "%H:%M"}

Json = dict[str, Any]


class _RefusedError(Exception):
    def __init__(self, status: int, message: str | None = None) -> None:
        self.response = Response(status_code=status) if message is None else JSONResponse({"message": message}, status)


class _Store:
    """All tables, columns and rows of one user, with ids from one sequence."""

    def __init__(self, file: Path, user: str) -> None:
        self._file = file
        self.user = user
        empty: Json = {"last": 0, "tables": {}, "columns": {}, "rows": {}}
        self._data: Json = json.loads(file.read_text("utf-8")) if file.is_file() else empty

    def of(self, kind: str) -> dict[str, Json]:
        """Return all `tables`, `columns` or `rows`, by id."""
        found: dict[str, Json] = self._data[kind]
        return found

    def add(self, kind: str, fields: Json) -> Json:
        """Add an entry with the next id."""
        self._data["last"] += 1
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

    def at(path: str, method: str, handler: Handler) -> Route:
        async def endpoint(request: Request) -> Response:
            user = account_of(request.scope).user
            store = _Store(folder / f"{user}.json", user)
            sent = await request.body()
            try:
                answer = handler(request, store, json.loads(sent) if sent else {})
            except _RefusedError as refused:
                return refused.response
            store.save()
            return answer if isinstance(answer, Response) else JSONResponse(answer)

        return Route(path, endpoint, methods=[method])

    return [
        at(
            f"{_V1}/tables", "GET", lambda _, store, __: [_shown(store, table) for table in store.of("tables").values()]
        ),
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


def _table(request: Request, store: _Store) -> Json:
    table = store.of("tables").get(request.path_params["id"])
    if table is None:
        raise _RefusedError(404)
    return table


def _shown(store: _Store, table: Json) -> Json:
    counts = {
        kind: sum(each["tableId"] == table["id"] for each in store.of(kind).values()) for kind in ("rows", "columns")
    }
    return table | {f"{kind}Count": count for kind, count in counts.items()}


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
        raise _RefusedError(403, f"no read access to table id = {request.path_params['id']}")
    return _columns(store, int(request.path_params["id"]))


def _create_column(request: Request, store: _Store, sent: Json) -> Json:
    if sent.get("baseNodeType") != "table" or (
        request.path_params["type"] == "selection" and "selectionOptions" not in sent
    ):
        failure = {"status": "failure", "statuscode": 996, "message": "Internal Server Error\n"}
        raise _RefusedError(500, json.dumps({"ocs": {"meta": failure, "data": []}}))
    fields = {name: sent.get(name, default) for name, default in _EXTRAS.items()}
    fields["selectionOptions"] = json.loads(fields["selectionOptions"])
    about = {"tableId": sent["baseNodeId"], "title": sent["title"], "type": request.path_params["type"]}
    column = store.add("columns", about | {"subtype": sent.get("subtype", ""), **fields, **store.stamp()})
    return {"ocs": {"meta": {"status": "ok", "statuscode": 200, "message": "OK"}, "data": column}}


def _row(request: Request, store: _Store, missing: int) -> Json:
    row = store.of("rows").get(request.path_params["id"])
    if row is None:
        raise _RefusedError(missing, "Did expect one result but found none when executing: query")
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
            raise _RefusedError(400, f'Mandatory column "{column["title"]}" cannot be empty.')
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
            raise _RefusedError(500, f"Column with id {int(number)} is not part of table with id {table_id}")
    return {number: _value(columns[number], value) for number, value in data.items()}


def _value(column: Json, value: Any) -> Any:
    kept = _KEPT[column["type"]](column, value)
    if column["mandatory"] and kept in (None, "", []):
        raise _RefusedError(400, f'Mandatory column "{column["title"]}" cannot be empty or invalid.')
    return kept


def _text(column: Json, value: Any) -> str | None:
    text = None if value in (None, "") else str(value)
    if text and column["textMaxLength"] and len(text) > column["textMaxLength"]:
        limit = column["textMaxLength"]
        raise _RefusedError(400, f"Value for column {column['title']} exceeds maximum length of {limit}")
    return _link(column, text) if text and column["subtype"] == "link" else text


def _link(column: Json, text: str) -> str | None:
    """Return a link as Tables stores it: a complete link as it was sent, else the first URL in the text, or None."""
    exported = re.search(r"(.*) \((http.*)\)", text)
    if exported and exported[1]:
        return json.dumps({"title": exported[1], "value": exported[2], "providerId": "url"})
    try:
        link = json.loads(text)
    except ValueError:
        found = re.search(r"https?://[a-zA-Z0-9\-.]+\.[a-zA-Z]{2,3}(/\S*)?", text)
        return json.dumps({"title": found[0], "value": found[0], "providerId": "url"}) if found else None
    if not isinstance(link, dict) or "value" not in link:
        return None
    if not re.match("https?:", str(link["value"])):
        message = f'Column "{column["title"]}" contains an invalid protocol. Only http and https are allowed.'
        raise _RefusedError(400, message)
    if "providerId" in link and link["providerId"] not in (column["textAllowedPattern"] or "").split(","):
        return None
    return text if "title" in link else None


def _number(column: Json, value: Any) -> float:
    if not re.fullmatch(r"-?\d+(\.\d+)?", str(value)):
        return 0
    number = float(value)
    low, high = _RANGES.get(column["subtype"], (None, None))
    if low is not None and high is not None and not low <= number <= high:
        return 0
    if column["numberMin"] is not None and number < column["numberMin"]:
        limit = column["numberMin"]
        raise _RefusedError(400, f"Value for column {column['title']} is less than minimum allowed value of {limit}")
    if column["numberMax"] is not None and number > column["numberMax"]:
        limit = column["numberMax"]
        raise _RefusedError(400, f"Value for column {column['title']} exceeds maximum allowed value of {limit}")
    decimals = column["numberDecimals"]
    return round(number, decimals) if decimals else int(number)


def _selection(column: Json, value: Any) -> Any:
    if column["subtype"] == "check":
        return "true" if str(value).lower() == "true" else "false"
    known = [option["id"] for option in column["selectionOptions"]]
    if column["subtype"] == "multi":
        if not isinstance(value, list):
            return []
        return value if all(each in known for each in value) else None
    return int(value) if str(value).isdigit() and int(value) in known else None


def _datetime(column: Json, value: Any) -> str | None:
    form = _DATES[column["subtype"]]
    try:
        return str(value) if datetime.strptime(str(value), form).strftime(form) == value else None  # noqa: DTZ007
    except ValueError:
        return None


def _usergroup(column: Json, value: Any) -> list[Json]:
    del column
    if value is not None and not isinstance(value, list):
        raise _RefusedError(400, "Invalid value for usergroup column")
    return [each | {"displayName": each["id"]} for each in value or []]


_KEPT: dict[str, Callable[[Json, Any], Any]] = {
    "text": _text,
    "number": _number,
    "selection": _selection,
    "datetime": _datetime,
    "usergroup": _usergroup,
}
