"""Extract the reason that Nextcloud gives for an error, for the error message to the caller.

WebDAV has the reason in `s:message` (sabre/dav), OCS in `meta.message`, the apps in JSON: `message`, `msg`, `error`,
or a bare string. A reason can quote text of other users, such as a file name, and a model reads it. So it is truncated
and contains no line breaks and no invisible characters. Reasons for developers are left out.
"""

import re
import unicodedata
from html import unescape
from typing import Any, Final

import httpx
from pydantic_core import from_json

MAX_REASON: Final = 200
"""Characters of a reason; Nextcloud's own sentences are shorter."""

_MESSAGE: Final = re.compile(rb"<s:message>([^<]{1,4000})")
_KEYS: Final = ("message", "msg", "error")
_FOR_PROGRAMMERS: Final = re.compile(r"\w\\\w+\\\w|SQLSTATE|\bSELECT\b|\.php\b|^internal server error", re.IGNORECASE)
"""Names of classes, files and queries, and the generic message "internal server error"."""


def reason(response: httpx.Response) -> str:
    """Return Nextcloud's reason without its full stop; empty if there is no reason for users."""
    message = _MESSAGE.search(response.content)
    text = unescape(message[1].decode(errors="replace")) if message else _told(_json(response))
    found = cleaned(text).strip(" .")
    return "" if _FOR_PROGRAMMERS.search(found) else found


def cleaned(text: str) -> str:
    """Return a text on one line, without invisible characters, truncated to `MAX_REASON` characters."""
    visible = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in text[: 4 * MAX_REASON])
    words = " ".join(visible.split())
    return words if len(words) <= MAX_REASON else words[: MAX_REASON - 1] + "…"


def _json(response: httpx.Response) -> Any:
    try:
        return from_json(response.content)
    except ValueError:
        return None


def _told(answer: Any) -> str:
    """Return the reason from a JSON body, or an empty string."""
    if isinstance(answer, str):
        return answer
    if not isinstance(answer, dict):
        return ""
    if isinstance(answer.get("ocs"), dict):
        return _told(answer["ocs"].get("meta"))
    texts = [answer[key] for key in _KEYS if isinstance(answer.get(key), str)]
    return texts[0] if texts else ""
