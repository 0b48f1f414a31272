"""One call's conversation with Nextcloud over HTTP: bearer token, the headers it needs, and errors by status.

`OCS-APIRequest: true` goes with every request: without it the app APIs (Notes, Deck, …) answer a bearer call
with 401 "CORS requires basic auth", and OCS takes it for a cross-site request. Cookies are never kept or sent: a
session cookie of one user must not reach another's call. Redirects are never followed: they would carry the
token to wherever they point.
"""

from collections.abc import Hashable, Mapping
from collections.abc import Set as AbstractSet
from types import MappingProxyType
from typing import Any, Final

import anyio
import httpx
from pydantic import BaseModel

from nextcloud_mcp.connections import ExclusiveConnections, no_cookies
from nextcloud_mcp.errors import (
    AccountChangedError,
    InvalidArgumentError,
    NextcloudError,
    NextcloudUnavailableError,
    TokenNotAcceptedError,
)
from nextcloud_mcp.metrics import UPSTREAM_SECONDS
from nextcloud_mcp.nextcloud import bearer, user_ids
from nextcloud_mcp.nextcloud.account_cache import Account, AccountCache
from nextcloud_mcp.nextcloud.answers import MAX_BYTES, parse, read
from nextcloud_mcp.nextcloud.refusals import Refusal, error_for, name_too_long, no_answer
from nextcloud_mcp.nextcloud.retries import TEMPORARY_STATUSES, is_conditional, retry_policy, retrying

TIMEOUT: Final = httpx.Timeout(30.0, connect=5.0)
"""Seconds; the first call of a new user makes Nextcloud create the account, which takes a few."""


_OF_A_REPETITION: Final = frozenset({httpx.codes.NOT_FOUND, httpx.codes.PRECONDITION_FAILED})
"""What a conditional request is answered if the same request has taken effect before."""


