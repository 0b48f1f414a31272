"""One call's conversation with Nextcloud over HTTP: bearer token, the headers it needs, and errors by status.

`OCS-APIRequest: true` goes with every request: without it the app APIs (Notes, Deck, …) answer a bearer call
with 401 "CORS requires basic auth", and OCS takes it for a cross-site request. Cookies are never kept or sent: a
session cookie of one user must not reach another's call. Redirects are never followed: they would carry the
token to wherever they point.

A request is repeated where that can't do anything twice: one of a safe method, when the connection broke or
Nextcloud asks for a short pause; one that met a lock; and any request to which nobody listened. What takes longer is
for the caller to repeat, who is told when.
"""

import re
from collections.abc import Callable, Hashable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final, TypeVar
from unicodedata import is_normalized
from urllib.parse import quote, unquote_plus

import anyio
import httpx
import stamina
from pydantic import BaseModel, TypeAdapter, ValidationError

from nextcloud_mcp import memory
from nextcloud_mcp.connections import ExclusiveConnections, no_cookies
from nextcloud_mcp.errors import (
    AccountChangedError,
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
from nextcloud_mcp.metrics import UPSTREAM_SECONDS
from nextcloud_mcp.nextcloud import bearer, reasons
from nextcloud_mcp.nextcloud.users import Account, People

Model = TypeVar("Model")

TIMEOUT: Final = httpx.Timeout(30.0, connect=5.0)
"""Seconds; the first call of a new user makes Nextcloud create the account, which takes a few."""

LONGEST_PAUSE: Final = 2
"""Seconds for which a call waits by itself when Nextcloud asks for a pause."""

MOST_BYTES: Final = 16 * 1024 * 1024
"""Bytes of an answer: a folder of 36,000 files has as many, and reading them as XML takes the eightfold of memory."""

NOT_LOGGED: Final = "…"
"""Stands in the log where the caller's sentence has a path, a name or an address."""

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "PROPFIND", "REPORT", "SEARCH"})
"""They change nothing (RFC 9110 section 9.2.1, RFC 4918 section 9.1, RFC 3253 section 3.6, RFC 5323 section 2)."""

_PASSING: Final = frozenset({httpx.codes.LOCKED, httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE})
"""The statuses that may pass by themselves."""

