"""What Nextcloud itself says of a refusal, for the sentence that the caller gets.

WebDAV has it in `s:message` (sabre/dav), OCS in `meta.message`, the apps in JSON: `message`, `msg`, `error`, or a bare
text. It can quote what others wrote, such as the name of a file, and it is read by a model: so it is cut, and has no
line breaks and no invisible characters. What speaks to the programmer of an app is left out.
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
"""Names of classes, files and queries, and the sentence that stands for any failure."""


def reason(response: httpx.Response) -> str:
    """Return the sentence in which Nextcloud says why, without its full stop; empty where it has none for people."""
    message = _MESSAGE.search(response.content)
    text = unescape(message[1].decode(errors="replace")) if message else _told(_json(response))
    found = cleaned(text).strip(" .")
    return "" if _FOR_PROGRAMMERS.search(found) else found


def cleaned(text: str) -> str:
    """Return a text of somebody else's on one line, without characters that cannot be seen, cut to `MAX_REASON`."""
    visible = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in text[: 4 * MAX_REASON])
    words = " ".join(visible.split())
    return words if len(words) <= MAX_REASON else words[: MAX_REASON - 1] + "…"


def _json(response: httpx.Response) -> Any:
    try:
        return from_json(response.content)
    except ValueError:
        return None


def _told(answer: Any) -> str:
    """Return what an answer in JSON says, of whichever form it is."""
    if isinstance(answer, str):
        return answer
    if not isinstance(answer, dict):
        return ""
    if isinstance(answer.get("ocs"), dict):
        return _told(answer["ocs"].get("meta"))
    texts = [answer[key] for key in _KEYS if isinstance(answer.get(key), str)]
    return texts[0] if texts else ""
