"""Whether a request comes from a browser (RFC 9110 section 12.5), and in which language it reads."""

import math
from typing import Final

from starlette.datastructures import Headers, QueryParams
from starlette.types import Scope

LANGUAGES: Final = ("en", "de")
"""The languages of the message files; the first is the default."""

_CLIENT_TYPES: Final = frozenset({"application/json", "text/event-stream"})
"""What MCP clients accept ("Streamable HTTP"); no browser's navigation names them."""


def wants_page(scope: Scope) -> bool:
    """Return whether a browser opens the address: GET or HEAD, `text/html` named, and nothing of an MCP client."""
    headers = Headers(scope=scope)
    if scope["method"] not in {"GET", "HEAD"} or "authorization" in headers:
        return False
    accepted = _preferences(",".join(headers.getlist("accept")))
    return "text/html" in accepted and not _CLIENT_TYPES & accepted.keys()


def language_of(scope: Scope) -> str:
    """Return the language that `?lang=` names, else the preferred one of `Accept-Language`, else the default."""
    chosen = QueryParams(scope["query_string"]).get("lang")
    if chosen in LANGUAGES:
        return chosen
    preferences = _preferences(",".join(Headers(scope=scope).getlist("accept-language")))
    for tag in sorted(preferences, key=preferences.__getitem__, reverse=True):
        language = tag.partition("-")[0]
        if language in LANGUAGES:
            return language
    return LANGUAGES[0]


MAX_VALUES: Final = 50
"""The most values of a header; browsers send fewer than ten, and each costs time before anything is checked."""


def _preferences(header: str) -> dict[str, float]:
    """Return the values of a header with their weights, in lower case, without those of weight 0; none of too many."""
    values = header.split(",", MAX_VALUES)
    if len(values) > MAX_VALUES:
        return {}
    found = {}
    for each in values:
        value, *parameters = (part.strip().lower() for part in each.split(";"))
        weight = next((part[2:] for part in parameters if part.startswith("q=")), "1")
        if value and (number := _weight(weight)) > 0:
            found[value] = number
    return found


def _weight(text: str) -> float:
    """Return a weight, or 0 if it is invalid."""
    try:
        number = float(text)
    except ValueError:
        return 0
    return number if math.isfinite(number) else 0
