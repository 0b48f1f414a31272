"""What Nextcloud's refusals mean: from status and body to the error that says what to do; no other module maps them."""

import re
from collections.abc import Mapping
from typing import Final

import httpx

from nextcloud_mcp.errors import (
    AccountDisabledError,
    ConflictError,
    ForbiddenError,
    LockedError,
    NextcloudError,
    NextcloudUnavailableError,
    NotFoundError,
    QuotaExceededError,
    RateLimitedError,
    TokenNotAcceptedError,
)
from nextcloud_mcp.nextcloud import bearer, reasons
from nextcloud_mcp.nextcloud.repetition import SAFE_METHODS, retry_after

NOT_LOGGED: Final = "…"
"""Stands in the log where the caller's sentence has a path, a name or an address."""

IF_IT_GOES_ON: Final = "if it goes on, tell the administrator, to whom `nextcloud-mcp doctor` shows where to look"
"""Ends a sentence about a Nextcloud that runs and is out of order. Whoever calls a tool cannot look any closer."""

_NOTHING_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""What is raised before there is a connection; the two time-outs are no kind of `ConnectError`, and have taken all the
time that there is for another try."""

_ACCOUNT_DISABLED: Final = (
    AccountDisabledError,
    "Nextcloud has disabled your account: ask its administrator.",
)
_ERRORS: Final[Mapping[int, tuple[type[NextcloudError], str]]] = {
    401: (TokenNotAcceptedError, bearer.NOT_ACCEPTED),
    403: (
        ForbiddenError,
        (
            "Nextcloud does not allow this for {about}{why}: if it belongs to somebody else, ask them for the "
            "permission; if it is yours, nobody may do this with it."
        ),
    ),
    404: (
        NotFoundError,
        "Nextcloud did not find {about} among what you may see{why}: check the name, or list what is there.",
    ),
    409: (ConflictError, "{about} conflicts with what is there{why}: its folder may be missing; create that first."),
    412: (ConflictError, "{about} is not as you expect it: read it again, then repeat with the ETag from reading."),
    413: (
        NextcloudError,
        (
            "{about} is larger than the web server in front of Nextcloud accepts in one request: send less at once, a "
            "file in smaller parts, or ask the administrator to raise that limit (LimitRequestBody in Apache)."
        ),
    ),
    414: (
        NextcloudError,
        "The name of {about} is too long for the web server in front of Nextcloud: choose a shorter one.",
    ),
    423: (LockedError, "{about} is locked by somebody who is writing to it: try again shortly."),
    429: (RateLimitedError, "Nextcloud asks for a pause: try again {pause}."),
    503: (
        NextcloudUnavailableError,
        f"Nextcloud is in maintenance, overloaded or broken{{why}}: try again {{pause}}; {IF_IT_GOES_ON}.",
    ),
    507: (
        QuotaExceededError,
        (
            "There is no room for {about}{why}: your storage or Nextcloud's disk is full: delete something first, or "
            "tell the administrator."
        ),
    ),
}

_REDIRECT: Final = (
    NextcloudUnavailableError,
    (
        "Nextcloud redirects elsewhere, which is not followed: the administrator must set NEXTCLOUD_HOST to the "
        "address where it answers itself."
    ),
)
_CLIENT_ERROR: Final = (NextcloudError, "Nextcloud refused {about} with HTTP {status}{why}: check the arguments.")
_NOT_NEXTCLOUD: Final = (
    NextcloudUnavailableError,
    (
        "A web page came in place of Nextcloud's answer about {about} (HTTP {status}): the administrator must check "
        "NEXTCLOUD_HOST, Nextcloud's trusted_domains, and the rules and limits of the web server in front of it."
    ),
)
_SERVER_ERROR: Final = (NextcloudUnavailableError, "Nextcloud failed with HTTP {status} at {about}: {next_step}.")

_EXCEPTION: Final = re.compile(rb"<s:exception>([\w\\]+)</s:exception>")
"""What Nextcloud's WebDAV writes into an error's body: the class of its exception."""

_UNMAPPED: Final[Mapping[bytes, int]] = {b"OCP\\Lock\\LockedException": 423, b"OCP\\Files\\ForbiddenException": 403}
"""Exceptions that Nextcloud lets through as HTTP 500 (seen on 34.0.1: MOVE of a file that is being written, PUT of a
name such as `.htaccess`), with the statuses that it gives them elsewhere."""

_INVALID_PATH: Final = re.compile("Invalid path", re.IGNORECASE)
"""Begins what 34 says of a name that it never allows, which for 32 is an exception of its own."""


def error_for(response: httpx.Response, about: str) -> NextcloudError:
    """Map Nextcloud's status to the error that says what to do: the one place that knows these statuses."""
    thrown = _EXCEPTION.search(response.content)
    status = response.status_code
    if thrown and response.is_server_error:
        status = _UNMAPPED.get(thrown[1], status)
    why = "" if status == httpx.codes.INTERNAL_SERVER_ERROR else reasons.reason(response)
    if thrown and (thrown[1].endswith(b"\\InvalidPath") or _INVALID_PATH.match(why)):
        why = why or "it is not valid"
        return NextcloudError(f"Nextcloud does not allow the name of {about} ({why}): choose another name.")
    error, sentence = _NOT_NEXTCLOUD if _is_page(response) else _ERRORS.get(status, _other(response))
    if status == httpx.codes.UNAUTHORIZED and "x-user-id" in response.headers:
        error, sentence = _ACCOUNT_DISABLED  # Nextcloud names who it is that may not come in
    seconds = retry_after(response)
    pause = "later" if seconds is None else f"in {seconds} s"
    next_step = _next_step(response.request.method)
    failure = refusal(error, sentence, about=about, why=why, status=status, pause=pause, next_step=next_step)
    failure.status = response.status_code
    return failure


