"""Encode user ids for paths, and find the user id that a response belongs to."""

import re
from typing import Final
from unicodedata import is_normalized
from urllib.parse import quote, unquote_plus

import httpx

from nextcloud_mcp.errors import NextcloudError

_TWICE_DECODED: Final = re.compile("[+]|%(?=[0-9A-Fa-f]{2})")

_RESPONSE: Final = b"<d:response>"
"""Of a multistatus answer, as Nextcloud writes it; there is one for each thing that was found."""


def home_name(user_id: str) -> str:
    r"""Return a user id as it stands in the paths of files, uploads and trash, percent-encoded.

    Nextcloud decodes it once more than the rest of a path, `+` included, for it takes `+` and `%` to be forbidden in
    user ids (measured on 32.0.1 and 34.0.1). user_oidc allows them.

    Raises:
        NextcloudError: it has a `/` or `\`, for which Nextcloud creates no home folder, or decomposed letters, which
            Nextcloud composes in paths only (measured on 34.0.1).
    """
    if not (has_home(user_id) and is_normalized("NFC", user_id)):
        raise no_files(user_id)
    return quote(_TWICE_DECODED.sub(lambda found: quote(found[0]), user_id), safe="")


def has_home(user_id: str) -> bool:
    r"""Return whether Nextcloud can create a home folder; it takes `/` and `\` in a user id for folders."""
    return not re.search(r"[/\\]", user_id)


def no_files(user_id: str) -> NextcloudError:
    """Return the error for a user id with which Nextcloud has no files, and so no notes and recipes either."""
    return _impossible(user_id, "files", "/, \\ or decomposed letters")


def principal_name(user_id: str) -> str:
    """Return a user id as it stands in the paths of calendars, address books and principals, percent-encoded.

    Raises:
        NextcloudError: it has a `+`, a `/` or what looks like an escape. With those Nextcloud has no such paths,
            however they are encoded (measured on 32.0.1 and 34.0.1).
    """
    if "/" in user_id or _TWICE_DECODED.search(user_id):
        raise _impossible(user_id, "calendars and contacts", "+, / or escapes as %20")
    return quote(user_id, safe="")


def _impossible(user_id: str, what: str, characters: str) -> NextcloudError:
    """Return the error for a user id that user_oidc allows and the rest of Nextcloud does not."""
    return NextcloudError(
        f"Nextcloud has no {what} for user ids with {characters}, such as yours, {{user_id!r}}",
        "the administrator must give you another user name, or map user ids by another claim (mapping-uid)",
        user_id=user_id,
    )


def named_in(response: httpx.Response) -> str | None:
    """Return the user id in the header `X-User-Id`, or None if the response has no such header."""
    named = [value for name, value in response.headers.raw if name.lower() == b"x-user-id"]
    return named[0].decode(errors="replace") if named else None


_MAY_BE_OF_ANOTHER: Final = frozenset({403, 404, 405, 409, 412, 500})
"""How WebDAV refuses what is asked of a folder that is not there, or not the user's; 32 answers SEARCH with 500."""


def may_be_of_another(response: httpx.Response, user_id: str) -> bool:
    """Return whether an answer of WebDAV may be one about another account, which shows nothing that is in it."""
    request = response.request
    if not request.url.path.partition("/remote.php/")[1]:
        return False
    if response.status_code != httpx.codes.MULTI_STATUS:
        return response.status_code in _MAY_BE_OF_ANOTHER
    found = response.content.count(_RESPONSE)
    if request.method != "PROPFIND":
        return found == 0
    is_home = unquote_plus(request.url.path).rstrip("/").endswith(f"/{unquote_plus(user_id)}")
    return found <= 1 and (is_home or request.headers.get("depth") != "0")  # the first is what was asked for itself