_NOTHING_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""What is raised before there is a connection; the two time-outs are no kind of `ConnectError`, and have taken all the
time that there is for another try."""

_REPEATED_WHEN_LOCKED: Final = SAFE_METHODS | {"PUT", "POST"}
"""A lock of Nextcloud's own lasts as long as somebody else's write, often milliseconds, and what is refused for it was
not done: Notes takes a new note back then. COPY, MOVE and DELETE of a folder may have done a part."""

IF_IT_GOES_ON: Final = "if it goes on, tell the administrator, to whom `nextcloud-mcp doctor` shows where to look"
"""Ends a sentence about a Nextcloud that runs and is out of order. Whoever calls a tool cannot look any closer."""

LARGE_BYTES: Final = 1024 * 1024
"""Of an answer; a larger one takes its share of the memory of all calls."""

ANSWER_WEIGHT: Final = 5
"""Bytes of memory for each byte of a large answer while it is read and parsed (measured with 33,000 files)."""

MEMORY_TIMEOUT: Final = 25.0
"""Seconds for which a large answer waits for memory."""

_TWICE_DECODED: Final = re.compile("[+]|%(?=[0-9A-Fa-f]{2})")

_RESPONSE: Final = b"<d:response>"
"""Of a multistatus answer, as Nextcloud writes it; there is one for each thing that was found."""

_persistent: Final = stamina.AsyncRetryingCaller(attempts=3, timeout=5.0, wait_initial=0.2, wait_jitter=0.2)
"""Repeats what is worth it twice; within about a second, where Nextcloud names no pause."""


def http_client(base_url: str, *, transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """Return the pooled client for `base_url`, which keeps no cookies and follows no redirects."""
    return httpx.AsyncClient(
        base_url=base_url,
        cookies=no_cookies(),
        headers={"OCS-APIRequest": "true", "User-Agent": "nextcloud-mcp"},
        timeout=TIMEOUT,
        transport=transport or ExclusiveConnections(),
    )


class Nextcloud:
    """Nextcloud as one user, for one call.

    The user id in a path may be remembered from an earlier call, and no longer be the user's. For the paths of another
    account Nextcloud answers "not found", "forbidden" or with an empty list. Such an answer counts only if the id is
    confirmed: by the header `X-User-Id`, which 34 has in all answers and 32 in all but WebDAV's, or else by OCS.
    """

    def __init__(self, http: httpx.AsyncClient, people: People, *, account: Account, token: str) -> None:
        """Talk with `token`; `account` is what the user's id is remembered by."""
        self._http = http
        self._people = people
        self._account = account
        self._token = token
        self._user_id: str | None = None
        self._is_confirmed = False

    async def user_id(self) -> str:
        """Return the user's id in Nextcloud: asked once, then remembered by account."""
        if self._user_id is None:
            await self._arrive()
            self._user_id = self._people.user_id(self._account) or (await self._user()).id
        return self._user_id

    def turn(self, *thing: Hashable) -> anyio.Lock:
        """Return the lock to hold while this account changes what Nextcloud lets one request at a time change."""
        return self._people.turns.of(self._account, *thing)

    async def _arrive(self) -> "User | None":
        """Wait until the account is known to be made; return the user, if that had to be asked here."""
        return await self._people.arrivals.ensure(self._account, self._user)

    async def home_name(self) -> str:
        """Return the user id as it stands in the paths of files, uploads and trash, percent-encoded.

        Nextcloud decodes it once more than the rest of a path, `+` included, for it takes `+` and `%` to be forbidden
        in user ids (measured on 32.0.1 and 34.0.1). user_oidc allows them.

        Raises:
            NextcloudError: it has a `/`, with which Nextcloud mixes up folders, or decomposed letters, which Nextcloud
                composes in paths alone (measured on 34.0.1).
        """
        user_id = await self.user_id()
        if "/" in user_id or not is_normalized("NFC", user_id):
            raise _impossible_user_id(user_id, "files", "/ or decomposed letters")
        return quote(_TWICE_DECODED.sub(lambda found: quote(found[0]), user_id), safe="")

    async def principal_name(self) -> str:
        """Return the user id as it stands in the paths of calendars, address books and principals, percent-encoded.

        Raises:
            NextcloudError: it has a `+`, a `/` or what looks like an escape. With those Nextcloud has no such paths,
                however they are encoded (measured on 32.0.1 and 34.0.1).
        """
        user_id = await self.user_id()
        if "/" in user_id or _TWICE_DECODED.search(user_id):
            raise _impossible_user_id(user_id, "calendars and contacts", "+, / or escapes as %20")
        return quote(user_id, safe="")

    async def user(self) -> "User":
        """Return the user, as OCS `/cloud/user` tells (OCS user API, "Get the current user")."""
        return await self._arrive() or await self._user()

    async def _user(self) -> "User":
        """Ask for the user, whether or not the account is made."""
        response = await self._request(
            "GET", "/ocs/v2.php/cloud/user", about="your account", params={"format": "json"}, also_ok={404}
        )
        if response.status_code == httpx.codes.NOT_FOUND:
            raise NextcloudUnavailableError(
                "There is no Nextcloud at the configured address (its user API answers HTTP 404): the administrator "
                "must check NEXTCLOUD_HOST."
            )
        user = parse(_OCSUser, response).ocs.data
        self._people.remember_user_id(self._account, user.id)
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
        most_bytes: int = MOST_BYTES,
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
            most_bytes: of the answer's body; a longer one is not read to its end.

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
            most_bytes=most_bytes,
        )

    async def _request(
        self,
        method: str,
        path: str,
        *,
        about: str,
        also_ok: AbstractSet[int],
        headers: Mapping[str, str] | None = None,
        most_bytes: int = MOST_BYTES,
        **parts: Any,
    ) -> httpx.Response:
        """Send one request, whether or not the account is made."""
        if not all(value.isascii() and value.isprintable() for value in (headers or {}).values()):
            raise InvalidArgumentError(f"Invalid ETag or content type for {about}: use printable ASCII characters.")
        try:
            response = await _persistent(
                _worth_repeating(method),
                self._once,
                method,
                path,
                headers={**(headers or {}), "Authorization": f"Bearer {self._token}"},
                about=about,
                most_bytes=most_bytes,
                **parts,
            )
        except httpx.InvalidURL:  # longer than any web server takes
            raise _error(*_ERRORS[httpx.codes.REQUEST_URI_TOO_LONG], about=about) from None
        except httpx.HTTPStatusError as error:
            response = error.response
        except httpx.HTTPError as error:
            raise _no_answer(error, method, about) from error
        await self._check_user_id(response)
        if not response.is_success and response.status_code not in also_ok:
            failure = error_for(response, about)
            raise self.not_accepted() if isinstance(failure, TokenNotAcceptedError) else failure
        return response

    def not_accepted(self) -> TokenNotAcceptedError:
        """Return the error for an answer to a stranger."""
        return bearer.not_accepted(self._token)

    async def _check_user_id(self, response: httpx.Response) -> None:
        """Check a remembered user id, once a call, where an answer names another or may be another account's.

        A header is only a reason to ask, as something in between may have changed it.

        Raises:
            AccountChangedError: the id is another one now.
        """
        assumed = self._user_id or self._people.user_id(self._account)
        if self._is_confirmed or assumed is None or response.status_code == httpx.codes.UNAUTHORIZED:
            return
        named = _user_id_in(response)
        if named is None and not _may_be_of_another(response, assumed):
            return
        self._is_confirmed = True  # before it is asked, for that answer comes here too
        if named == assumed:
            return
        try:
            present = (await self._user()).id
        except NextcloudError:
            if response.is_success:
                raise
            return  # it is Nextcloud that is in trouble, of which the answer itself tells
        if self._user_id not in {None, present}:
            raise AccountChangedError(assumed, present)

    async def _once(self, method: str, path: str, *, about: str, most_bytes: int, **parts: Any) -> httpx.Response:
        """Send a request; raises for the statuses that may pass by themselves."""
        with UPSTREAM_SECONDS.labels("nextcloud").time():
            async with self._http.stream(method, path, **parts) as streamed:
                response = await _read(streamed, about, most_bytes)
        if response.status_code in _PASSING:
            response.raise_for_status()
        return response


