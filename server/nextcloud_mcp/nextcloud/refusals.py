"""Map the status and body of Nextcloud's error responses to errors; no other module does this."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import httpx

from nextcloud_mcp.errors import (
    AccountDisabledError,
    ConflictError,
    ForbiddenError,
    InvalidArgumentError,
    LockedError,
    NextcloudError,
    NextcloudUnavailableError,
    NotFoundError,
    QuotaExceededError,
    RateLimitedError,
    TokenNotAcceptedError,
)
from nextcloud_mcp.nextcloud import bearer, reasons
from nextcloud_mcp.nextcloud.retries import SAFE_METHODS, retry_after

TELL_ADMINISTRATOR: Final = "if it goes on, tell the administrator, to whom `nextcloud-mcp doctor` shows where to look"
"""Ends a sentence about a Nextcloud that runs and is out of order. Whoever calls a tool cannot look any closer."""

_NOTHING_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""Errors raised before a connection exists. The two timeouts do not derive from `ConnectError`, and they leave no time
for a retry."""


class Refusal(NamedTuple):
    """The error for a response of Nextcloud.

    Attributes:
        error: the error class.
        cause: the template of the cause; may use `values`, `resource`, `why`, `status` and `pause`.
        remedy: the template of the remedy; may use the same fields.
        values: further fields for the templates.
    """

    error: type[NextcloudError | InvalidArgumentError]
    cause: str
    remedy: str
    values: Mapping[str, Any] = MappingProxyType({})


_ACCOUNT_DISABLED: Final = Refusal(AccountDisabledError, "Nextcloud has disabled your account", "ask its administrator")
_REFUSALS: Final[Mapping[int, Refusal]] = {
    401: Refusal(TokenNotAcceptedError, bearer.NOT_ACCEPTED, bearer.REMEDY),
    403: Refusal(
        ForbiddenError,
        "Nextcloud does not allow this for {resource}{why}",
        "if it belongs to somebody else, ask them for the permission; if it is yours, nobody may do this with it",
    ),
    404: Refusal(
        NotFoundError,
        "Nextcloud did not find {resource} among what you may see{why}",
        "check the name, or list what is there",
    ),
    409: Refusal(
        ConflictError,
        "{resource} conflicts with what is there{why}",
        "its folder may be missing; create that first",
    ),
    412: Refusal(
        ConflictError,
        "{resource} is not as you expect it",
        "read it again, then repeat with the ETag from reading",
    ),
    413: Refusal(
        NextcloudError,
        "{resource} is larger than the web server in front of Nextcloud accepts in one request",
        (
            "send less at once, a file in smaller parts, or ask the administrator to raise that limit "
            "(LimitRequestBody in Apache)"
        ),
    ),
    414: Refusal(
        NextcloudError,
        "The name of {resource} is too long for the web server in front of Nextcloud",
        "choose a shorter one",
    ),
    423: Refusal(LockedError, "{resource} is locked by somebody who is writing to it", "try again shortly"),
    429: Refusal(RateLimitedError, "Nextcloud asks for a pause", "try again {pause}"),
    503: Refusal(
        NextcloudUnavailableError,
        "Nextcloud is in maintenance, overloaded or broken{why}",
        f"try again {{pause}}; {TELL_ADMINISTRATOR}",
    ),
    507: Refusal(
        QuotaExceededError,
        "There is no room for {resource}{why}, as your storage or Nextcloud's disk is full",
        "delete something first, or tell the administrator",
    ),
}
_REDIRECT: Final = Refusal(
    NextcloudUnavailableError,
    "Nextcloud redirects elsewhere, which is not followed",
    "the administrator must set NEXTCLOUD_HOST to the address where it answers itself",
)
_CLIENT_ERROR: Final = Refusal(
    NextcloudError, "Nextcloud refused {resource} with HTTP {status}{why}", "check the arguments"
)
_NOT_NEXTCLOUD: Final = Refusal(
    NextcloudUnavailableError,
    "A web page came in place of Nextcloud's answer about {resource} (HTTP {status})",
    (
        "the administrator must check NEXTCLOUD_HOST, Nextcloud's trusted_domains, and the rules and limits of the web "
        "server in front of it"
    ),
)
_SERVER_ERROR: Final = Refusal(
    NextcloudUnavailableError, "Nextcloud failed with HTTP {status} at {resource}", "{next_step}"
)

