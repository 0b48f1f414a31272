"""One call's conversation with Nextcloud over HTTP: bearer token, the headers it needs, and errors by status.

`OCS-APIRequest: true` goes with every request: without it the app APIs (Notes, Deck, …) answer a bearer call
with 401 "CORS requires basic auth", and OCS takes it for a cross-site request. Cookies are never kept or sent: a
session cookie of one user must not reach another's call. Redirects are never followed: they would carry the
token to wherever they point.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final, TypeVar

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from nextcloud_mcp.errors import (
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
from nextcloud_mcp.nextcloud.users import Users

Model = TypeVar("Model")

TIMEOUT: Final = httpx.Timeout(30.0, connect=5.0)
"""Seconds; the first call of a new user makes Nextcloud create the account, which takes a few."""


def http_client(base_url: str, *, transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """Return the pooled client for `base_url`, which keeps no cookies and follows no redirects."""
    return httpx.AsyncClient(
        base_url=base_url,
        cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
        headers={"OCS-APIRequest": "true", "User-Agent": "nextcloud-mcp"},
        timeout=TIMEOUT,
        transport=transport,
    )


class Nextcloud:
    """Nextcloud as one user, for one call."""

    def __init__(self, http: httpx.AsyncClient, users: Users, *, account: tuple[str, str], token: str) -> None:
        """Talk with `token`; `account` is what the user's id is remembered by."""
        self._http = http
        self._users = users
        self._account = account
        self._token = token

    async def user_id(self) -> str:
        """Return the user's id in Nextcloud: asked once, then remembered by account."""
        known = self._users.get(self._account)
        if known is None:
            known = (await self.user()).id
            self._users.remember(self._account, known)
        return known

    async def user(self) -> "User":
        """Return the user, as OCS `/cloud/user` tells (OCS user API, "Get the current user")."""
        response = await self.request("GET", "/ocs/v2.php/cloud/user", about="your account", params={"format": "json"})
        return parse(_OCSUser, response).ocs.data

    def absolute(self, path: str) -> str:
        """Return `path` as an absolute URL, for headers such as WebDAV's `Destination`."""
        return str(self._http.base_url).rstrip("/") + path

    async def request(
        self,
        method: str,
        path: str,
        *,
        about: str,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        content: bytes | None = None,
        json: Any = None,
        also_ok: AbstractSet[int] = frozenset(),
    ) -> httpx.Response:
        """Send one request and return its successful response.

        Args:
            method: HTTP or WebDAV method.
            path: below Nextcloud's URL, percent-encoded.
            about: what the request is about, for the sentence of an error: `note 7`, `/Photos`.
            headers: besides those that every request has.
            params: the query.
            content: the body, as bytes.
            json: the body, as JSON.
            also_ok: statuses that are no error here although they are none of 2xx.

        Raises:
            InvalidArgumentError: a header has a value that HTTP can't carry.
            NextcloudError: Nextcloud answered with anything but success, or not at all.
        """
        if not all(value.isascii() and value.isprintable() for value in (headers or {}).values()):
            raise InvalidArgumentError(f"The ETag or content type for {about} is none: pass it as you were given it.")
        try:
            response = await self._http.request(
                method,
                path,
                headers={**(headers or {}), "Authorization": f"Bearer {self._token}"},
                params=params,
                content=content,
                json=json,
            )
        except httpx.TimeoutException as error:
            raise NextcloudUnavailableError(
                f"Nextcloud took too long to answer about {about}: it may have done what was asked; check, then "
                "try again."
            ) from error
        except httpx.HTTPError as error:
            raise NextcloudUnavailableError(
                f"Nextcloud can't be reached ({type(error).__name__}): try again shortly."
            ) from error
        if not response.is_success and response.status_code not in also_ok:
            raise error_for(response, about)
        return response


class User(BaseModel):
    """The user as Nextcloud knows them."""

    id: str
    displayname: str = ""


class _OCSUserData(BaseModel):
    data: User


class _OCSUser(BaseModel):
    ocs: _OCSUserData


def parse(model: type[Model], response: httpx.Response) -> Model:
    """Read a JSON response as `model`.

    Raises:
        NextcloudUnavailableError: it is something else, as proxies and maintenance pages are.
    """
    try:
        return TypeAdapter(model).validate_json(response.content)
    except ValidationError:
        # not chained: the error's text would quote the answer
        raise NextcloudUnavailableError(
            f"Nextcloud's answer has an unexpected form (HTTP {response.status_code}, "
            f"{response.headers.get('content-type', 'no content type')}): the administrator must check "
            "NEXTCLOUD_HOST and what stands in front of it."
        ) from None


_ERRORS: Final[Mapping[int, tuple[type[NextcloudError], str]]] = {
    401: (
        TokenNotAcceptedError,
        (
            "Nextcloud did not accept the token: the administrator must check that user_oidc trusts this realm and "
            "knows its present signing keys (run nextcloud/setup.sh again)."
        ),
    ),
    403: (ForbiddenError, "Nextcloud does not allow this for {about}: ask its owner for the permission."),
    404: (NotFoundError, "Nextcloud has no {about}, or you may not see it: check the name, or list what is there."),
    409: (ConflictError, "{about} conflicts with what is there: its folder may be missing; create that first."),
    412: (ConflictError, "{about} is not as you expect it: read it again, then repeat with its present ETag."),
    423: (LockedError, "{about} is locked by somebody who is writing to it: try again shortly."),
    429: (RateLimitedError, "Nextcloud asks for a pause: try again {pause}."),
    503: (NextcloudUnavailableError, "Nextcloud is in maintenance or overloaded: try again {pause}."),
    507: (QuotaExceededError, "There is no room for {about}: the user's storage is full; delete something first."),
}

_REDIRECT: Final = (
    NextcloudUnavailableError,
    (
        "Nextcloud redirects elsewhere, which is not followed: the administrator must set NEXTCLOUD_HOST to the "
        "address where it answers itself."
    ),
)
_CLIENT_ERROR: Final = (NextcloudError, "Nextcloud refused {about} with HTTP {status}: check the arguments.")
_SERVER_ERROR: Final = (NextcloudUnavailableError, "Nextcloud failed with HTTP {status} at {about}: try again later.")


def error_for(response: httpx.Response, about: str) -> NextcloudError:
    """Map Nextcloud's status to the error that says what to do: the one place that knows these statuses."""
    status = response.status_code
    other = _REDIRECT if response.is_redirect else _SERVER_ERROR if response.is_server_error else _CLIENT_ERROR
    error, sentence = _ERRORS.get(status, other)
    seconds = response.headers.get("retry-after", "")
    pause = f"in {seconds} s" if seconds.isdigit() else "later"
    return error(sentence.format(about=about, status=status, pause=pause))