async def _read(streamed: httpx.Response, about: str, most_bytes: int) -> httpx.Response:
    """Return a response with its body, which counts as it is when it is no longer compressed.

    Raises:
        NextcloudError: it goes on after `most_bytes`.
    """
    chunks, size = [], 0
    async for chunk in streamed.aiter_bytes():
        if size <= LARGE_BYTES < size + len(chunk):
            await memory.take(ANSWER_WEIGHT * _expected(streamed, most_bytes), max_wait=MEMORY_TIMEOUT)
        chunks.append(chunk)
        size += len(chunk)
        if size > most_bytes:
            raise NextcloudError(
                f"Nextcloud's answer about {about} has more than the {most_bytes} bytes that are read at once: ask for "
                "less, or open it in Nextcloud."
            )
    # as bytes: Nextcloud writes user ids into headers as they are, in UTF-8
    headers = [(name, value) for name, value in streamed.headers.raw if name.lower() != b"content-encoding"]
    return httpx.Response(streamed.status_code, headers=headers, content=b"".join(chunks), request=streamed.request)


def _expected(streamed: httpx.Response, most_bytes: int) -> int:
    """Return how many bytes an answer may have: what it declares, or the most that is read."""
    declared = streamed.headers.get("content-length", "")
    is_known = re.fullmatch("[0-9]{1,18}", declared) and "content-encoding" not in streamed.headers
    return min(int(declared), most_bytes) if is_known else most_bytes


def _impossible_user_id(user_id: str, what: str, characters: str) -> NextcloudError:
    """Return the error for a user id that user_oidc allows and the rest of Nextcloud does not."""
    return _error(
        NextcloudError,
        f"Nextcloud has no {what} for user ids with {characters}, such as yours, {{about}}: the administrator must "
        "give you another user name, or map user ids by another claim (mapping-uid).",
        about=repr(user_id),
    )


def _user_id_in(response: httpx.Response) -> str | None:
    """Return whom Nextcloud says that it answered, None if it does not say."""
    named = [value for name, value in response.headers.raw if name.lower() == b"x-user-id"]
    return named[0].decode(errors="replace") if named else None


