"""How Tables stores the values of cells, by the type of the column: most that do not fit become null or 0."""

import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from starlette.responses import JSONResponse, Response

_RANGES = {"stars": (0, 5), "progress": (0, 100)}
_DATES = {"": "%Y-%m-%d %H:%M", "date": "%Y-%m-%d", "time": "%H:%M"}

Json = dict[str, Any]


class RefusedError(Exception):
    """An error response of Tables."""

    def __init__(self, status: int, message: str | None = None) -> None:
        self.response = Response(status_code=status) if message is None else JSONResponse({"message": message}, status)


def stored_value(column: Json, value: Any) -> Any:
    """Return the value that Tables stores for the value of a cell.

    Raises:
        RefusedError: Tables refuses the value.
    """
    kept = _KEPT[column["type"]](column, value)
    if column["mandatory"] and kept in (None, "", []):
        raise RefusedError(400, f'Mandatory column "{column["title"]}" cannot be empty or invalid.')
    return kept


def _text(column: Json, value: Any) -> str | None:
    text = None if value in (None, "") else str(value)
    if text and column["textMaxLength"] and len(text) > column["textMaxLength"]:
        limit = column["textMaxLength"]
        raise RefusedError(400, f"Value for column {column['title']} exceeds maximum length of {limit}")
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
        raise RefusedError(400, message)
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
        raise RefusedError(400, f"Value for column {column['title']} is less than minimum allowed value of {limit}")
    if column["numberMax"] is not None and number > column["numberMax"]:
        limit = column["numberMax"]
        raise RefusedError(400, f"Value for column {column['title']} exceeds maximum allowed value of {limit}")
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
        raise RefusedError(400, "Invalid value for usergroup column")
    return [each | {"displayName": each["id"]} for each in value or []]


_KEPT: dict[str, Callable[[Json, Any], Any]] = {
    "text": _text,
    "number": _number,
    "selection": _selection,
    "datetime": _datetime,
    "usergroup": _usergroup,
}