_EXCEPTION: Final = re.compile(rb"<s:exception>([\w\\]+)</s:exception>")
"""What Nextcloud's WebDAV writes into an error's body: the class of its exception."""

_UNMAPPED: Final[Mapping[bytes, int]] = {b"OCP\\Lock\\LockedException": 423, b"OCP\\Files\\ForbiddenException": 403}
"""Exceptions that Nextcloud lets through as HTTP 500 (seen on 34.0.1: MOVE of a file that is being written, PUT of a
name such as `.htaccess`), with the statuses that it gives them elsewhere."""

_INVALID_NAME: Final = Refusal(
    NextcloudError, "Nextcloud does not allow the name of {resource}{why}", "choose another name"
)
_INVALID_PATH: Final = re.compile("Invalid path", re.IGNORECASE)
"""Begins what 34 says of a name that it never allows, which for 32 is an exception of its own."""


def error_for(
    response: httpx.Response, about: str, *, errors: Mapping[int, Refusal] = MappingProxyType({})
) -> NextcloudError | InvalidArgumentError:
    """Return the error for an error response.

    Args:
        response: the answer.
        about: what the request was about.
        errors: errors for statuses that mean something else for this request than for others.
    """
    thrown = _EXCEPTION.search(response.content)
    status = response.status_code
    if thrown and response.is_server_error:
        status = _UNMAPPED.get(thrown[1], status)
    why = "" if status == httpx.codes.INTERNAL_SERVER_ERROR else reasons.reason(response)
    if thrown and (thrown[1].endswith(b"\\InvalidPath") or _INVALID_PATH.match(why)):
        refusal, why = _INVALID_NAME, why or "it is not valid"
    elif _is_page(response):
        refusal = _NOT_NEXTCLOUD
    elif status == httpx.codes.UNAUTHORIZED and "x-user-id" in response.headers:
        refusal = _ACCOUNT_DISABLED  # Nextcloud knows the user and still refuses access
    else:
        refusal = errors.get(status) or _REFUSALS.get(status) or _other(response)
    seconds = retry_after(response)
    failure = refusal.error(
        refusal.cause,
        refusal.remedy,
        resource=about,
        method=response.request.method,
        status=response.status_code,
        why=in_brackets(why),
        pause="later" if seconds is None else f"in {seconds} s",
        next_step=_next_step(response.request.method),
        **refusal.values,
    )
    failure.retry_after = seconds
    return failure


def in_brackets(why: str) -> str:
    """Return Nextcloud's reason in brackets, with a leading space; empty if there is no reason."""
    return f" ({why})" if why else ""


def _is_page(response: httpx.Response) -> bool:
    """Return whether a refusal is a web page: the APIs answer with JSON or XML, or, as Deck does, with nothing."""
    status = response.status_code
    is_html = response.headers.get("content-type", "").partition(";")[0] == "text/html"
    return status in {httpx.codes.BAD_REQUEST, httpx.codes.FORBIDDEN} and is_html and bool(response.content)


def _other(response: httpx.Response) -> Refusal:
    """Return the error for a status without an entry in `_REFUSALS`."""
    return _REDIRECT if response.is_redirect else _SERVER_ERROR if response.is_server_error else _CLIENT_ERROR


def name_too_long(about: str) -> NextcloudError | InvalidArgumentError:
    """Return the error for a URL that is longer than any web server takes."""
    error, cause, remedy, _ = _REFUSALS[httpx.codes.REQUEST_URI_TOO_LONG]
    return error(cause, remedy, resource=about)


def no_answer(error: httpx.HTTPError, method: str, about: str) -> NextcloudError:
    """Return the error for a request without a response; a write may have taken effect, so a blind retry is unsafe."""
    failure = type(error).__name__
    if isinstance(error, _NOTHING_SENT):
        return NextcloudUnavailableError("Nextcloud can't be reached ({failure})", "try again shortly", failure=failure)
    if isinstance(error, httpx.TimeoutException):
        cause = "Nextcloud took the request about {resource} and gave no answer in time ({failure})"
    else:
        cause = "The connection to Nextcloud broke before it answered about {resource} ({failure})"
    return NextcloudUnavailableError(
        cause, "{next_step}", resource=about, method=method, failure=failure, next_step=_next_step(method)
    )


def _next_step(method: str) -> str:
    """Return the remedy for a request whose outcome is unknown."""
    first = "try again shortly" if method in SAFE_METHODS else "it may have done what was asked; check, then try again"
    return f"{first}; {TELL_ADMINISTRATOR}"