def _is_page(response: httpx.Response) -> bool:
    """Return whether a refusal is a web page: the APIs answer with JSON or XML, or, as Deck does, with nothing."""
    status = response.status_code
    is_html = response.headers.get("content-type", "").partition(";")[0] == "text/html"
    return status in {httpx.codes.BAD_REQUEST, httpx.codes.FORBIDDEN} and is_html and bool(response.content)


def _other(response: httpx.Response) -> tuple[type[NextcloudError], str]:
    """Return the error for a status that has none of its own."""
    return _REDIRECT if response.is_redirect else _SERVER_ERROR if response.is_server_error else _CLIENT_ERROR


def name_too_long(about: str) -> NextcloudError:
    """Return the error for a URL that is longer than any web server takes."""
    return refusal(*_ERRORS[httpx.codes.REQUEST_URI_TOO_LONG], about=about)


def refusal(
    error: type[NextcloudError], sentence: str, *, about: str, why: str = "", **values: object
) -> NextcloudError:
    """Return an error whose sentence says what it is about, and why in Nextcloud's words; the log has neither."""
    told = sentence.format(about=about, why=f" ({why})" if why else "", **values)
    return error(told[:1].upper() + told[1:], reason=sentence.format(about=NOT_LOGGED, why="", **values))


def no_answer(error: httpx.HTTPError, method: str, about: str) -> NextcloudError:
    """Say what a request without an answer has led to: what writes may have been done, and twice it makes two."""
    cause = type(error).__name__
    if isinstance(error, _NOTHING_SENT):
        return NextcloudUnavailableError(f"Nextcloud can't be reached ({cause}): try again shortly.")
    if isinstance(error, httpx.TimeoutException):
        known = "Nextcloud took the request about {about} and gave no answer in time ({cause})"
    else:
        known = "The connection to Nextcloud broke before it answered about {about} ({cause})"
    return refusal(NextcloudUnavailableError, f"{known}: {_next_step(method)}.", about=about, cause=cause)


def _next_step(method: str) -> str:
    """Say what to do when nobody knows what became of a request."""
    first = "try again shortly" if method in SAFE_METHODS else "it may have done what was asked; check, then try again"
    return f"{first}; {IF_IT_GOES_ON}"