_MAY_BE_OF_ANOTHER: Final = frozenset({403, 404, 405, 409, 412, 500})
"""How WebDAV refuses what is asked of a folder that is not there, or not the user's; 32 answers SEARCH with 500."""


def _may_be_of_another(response: httpx.Response, user_id: str) -> bool:
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


def _worth_repeating(method: str) -> Callable[[Exception], bool | float]:
    """Return what says whether a failed request is sent again, and if Nextcloud names the pause, after how long."""

    def worth_repeating(error: Exception) -> bool | float:
        if isinstance(error, httpx.ConnectError):
            return True  # nothing was sent
        if isinstance(error, httpx.HTTPStatusError) and error.response.status_code == httpx.codes.LOCKED:
            return method in _REPEATED_WHEN_LOCKED
        if method not in SAFE_METHODS:
            return False  # it may have been done
        if isinstance(error, httpx.HTTPStatusError):
            return _short_pause(error.response)
        return isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError)

    return worth_repeating


def _no_answer(error: httpx.HTTPError, method: str, about: str) -> NextcloudError:
    """Say what a request without an answer has led to: what writes may have been done, and twice it makes two."""
    cause = type(error).__name__
    if isinstance(error, _NOTHING_SENT):
        return NextcloudUnavailableError(f"Nextcloud can't be reached ({cause}): try again shortly.")
    if isinstance(error, httpx.TimeoutException):
        known = "Nextcloud took the request about {about} and gave no answer in time ({cause})"
    else:
        known = "The connection to Nextcloud broke before it answered about {about} ({cause})"
    return _error(NextcloudUnavailableError, f"{known}: {_next_step(method)}.", about=about, cause=cause)


def _error(
    error: type[NextcloudError], sentence: str, *, about: str, why: str = "", **values: object
) -> NextcloudError:
    """Return an error whose sentence says what it is about, and why in Nextcloud's words; the log has neither."""
    told = sentence.format(about=about, why=f" ({why})" if why else "", **values)
    return error(told[:1].upper() + told[1:], reason=sentence.format(about=NOT_LOGGED, why="", **values))


def _next_step(method: str) -> str:
    """Say what to do when nobody knows what became of a request."""
    first = "try again shortly" if method in SAFE_METHODS else "it may have done what was asked; check, then try again"
    return f"{first}; {IF_IT_GOES_ON}"


def _short_pause(response: httpx.Response) -> bool | float:
    """Return the pause that Nextcloud asks for, False if it is long; without one, an overload may pass soon."""
    if "retry-after" not in response.headers:
        return response.status_code == httpx.codes.SERVICE_UNAVAILABLE
    seconds = _retry_after(response)
    return float(seconds) if seconds is not None and seconds <= LONGEST_PAUSE else False


def _retry_after(response: httpx.Response) -> int | None:
    """Return the seconds of `Retry-After` (RFC 9110 section 10.2.3); Nextcloud writes no dates there."""
    value = response.headers.get("retry-after", "")
    return int(value) if re.fullmatch("[0-9]{1,6}", value) else None


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


def parse(model: type[Model], response: httpx.Response) -> Model:
    """Read a JSON response as `model`.

    Raises:
        NextcloudUnavailableError: it is something else, as proxies and maintenance pages are.
    """
    try:
        return TypeAdapter(model).validate_json(response.content)
    except ValidationError:
        # not chained: the error's text would quote the answer
        if not response.content:  # as when its Redis breaks connections off (measured on 34.0.1)
            raise NextcloudUnavailableError(
                f"Nextcloud's answer is empty (HTTP {response.status_code}): try again shortly; {IF_IT_GOES_ON}."
            ) from None
        raise NextcloudUnavailableError(
            f"Nextcloud's answer has an unexpected form (HTTP {response.status_code}, "
            f"{response.headers.get('content-type', 'no content type')}): the administrator must check "
            "NEXTCLOUD_HOST and what stands in front of it."
        ) from None


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
    seconds = _retry_after(response)
    pause = "later" if seconds is None else f"in {seconds} s"
    next_step = _next_step(response.request.method)
    failure = _error(error, sentence, about=about, why=why, status=status, pause=pause, next_step=next_step)
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