def http_client(base_url: str, *, transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """Return the pooled client for `base_url`, which keeps no cookies and follows no redirects."""
    return httpx.AsyncClient(
        base_url=base_url,
        cookies=no_cookies(),
        headers={"OCS-APIRequest": "true", "User-Agent": "nextcloud-mcp"},
        timeout=TIMEOUT,
        transport=transport or ExclusiveConnections(),
    )


class User(BaseModel):
    """The user as Nextcloud knows them; `timezone` is empty until they have chosen one."""

    id: str
    displayname: str = ""
    email: str | None = None
    timezone: str = ""


class _OCSUserData(BaseModel):
    data: User


class _OCSUser(BaseModel):
    ocs: _OCSUserData


class Nextcloud:
    """Nextcloud as one user, for one call.

    The user id in a path may be remembered from an earlier call, and no longer be the user's. For the paths of another
    account Nextcloud answers "not found", "forbidden" or with an empty list. Such an answer counts only if the id is
    confirmed: by the header `X-User-Id`, which 34 has in all answers and 32 in all but WebDAV's, or else by OCS.
    """

    def __init__(self, http: httpx.AsyncClient, accounts: AccountCache, *, account: Account, token: str) -> None:
        """Talk with `token`; `account` is what the user's id is remembered by."""
        self._http = http
        self._accounts = accounts
        self._account = account
        self._token = token
        self._user_id: str | None = None
        self._is_confirmed = False

    async def user_id(self) -> str:
        """Return the user's id in Nextcloud: asked once, then remembered by account."""
        if self._user_id is None:
            await self._arrive()
            self._user_id = self._accounts.user_id(self._account) or (await self._user()).id
        return self._user_id

    @property
    def _assumed_user_id(self) -> str | None:
        """The user's id, from this call or remembered from an earlier one."""
        return self._user_id or self._accounts.user_id(self._account)

    def change_lock(self, *thing: Hashable) -> anyio.Lock:
        """Return the lock to hold while this account changes what Nextcloud lets one request at a time change."""
        return self._accounts.locks.of(self._account, *thing)

    async def _arrive(self) -> User | None:
        """Wait until the account is known to be made; return the user, if that had to be asked here."""
        return await self._accounts.creation.ensure(self._account, self._user)

    async def home_name(self) -> str:
        """Return the user id as it stands in the paths of files; raises as `user_ids.home_name` does."""
        return user_ids.home_name(await self.user_id())

    async def principal_name(self) -> str:
        """Return the user id as it stands in the paths of calendars; raises as `user_ids.principal_name` does."""
        return user_ids.principal_name(await self.user_id())

    async def user(self) -> User:
        """Return the user, as OCS `/cloud/user` tells (OCS user API, "Get the current user")."""
        return await self._arrive() or await self._user()

    async def _user(self) -> User:
        """Ask for the user, whether or not the account is made."""
        response = await self._request(
            "GET", "/ocs/v2.php/cloud/user", about="your account", params={"format": "json"}, also_ok={404}
        )
        if response.status_code == httpx.codes.NOT_FOUND:
            raise NextcloudUnavailableError(
                "There is no Nextcloud at the configured address (its user API answers HTTP 404)",
                "the administrator must check NEXTCLOUD_HOST",
            )
        user = parse(_OCSUser, response).ocs.data
        self._accounts.remember_user_id(self._account, user.id)
        self._is_confirmed = True
        return user

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
        errors: Mapping[int, Refusal] = MappingProxyType({}),
        max_bytes: int = MAX_BYTES,
        has_effects: bool = False,
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
            also_ok: statuses outside 2xx that do not raise an error.
            errors: errors for statuses that mean something else here than for other requests.
            max_bytes: of the answer's body; a longer one is not read to its end.
            has_effects: whether the request does more than to change what it names, such as to send mails. Then it is
                not repeated after HTTP 500, even if it is conditional.

        Raises:
            InvalidArgumentError: a header has a value that HTTP can't carry.
            NextcloudError: Nextcloud answered with anything but success, or not at all.
        """
        await self._arrive()
        return await self._request(
            method,
            path,
            about=about,
            headers=headers,
            params=params,
            content=content,
            json=json,
            also_ok=also_ok,
            errors=errors,
            max_bytes=max_bytes,
            has_effects=has_effects,
        )

    async def _request(
        self,
        method: str,
        path: str,
        *,
        about: str,
        also_ok: AbstractSet[int],
        errors: Mapping[int, Refusal] = MappingProxyType({}),
        headers: Mapping[str, str] | None = None,
        max_bytes: int = MAX_BYTES,
        has_effects: bool = False,
        **parts: Any,
    ) -> httpx.Response:
        """Send one request, whether or not the account is made."""
        if not all(value.isascii() and value.isprintable() for value in (headers or {}).values()):
            raise InvalidArgumentError(
                "Invalid ETag or content type for {resource}", "use printable ASCII characters", resource=about
            )
        conditional = is_conditional(method, (headers or {}).keys()) and not has_effects
        failed: list[httpx.Response] = []
        try:
            response = await retrying(
                retry_policy(method, conditional=conditional),
                self._once,
                method,
                path,
                failed=failed if conditional else None,
                headers={**(headers or {}), "Authorization": f"Bearer {self._token}"},
                about=about,
                max_bytes=max_bytes,
                **parts,
            )
        except httpx.InvalidURL:  # longer than any web server takes
            raise name_too_long(about) from None
        except httpx.HTTPStatusError as error:
            response = error.response
        except httpx.HTTPError as error:
            raise no_answer(error, method, about) from error
        if failed and response.status_code in _OF_A_REPETITION:
            response = failed[0]  # perhaps that request did what was asked, and the repetition found it done
        await self._check_user_id(response)
        if not response.is_success and response.status_code not in also_ok:
            user_id = self._assumed_user_id
            if response.status_code == httpx.codes.INTERNAL_SERVER_ERROR and user_id and not user_ids.has_home(user_id):
                raise user_ids.no_files(user_id)  # apps that keep their data in files, Notes for one, crash
            failure = error_for(response, about, errors=errors)
            raise self.not_accepted() if isinstance(failure, TokenNotAcceptedError) else failure
        return response

    def not_accepted(self) -> TokenNotAcceptedError:
        """Return the error for a token that Nextcloud did not accept."""
        return bearer.not_accepted(self._token)

    async def _check_user_id(self, response: httpx.Response) -> None:
        """Check a remembered user id, once a call, where an answer names another or may be another account's.

        A header is only a reason to ask, as something in between may have changed it.

        Raises:
            AccountChangedError: the user id has changed.
        """
        assumed = self._assumed_user_id
        if self._is_confirmed or assumed is None or response.status_code == httpx.codes.UNAUTHORIZED:
            return
        named = user_ids.named_in(response)
        if named is None and not user_ids.may_be_of_another(response, assumed):
            return
        self._is_confirmed = True  # before it is asked, for that answer comes here too
        if named == assumed:
            return
        try:
            present = (await self._user()).id
        except NextcloudError:
            if response.is_success:
                raise
            return  # Nextcloud itself fails; the error for the original response reports that
        if self._user_id not in {None, present}:
            raise AccountChangedError(assumed, present)

    async def _once(
        self,
        method: str,
        path: str,
        *,
        about: str,
        max_bytes: int,
        failed: list[httpx.Response] | None,
        **parts: Any,
    ) -> httpx.Response:
        """Send a request; raise an error for the statuses that may pass by themselves.

        If `failed` is a list, HTTP 500 is one of them, and its responses are added to the list.
        """
        with UPSTREAM_SECONDS.labels("nextcloud").time():
            async with self._http.stream(method, path, **parts) as streamed:
                response = await read(streamed, about, max_bytes)
        if response.status_code in TEMPORARY_STATUSES:
            response.raise_for_status()
        if response.status_code == httpx.codes.INTERNAL_SERVER_ERROR and failed is not None:
            failed.append(response)
            response.raise_for_status()
        return response
