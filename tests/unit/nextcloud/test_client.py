"""`nextcloud.client`: the requests of one call to Nextcloud, and the errors for their status codes."""

import gzip
import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import anyio
import httpx
import pytest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

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
from nextcloud_mcp.nextcloud import capabilities
from nextcloud_mcp.nextcloud.account_cache import AccountCache
from nextcloud_mcp.nextcloud.answers import MAX_BYTES
from nextcloud_mcp.nextcloud.bearer import NOT_ACCEPTED
from nextcloud_mcp.nextcloud.client import Nextcloud, http_client
from nextcloud_mcp.nextcloud.refusals import TELL_ADMINISTRATOR
from tests.support.issuer import Answer, answer, failing
from tests.support.listening import listening
from tests.support.nextcloud import (
    ALICE,
    CAPABILITIES_PATH,
    URL,
    USER_PATH,
    FakeNextcloud,
    accounts_with,
    dav_error,
    dav_file,
    dav_folder,
    multistatus,
    ocs_capabilities,
    ocs_user,
)

THING: Final = "/thing"
SAFE: Final = ("GET", "PROPFIND", "REPORT", "SEARCH")
LOCKABLE: Final = ("POST", "PUT")
UNSAFE: Final = ("POST", "PUT", "DELETE", "MKCOL", "MOVE", "COPY", "PROPPATCH")


async def test_every_request_has_token_and_ocs_header(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Every method sends the call's token and the header that app APIs require."""
    for method in ("GET", "POST", "PUT", "DELETE", "PROPFIND", "MKCOL", "MOVE", "COPY"):
        fake.on(method, THING, answer())
        await nextcloud.request(method, THING, about="it", headers={"Depth": "0"})
    for request in fake.requests:
        assert request.headers.get_list("Authorization") == ["Bearer token-of-alice"]
        assert request.headers.get_list("OCS-APIRequest") == ["true"]
        assert request.headers["Depth"] == "0"


async def test_headers_argument_can_not_replace_token(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The Authorization header is always the call's own."""
    fake.on("GET", THING, answer())
    await nextcloud.request("GET", THING, about="it", headers={"Authorization": "Bearer of-bob"})
    assert fake.tokens() == ["token-of-alice"]


async def test_cookies_are_never_sent(http: httpx.AsyncClient, fake: FakeNextcloud) -> None:
    """A session that Nextcloud starts for one user is not used in any other call."""
    cookies = [
        ("Set-Cookie", "nc_session_id=of-alice; path=/; HttpOnly; SameSite=Lax"),
        ("Set-Cookie", "oc_sessionPassphrase=secret; path=/; Domain=cloud.test"),
    ]
    fake.on("GET", THING, answer(headers=cookies))
    for name in ("alice", "alice", "bob"):
        user = Nextcloud(
            http, accounts_with(("issuer", name, name)), account=("issuer", name, name), token=f"token-of-{name}"
        )
        await user.request("GET", THING, about="it")
    assert len(fake.requests) == 3
    assert all("Cookie" not in request.headers for request in fake.requests)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["https://attacker.test/", f"{URL}/login", "/login"])
async def test_redirects_are_not_followed(
    nextcloud: Nextcloud, fake: FakeNextcloud, status: int, location: str
) -> None:
    """A redirect would send the token to its target; the error tells the administrator instead."""
    fake.on("GET", THING, answer(status, headers={"Location": location}))
    with pytest.raises(NextcloudUnavailableError, match=r"redirects elsewhere.*NEXTCLOUD_HOST"):
        await nextcloud.request("GET", THING, about="it")
    assert len(fake.requests) == 1


STATUSES: Final[Mapping[str, tuple[int, dict[str, str], type[NextcloudError], str]]] = {
    "400": (400, {}, NextcloudError, "Nextcloud refused note 7 with HTTP 400"),
    "401": (401, {}, TokenNotAcceptedError, "a local account of your name, which may not be used through Keycloak"),
    "401 with a name": (401, {"X-User-Id": "alice"}, AccountDisabledError, "Nextcloud has disabled your account"),
    "403": (403, {}, ForbiddenError, "Nextcloud does not allow this for note 7"),
    "404": (404, {}, NotFoundError, "Nextcloud did not find note 7"),
    "405": (405, {}, NextcloudError, "Nextcloud refused note 7 with HTTP 405"),
    "409": (409, {}, ConflictError, "Note 7 conflicts with what is there"),
    "412": (412, {}, ConflictError, "Note 7 is not as you expect it"),
    "413": (
        413,
        {},
        NextcloudError,
        "Note 7 is larger than the web server in front of Nextcloud accepts in one request",
    ),
    "414": (414, {}, NextcloudError, "The name of note 7 is too long for the web server"),
    "423": (423, {}, LockedError, "Note 7 is locked"),
    "429 with a pause": (429, {"Retry-After": "30"}, RateLimitedError, "try again in 30 s."),
    "429 without one": (429, {}, RateLimitedError, "try again later."),
    "500": (500, {}, NextcloudUnavailableError, "Nextcloud failed with HTTP 500 at note 7"),
    "502": (502, {}, NextcloudUnavailableError, "Nextcloud failed with HTTP 502 at note 7"),
    "503 with a pause": (503, {"Retry-After": "120"}, NextcloudUnavailableError, "try again in 120 s; "),
    "503 with a date": (
        503,
        {"Retry-After": "Mon, 23 Nov 2026 15:00:00 GMT"},
        NextcloudUnavailableError,
        "in maintenance, overloaded or broken: try again later; ",
    ),
    "507": (507, {}, QuotaExceededError, "There is no room for note 7"),
}


@pytest.mark.parametrize(("status", "headers", "error", "sentence"), STATUSES.values(), ids=STATUSES.keys())
async def test_status_is_an_error_with_next_step(
    nextcloud: Nextcloud,
    fake: FakeNextcloud,
    status: int,
    headers: dict[str, str],
    error: type[NextcloudError],
    sentence: str,
) -> None:
    """Each status has an exception class and a sentence about the requested object; the body is not quoted."""
    fake.on("GET", THING, answer(status, headers=headers, text="private-words"))
    with pytest.raises(NextcloudError) as caught:
        await nextcloud.request("GET", THING, about="note 7")
    assert type(caught.value) is error
    assert sentence in str(caught.value)
    assert str(caught.value).endswith(".")
    assert "private-words" not in repr(caught.value)


EXPLAINED: Final[Mapping[str, tuple[int, str, type[NextcloudError], str]]] = {
    "a lock that came through": (
        500,
        dav_error(r"OCP\Lock\LockedException", '"/a" is locked'),
        LockedError,
        "/a is locked by somebody",
    ),
    "a name that came through": (
        500,
        dav_error(r"OCP\Files\ForbiddenException", "Invalid path: files/.htaccess"),
        NextcloudError,
        "Nextcloud does not allow the name of /a (Invalid path: files/.htaccess): choose another name.",
    ),
    "another exception": (500, dav_error("TypeError", "secret-path"), NextcloudUnavailableError, "HTTP 500 at /a"),
    "a name": (
        400,
        dav_error(r"OCA\DAV\Connector\Sabre\Exception\InvalidPath", "&quot;\\&quot; is not allowed inside a name."),
        NextcloudError,
        'does not allow the name of /a ("\\" is not allowed inside a name): choose another name.',
    ),
    "an iCalendar object": (
        415,
        dav_error(r"Sabre\DAV\Exception\UnsupportedMediaType", "Validation error in iCalendar: DTSTART MUST appear."),
        NextcloudError,
        "Nextcloud refused /a with HTTP 415 (Validation error in iCalendar: DTSTART MUST appear): check the arguments.",
    ),
    "a right that is missing": (
        403,
        dav_error(r"Sabre\DAV\Exception\Forbidden", "No write access"),
        ForbiddenError,
        "does not allow this for /a (No write access): if it belongs to somebody else, ask them",
    ),
    "no room": (
        507,
        dav_error(r"OCA\DAV\InsufficientStorage", "Insufficient space in /a, 9 required, 5 available"),
        QuotaExceededError,
        "no room for /a (Insufficient space in /a, 9 required, 5 available)",
    ),
    "OCS": (
        404,
        '{"ocs": {"meta": {"status": "failure", "statuscode": 404, "message": "Wrong path"}, "data": []}}',
        NotFoundError,
        "(Wrong path): check the name",
    ),
    "an app": (
        422,
        '{"msg": "No recipe name was given.", "file": "/srv/a.php"}',
        NextcloudError,
        "(No recipe name was",
    ),
    "a bare text": (400, '"The provided URL is not allowed."', NextcloudError, "(The provided URL is not allowed): "),
    "a name without a reason": (
        400,
        dav_error(r"OCA\DAV\Connector\Sabre\Exception\InvalidPath"),
        NextcloudError,
        "the name of /a (it is not valid): choose",
    ),
}


@pytest.mark.parametrize(("status", "body", "error", "sentence"), EXPLAINED.values(), ids=EXPLAINED.keys())
async def test_sabre_exceptions_refine_their_status(
    nextcloud: Nextcloud, fake: FakeNextcloud, status: int, body: str, error: type[NextcloudError], sentence: str
) -> None:
    """Nextcloud returns some exceptions as HTTP 500, and explains invalid names in its message."""
    fake.on("MOVE", THING, answer(status, text=body))
    with pytest.raises(NextcloudError) as caught:
        await nextcloud.request("MOVE", THING, about="/a")
    assert type(caught.value) is error
    assert sentence in str(caught.value)


@pytest.mark.parametrize("status", [400, 403])
async def test_html_page_is_not_an_api_response(nextcloud: Nextcloud, fake: FakeNextcloud, status: int) -> None:
    """Untrusted domains, firewalls and rate limits answer with a page; the error is for the administrator."""
    fake.on("GET", THING, answer(status, html="<!DOCTYPE html><p>private-words</p>"))
    with pytest.raises(NextcloudUnavailableError, match=r"web page.*trusted_domains") as caught:
        await nextcloud.request("GET", THING, about="/a")
    assert "private-words" not in str(caught.value)


@pytest.mark.parametrize("method", [*SAFE, *UNSAFE])
@pytest.mark.parametrize("status", [500, 502, 504])
async def test_server_error_on_unsafe_method_advises_check(
    nextcloud: Nextcloud, fake: FakeNextcloud, status: int, method: str
) -> None:
    """Nextcloud or a gateway may have done the change before it failed, and a retry would repeat it."""
    fake.on(method, THING, answer(status))
    with pytest.raises(NextcloudUnavailableError) as caught:
        await nextcloud.request(method, THING, about="note 7")
    step = "try again shortly" if method in SAFE else "it may have done what was asked; check, then try again"
    assert str(caught.value) == f"Nextcloud failed with HTTP {status} at note 7: {step}; {TELL_ADMINISTRATOR}."


async def test_expected_status_is_no_error(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """A status that is expected for one request is an error for others."""
    fake.on("MKCOL", THING, answer(405))
    assert (await nextcloud.request("MKCOL", THING, about="it", also_ok={405})).status_code == 405
    with pytest.raises(NextcloudError):
        await nextcloud.request("MKCOL", THING, about="it", also_ok={404})


NOTHING_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
LOST: Final = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError, httpx.ReadTimeout, httpx.WriteTimeout)


@pytest.mark.parametrize("method", [*SAFE, *UNSAFE])
@pytest.mark.parametrize("failure", NOTHING_SENT)
async def test_connect_error_advises_retry(
    nextcloud: Nextcloud, fake: FakeNextcloud, failure: type[httpx.TransportError], method: str
) -> None:
    """Nothing was sent, so a write can be tried again."""
    fake.on(method, THING, failing(failure))
    with pytest.raises(NextcloudUnavailableError) as caught:
        await nextcloud.request(method, THING, about="note 7")
    assert str(caught.value) == f"Nextcloud can't be reached ({failure.__name__}): try again shortly."


@pytest.mark.parametrize("method", [*SAFE, *UNSAFE])
@pytest.mark.parametrize("failure", LOST)
async def test_timeout_on_unsafe_method_advises_check(
    nextcloud: Nextcloud, fake: FakeNextcloud, failure: type[httpx.TransportError], method: str
) -> None:
    """The change may have been done, so it must not be repeated unchecked."""
    fake.on(method, THING, failing(failure))
    with pytest.raises(NextcloudUnavailableError) as caught:
        await nextcloud.request(method, THING, about="note 7")
    step = "try again shortly" if method in SAFE else "it may have done what was asked; check, then try again"
    known = (
        "Nextcloud took the request about note 7 and gave no answer in time"
        if issubclass(failure, httpx.TimeoutException)
        else "The connection to Nextcloud broke before it answered about note 7"
    )
    assert str(caught.value) == f"{known} ({failure.__name__}): {step}; {TELL_ADMINISTRATOR}."


TEMPORARY_STATUSES: Final[Mapping[str, tuple[Answer, tuple[str, ...]]]] = {
    "connection refused": (failing(httpx.ConnectError), (*SAFE, *UNSAFE)),
    "connect time-out": (failing(httpx.ConnectTimeout), ()),
    "no connection to be had": (failing(httpx.PoolTimeout), ()),
    "cut before an answer": (failing(httpx.RemoteProtocolError), SAFE),
    "cut within the answer": (failing(httpx.ReadError), SAFE),
    "cut within the request": (failing(httpx.WriteError), SAFE),
    "503": (answer(503), SAFE),
    "503 with a short pause": (answer(503, headers={"Retry-After": "1"}), SAFE),
    "503 with a long pause, as in maintenance": (answer(503, headers={"Retry-After": "120"}), ()),
    "503 with a pause that can't be read": (answer(503, headers={"Retry-After": "soon"}), ()),
    "429 with a short pause": (answer(429, headers={"Retry-After": "2"}), SAFE),
    "429 with no pause": (answer(429, headers={"Retry-After": "0"}), SAFE),
    "429 with a long pause": (answer(429, headers={"Retry-After": "3"}), ()),
    "429 with an endless pause": (answer(429, headers={"Retry-After": "9" * 5000}), ()),
    "429 without a word": (answer(429), ()),
    "read time-out": (failing(httpx.ReadTimeout), ()),
    "write time-out": (failing(httpx.WriteTimeout), ()),
    "500": (answer(500), ()),
    "502": (answer(502), ()),
    "504": (answer(504), ()),
    "423": (answer(423), (*SAFE, *LOCKABLE)),
}
"""What may pass by itself, and for which methods it is worth another try."""


@pytest.mark.parametrize("method", [*SAFE, *UNSAFE])
@pytest.mark.parametrize(("failure", "repeated"), TEMPORARY_STATUSES.values(), ids=TEMPORARY_STATUSES.keys())
async def test_only_safe_or_unsent_requests_are_retried(
    nextcloud: Nextcloud, fake: FakeNextcloud, failure: Answer, repeated: tuple[str, ...], method: str
) -> None:
    """Safe methods are retried after a transient failure, others only if the request can't have arrived."""
    fake.on(method, THING, failure, answer(200))
    if method in repeated:
        assert (await nextcloud.request(method, THING, about="it")).status_code == 200
    else:
        with pytest.raises(NextcloudError):
            await nextcloud.request(method, THING, about="it")
    assert len(fake.requests) == (2 if method in repeated else 1)


@pytest.mark.parametrize(
    "failure", [failing(httpx.ConnectError), answer(503), answer(429, headers={"Retry-After": "0"})]
)
async def test_retries_are_limited(nextcloud: Nextcloud, fake: FakeNextcloud, failure: Answer) -> None:
    """The error is raised after three attempts."""
    fake.on("GET", THING, failure)
    with pytest.raises(NextcloudError):
        await nextcloud.request("GET", THING, about="it")
    assert len(fake.requests) == 3


CONDITIONS: Final = ({"If-Match": '"e"'}, {"If-None-Match": "*"})


@pytest.mark.parametrize("headers", CONDITIONS)
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_conditional_request_is_repeated_after_500(
    nextcloud: Nextcloud, fake: FakeNextcloud, method: str, headers: dict[str, str]
) -> None:
    """A database that refuses one of several parallel changes takes it back, and Nextcloud answers 500."""
    fake.on(method, THING, answer(500), answer(500), answer(204))
    assert (await nextcloud.request(method, THING, about="it", headers=headers)).status_code == 204
    fake.on(method, THING, answer(500))
    with pytest.raises(NextcloudUnavailableError, match="HTTP 500 at it: it may have done what was asked"):
        await nextcloud.request(method, THING, about="it", headers=headers)
    assert len(fake.requests) == 6


async def test_request_with_effects_is_not_repeated(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Nextcloud sends the mails of a meeting before it stores it, so each repetition would send them again."""
    fake.on("PUT", THING, answer(500))
    with pytest.raises(NextcloudUnavailableError, match="HTTP 500"):
        await nextcloud.request("PUT", THING, about="it", headers={"If-None-Match": "*"}, has_effects=True)
    assert len(fake.requests) == 1


@pytest.mark.parametrize("status", [404, 412])
async def test_repetition_that_finds_the_change_done_says_that_it_may_be(
    nextcloud: Nextcloud, fake: FakeNextcloud, status: int
) -> None:
    """Neither "not found" nor a conflict would be true; without a 500 before they are."""
    fake.on("DELETE", THING, answer(500), answer(status), answer(status))
    headers = {"If-Match": '"e"'}
    with pytest.raises(NextcloudUnavailableError, match="HTTP 500 at it: it may have done what was asked"):
        await nextcloud.request("DELETE", THING, about="it", headers=headers)
    with pytest.raises((NotFoundError, ConflictError)):
        await nextcloud.request("DELETE", THING, about="it", headers=headers)


class Endless(httpx.AsyncByteStream):
    """A body that never ends; `taken` says how much of it was."""

    taken = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            yield bytes(1000)
            self.taken += 1000


async def test_oversized_response_is_aborted(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """A response over the limit is neither read to its end nor requested again."""
    body = Endless()
    fake.on("GET", THING, answer(stream=body))
    with pytest.raises(NextcloudError, match=r"about film\.mp4 has more than the 9999 bytes .* open it in Nextcloud"):
        await nextcloud.request("GET", THING, about="film.mp4", max_bytes=9999)
    assert body.taken < 20_000
    assert len(fake.requests) == 1


async def test_every_response_is_limited(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The default limit applies to every status."""
    body = Endless()
    fake.on("GET", THING, answer(500, stream=body))
    with pytest.raises(NextcloudError, match=f"more than the {MAX_BYTES} bytes"):
        await nextcloud.request("GET", THING, about="it")
    assert body.taken < MAX_BYTES + 2000


async def test_response_of_exactly_max_size_is_read(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The limit is inclusive."""
    fake.on("GET", THING, answer(content=b"x" * 9999))
    assert len((await nextcloud.request("GET", THING, about="it", max_bytes=9999)).content) == 9999


async def test_limit_applies_to_decompressed_size(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Compressed responses are read, and their decompressed size counts."""
    compressed, gzipped = gzip.compress(b"x" * 9999), {"Content-Encoding": "gzip"}
    fake.on("GET", THING, answer(content=compressed, headers=gzipped))
    assert (await nextcloud.request("GET", THING, about="it", max_bytes=9999)).content == b"x" * 9999
    with pytest.raises(NextcloudError, match="more than the 9998 bytes"):
        await nextcloud.request("GET", THING, about="it", max_bytes=9998)


@pytest.mark.parametrize("value", ["é", "a\r\nX-Evil: 1", "a\0b", "tab\there"])
async def test_invalid_header_value_is_an_argument_error(nextcloud: Nextcloud, fake: FakeNextcloud, value: str) -> None:
    """An invalid ETag or content type is refused before any request."""
    with pytest.raises(InvalidArgumentError, match="note 7"):
        await nextcloud.request("PUT", THING, about="note 7", headers={"If-Match": value})
    assert fake.requests == []


async def test_too_long_path_is_refused(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The caller gets the error for HTTP 414, and the log has it without the path."""
    path = "/" + "a" * 70_000
    with pytest.raises(NextcloudError) as caught:
        await nextcloud.request("GET", path, about="file 7")
    assert str(caught.value).startswith("The name of file 7 is too long for the web server")
    assert caught.value.logged_cause == caught.value.cause.replace("file 7", "…")
    assert fake.requests == []


async def test_user_is_requested_once(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The user id is requested once with the user's token, then cached."""
    fake.on("GET", USER_PATH, ocs_user("oidc-4f2a"))
    assert [await nextcloud.user_id() for _ in range(3)] == ["oidc-4f2a"] * 3
    (request,) = fake.requests
    assert request.url.params["format"] == "json"


async def test_users_are_kept_apart(http: httpx.AsyncClient, fake: FakeNextcloud) -> None:
    """In a shared cache each account has its own user id, in any order of requests."""
    accounts = AccountCache()
    fake.on("GET", USER_PATH, ocs_user("alice"), ocs_user("bob"))
    alice = Nextcloud(http, accounts, account=("issuer", "a", "a"), token="token-of-alice")
    bob = Nextcloud(http, accounts, account=("issuer", "b", "b"), token="token-of-bob")
    assert [await alice.user_id(), await bob.user_id(), await alice.user_id()] == ["alice", "bob", "alice"]
    assert fake.tokens() == ["token-of-alice", "token-of-bob"]


HEADERS_OF_ANSWERS: Final = {
    "user id": {b"X-User-Id": "bugs.üml"},
    "file name": {b"Content-Disposition": "attachment; filename=Größe.md"},
    "not UTF-8": {b"X-Anything": b"\xff\xfe"},
    "several": {b"X-User-Id": "日本", b"X-Lock-Owner": "Zoë 😀", b"ETag": '"1"'},
}


@pytest.mark.parametrize("headers", HEADERS_OF_ANSWERS.values(), ids=HEADERS_OF_ANSWERS.keys())
@pytest.mark.parametrize("status", [200, 404])
async def test_non_ascii_header_is_accepted(
    nextcloud: Nextcloud, fake: FakeNextcloud, headers: Mapping[bytes, str | bytes], status: int
) -> None:
    """Nextcloud writes names into headers unencoded; the response is still read."""
    raw = [(name, value.encode() if isinstance(value, str) else value) for name, value in headers.items()]
    fake.on("GET", THING, lambda request: httpx.Response(status, headers=raw, content=b"x", request=request))
    response = await nextcloud.request("GET", THING, about="it", also_ok={404})
    assert (response.status_code, response.content) == (status, b"x")
    assert [each for each in response.headers.raw if each[0] in headers] == raw


def known_as(user_id: str) -> AccountCache:
    """Return a memory in which alice has this user id."""
    accounts = accounts_with(ALICE)
    accounts.remember_user_id(ALICE, user_id)
    return accounts


HOME: Final = "/remote.php/dav/files/b%C3%BCgel"
NOTHING_IN_HOME: Final = multistatus(dav_folder(f"{HOME}/"))

ABOUT_ANOTHER_ACCOUNT: Final[Mapping[str, tuple[str, str, dict[str, str], Answer]]] = {
    "an empty folder": ("PROPFIND", f"{HOME}/", {"Depth": "1"}, answer(207, content=NOTHING_IN_HOME)),
    "the home itself": ("PROPFIND", f"{HOME}/", {"Depth": "0"}, answer(207, content=NOTHING_IN_HOME)),
    "no match": ("REPORT", f"{HOME}/x", {"Depth": "1"}, answer(207, content=multistatus())),
    "not found": ("GET", f"{HOME}/x", {}, answer(404)),
    "forbidden": ("PUT", f"{HOME}/x", {}, answer(403)),
    "a conflict": ("MKCOL", f"{HOME}/x", {}, answer(409)),
    "a condition": ("PUT", f"{HOME}/x", {"If-Match": '"1"'}, answer(412)),
    "a search": ("SEARCH", "/remote.php/dav/", {}, answer(500)),
}


@pytest.mark.parametrize("case", ABOUT_ANOTHER_ACCOUNT.values(), ids=ABOUT_ANOTHER_ACCOUNT.keys())
@pytest.mark.parametrize("named", ["by OCS", "by the answer"])
async def test_response_for_former_user_id_is_an_error(
    http: httpx.AsyncClient, fake: FakeNextcloud, case: tuple[str, str, dict[str, str], Answer], named: str
) -> None:
    """A WebDAV response about a former user id is not returned; the next call uses the current id."""
    method, path, headers, response = case
    raw = [(b"X-User-Id", "smith-bügel".encode())] if named == "by the answer" else []

    def answered(request: httpx.Request) -> httpx.Response:
        reply = response(request)
        return httpx.Response(reply.status_code, headers=raw, content=reply.content, request=request)

    fake.on(method, path, answered)
    fake.on("GET", USER_PATH, ocs_user("smith-bügel"))
    accounts = known_as("bügel")
    nextcloud = Nextcloud(http, accounts, account=ALICE, token="t")
    assert await nextcloud.user_id() == "bügel"
    with pytest.raises(AccountChangedError) as caught:
        await nextcloud.request(method, path, about="it", headers=headers)
    assert str(caught.value) == "Your account in Nextcloud is now 'smith-bügel' and no longer 'bügel': call again."
    assert "bügel" not in caught.value.logged_cause
    assert await Nextcloud(http, accounts, account=ALICE, token="t").user_id() == "smith-bügel"


@pytest.mark.parametrize("case", ABOUT_ANOTHER_ACCOUNT.values(), ids=ABOUT_ANOTHER_ACCOUNT.keys())
async def test_ambiguous_response_costs_one_ocs_request(
    http: httpx.AsyncClient, fake: FakeNextcloud, case: tuple[str, str, dict[str, str], Answer]
) -> None:
    """If the response names no user, OCS is requested once; if the id is unchanged, the response is valid."""
    method, path, headers, response = case
    fake.on(method, path, response)
    fake.on("GET", USER_PATH, ocs_user("bügel"))
    nextcloud = Nextcloud(http, known_as("bügel"), account=ALICE, token="t")
    await nextcloud.user_id()
    for _ in range(3):
        await nextcloud.request(method, path, about="it", headers=headers, also_ok={403, 404, 409, 412, 500})
    assert [request.url.path for request in fake.requests].count(USER_PATH) == 1


async def test_non_empty_response_is_trusted(http: httpx.AsyncClient, fake: FakeNextcloud) -> None:
    """Data that another account could not have returned needs no OCS request."""
    found = multistatus(dav_folder(f"{HOME}/"), dav_file(f"{HOME}/a.txt"))
    fake.on("PROPFIND", f"{HOME}/", answer(207, content=found))
    fake.on("PROPFIND", f"{HOME}/a.txt", answer(207, content=multistatus(dav_file(f"{HOME}/a.txt"))))
    fake.on("GET", f"{HOME}/a.txt", answer(200, content=b"x"))
    fake.on("REPORT", f"{HOME}/", answer(207, content=multistatus(dav_file(f"{HOME}/a.txt"))))
    nextcloud = Nextcloud(http, known_as("bügel"), account=ALICE, token="t")
    await nextcloud.user_id()
    await nextcloud.request("REPORT", f"{HOME}/", about="it", headers={"Depth": "1"})
    await nextcloud.request("PROPFIND", f"{HOME}/", about="it", headers={"Depth": "1"})
    await nextcloud.request("PROPFIND", f"{HOME}/a.txt", about="it", headers={"Depth": "0"})
    await nextcloud.request("GET", f"{HOME}/a.txt", about="it")
    assert USER_PATH not in {request.url.path for request in fake.requests}


async def test_response_of_other_account_updates_cache(http: httpx.AsyncClient, fake: FakeNextcloud) -> None:
    """A call that has not used the user id continues, and later ones use the current id."""
    fake.on("GET", THING, answer(headers={"X-User-Id": "smith"}, text="notes of smith"))
    fake.on("GET", USER_PATH, ocs_user("smith"))
    accounts = known_as("miller")
    accounts.remember_apps(ALICE, frozenset({"core"}))
    nextcloud = Nextcloud(http, accounts, account=ALICE, token="t")
    assert (await nextcloud.request("GET", THING, about="it")).text == "notes of smith"
    assert (await nextcloud.user_id(), accounts.apps(ALICE)) == ("smith", None)


async def test_ocs_overrides_rewritten_user_header(http: httpx.AsyncClient, fake: FakeNextcloud) -> None:
    """The user id from OCS takes precedence over a header that a proxy may have changed."""
    garbled = answer(207, headers={"X-User-Id": "b?gel"}, content=NOTHING_IN_HOME)
    fake.on("PROPFIND", f"{HOME}/", garbled)
    fake.on("GET", USER_PATH, ocs_user("bügel"))
    nextcloud = Nextcloud(http, known_as("bügel"), account=ALICE, token="t")
    await nextcloud.user_id()
    for _ in range(3):
        response = await nextcloud.request("PROPFIND", f"{HOME}/", about="it", headers={"Depth": "1"})
        assert response.status_code == 207
    assert [request.url.path for request in fake.requests].count(USER_PATH) == 1


def token_signed_with(algorithm: str, signature: bytes, **claims: object) -> str:
    """Return a token as far as it can be read without a key."""
    parts = (json.dumps({"alg": algorithm}).encode(), json.dumps(claims).encode(), signature)
    return ".".join(urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


@pytest.mark.parametrize(
    ("algorithm", "size", "named"),
    [("PS256", 256, "PS256"), ("ES512", 132, "ES512"), ("EdDSA", 114, "EdDSA with Ed448"), ("ES256K", 64, "ES256K")],
)
async def test_unsupported_algorithm_is_named(
    http: httpx.AsyncClient, fake: FakeNextcloud, algorithm: str, size: int, named: str
) -> None:
    """A 401 for a token that user_oidc can't verify names algorithm, client and supported algorithms."""
    token = token_signed_with(algorithm, bytes(size), azp="http://localhost:8000/mcp")
    nextcloud = Nextcloud(http, AccountCache(), account=ALICE, token=token)
    fake.on("GET", USER_PATH, answer(401))
    fake.on("GET", CAPABILITIES_PATH, ocs_capabilities("theming"))
    for ask in (nextcloud.user_id, lambda: capabilities.apps(nextcloud)):
        with pytest.raises(TokenNotAcceptedError) as caught:
            await ask()
        assert f"does not verify tokens signed with {named}: the administrator must" in str(caught.value)
        assert "of the client http://localhost:8000/mcp with one of RS256," in str(caught.value)


@pytest.mark.parametrize("token", ["t", "a.b", token_signed_with("RS256", b"x"), "W10.W10.W10", "e30.e30.e30"])
async def test_supported_algorithm_is_not_blamed(http: httpx.AsyncClient, fake: FakeNextcloud, token: str) -> None:
    """If the algorithm is supported or unreadable, the error has the usual causes."""
    fake.on("GET", USER_PATH, answer(401))
    with pytest.raises(TokenNotAcceptedError) as caught:
        await Nextcloud(http, AccountCache(), account=ALICE, token=token).user_id()
    assert caught.value.cause == NOT_ACCEPTED


@pytest.mark.parametrize(("algorithm", "size", "other"), [("ES256", 64, "ES512"), ("EdDSA", 64, "EdDSA with Ed448")])
async def test_conflicting_key_is_named(
    http: httpx.AsyncClient, fake: FakeNextcloud, algorithm: str, size: int, other: str
) -> None:
    """user_oidc rejects some algorithms because of another key of the same type; the error adds this cause."""
    fake.on("GET", USER_PATH, answer(401))
    token = token_signed_with(algorithm, bytes(size))
    with pytest.raises(TokenNotAcceptedError) as caught:
        await Nextcloud(http, AccountCache(), account=ALICE, token=token).user_id()
    assert caught.value.cause.endswith(f"refuses it while the realm has a key for {other} too")


@pytest.mark.parametrize(
    ("user_id", "home", "principal"),
    [
        ("bugs.üml", "bugs.%C3%BCml", "bugs.%C3%BCml"),
        ("two words", "two%20words", "two%20words"),
        ("bob@example.org", "bob%40example.org", "bob%40example.org"),
        ("😀", "%F0%9F%98%80", "%F0%9F%98%80"),
        ("a&b#c?d", "a%26b%23c%3Fd", "a%26b%23c%3Fd"),
        ("bob+x@example.org", "bob%252Bx%40example.org", None),
        ("100%", "100%25", "100%25"),
        ("per%cent", "per%2525cent", None),
        ("a/b", None, None),
        ("a\\b", None, "a%5Cb"),
        ("zoe\u0308", None, "zoe%CC%88"),
    ],
)
async def test_user_ids_are_encoded_in_paths(
    nextcloud: Nextcloud, fake: FakeNextcloud, user_id: str, home: str | None, principal: str | None
) -> None:
    """Every user id that user_oidc allows is encoded as Nextcloud expects, or refused with the reason."""
    fake.on("GET", USER_PATH, ocs_user(user_id))
    for name, expected in ((nextcloud.home_name, home), (nextcloud.principal_name, principal)):
        if expected is not None:
            assert await name() == expected
            continue
        with pytest.raises(NextcloudError, match="the administrator must give you another user name") as caught:
            await name()
        assert repr(user_id) in str(caught.value)
        assert repr(user_id) not in caught.value.logged_cause


@pytest.mark.parametrize("user_id", ["a/b", "a\\b"])
async def test_missing_home_folder_is_named(nextcloud: Nextcloud, fake: FakeNextcloud, user_id: str) -> None:
    """Notes and Cookbook answer 500 to a user id for which Nextcloud has no files; the error names that cause."""
    fake.on("GET", USER_PATH, ocs_user(user_id))
    fake.on("GET", "/index.php/apps/notes/api/v1/notes", answer(500))
    await nextcloud.user_id()
    with pytest.raises(NextcloudError, match="Nextcloud has no files for user ids with"):
        await nextcloud.request("GET", "/index.php/apps/notes/api/v1/notes", about="the list of notes")


async def test_failed_user_request_is_not_cached(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """An outage is not cached."""
    fake.on("GET", USER_PATH, answer(500), ocs_user("alice"))
    with pytest.raises(NextcloudUnavailableError):
        await nextcloud.user_id()
    assert await nextcloud.user_id() == "alice"


ODD_ANSWERS: Final[Mapping[str, Answer]] = {
    "HTML": answer(html="<h1>private-words</h1>"),
    "a list": answer(json=[]),
    "no data": answer(json={"ocs": {"meta": {}}}),
    "data is a list, as OCS failures have it": answer(json={"ocs": {"meta": {}, "data": []}}),
    "id is missing": answer(json={"ocs": {"data": {"displayname": "private-words"}}}),
    "not UTF-8": answer(content=b'{"ocs": "\xff"}'),
}


@pytest.mark.parametrize("odd", ODD_ANSWERS.values(), ids=ODD_ANSWERS.keys())
async def test_malformed_response_is_not_quoted(nextcloud: Nextcloud, fake: FakeNextcloud, odd: Answer) -> None:
    """An invalid JSON response comes from a proxy or a wrong address; the error does not quote it."""
    fake.on("GET", USER_PATH, odd)
    with pytest.raises(NextcloudUnavailableError, match=r"unexpected form.*NEXTCLOUD_HOST") as caught:
        await nextcloud.user()
    assert "private-words" not in f"{caught.value!r} {caught.value.__cause__!r}"


async def test_empty_response_advises_doctor(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Nextcloud is faulty if it answers 200 without content, for example when Redis drops connections."""
    fake.on("GET", USER_PATH, answer())
    with pytest.raises(NextcloudUnavailableError) as caught:
        await nextcloud.user()
    assert str(caught.value) == f"Nextcloud's answer is empty (HTTP 200): try again shortly; {TELL_ADMINISTRATOR}."


@pytest.mark.parametrize("base", ["https://host.test/cloud", "https://host.test/cloud/", "https://host.test/a/b"])
async def test_base_path_is_supported(base: str) -> None:
    """With a path in NEXTCLOUD_HOST, requests and absolute URLs include it."""
    asked: list[str] = []

    def record(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200)

    async with http_client(base, transport=httpx.MockTransport(record)) as http:
        nextcloud = Nextcloud(http, accounts_with(("issuer", "a", "a")), account=("issuer", "a", "a"), token="t")
        await nextcloud.request("GET", "/status.php", about="it")
        assert asked == [f"{base.rstrip('/')}/status.php"]
        assert nextcloud.absolute("/a%20b") == f"{base.rstrip('/')}/a%20b"


async def test_query_and_json_are_encoded(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Parameters are URL-encoded, bodies are JSON in UTF-8."""
    fake.on("POST", THING, answer())
    body: dict[str, Any] = {"title": "Grüße"}
    await nextcloud.request("POST", THING, about="it", params={"path": "a b/ü&c"}, json=body)
    (request,) = fake.requests
    assert request.url.params["path"] == "a b/ü&c"
    assert request.headers["Content-Type"] == "application/json"
    assert request.content == '{"title":"Grüße"}'.encode()


async def test_idle_connection_is_closed_before_nextcloud_closes_it() -> None:
    """Consecutive calls share a connection; it is closed after a pause shorter than Apache's 5 s."""
    connections: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        connections.append(scope["client"][1])
        await Response()(scope, receive, send)

    async with listening(app) as url, http_client(url) as http:
        nextcloud = Nextcloud(http, accounts_with(("issuer", "a", "a")), account=("issuer", "a", "a"), token="t")
        for pause in (0, 0, 2.5):
            await anyio.sleep(pause)  # the passing of time is what is tested
            await nextcloud.request("DELETE", THING, about="it")
    first, second, third = connections
    assert first == second
    assert third != second


async def test_address_without_a_nextcloud_names_setting(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """If no account is found at the address, the error names the setting, not the user."""
    fake.on("GET", USER_PATH, answer(404, html="<h1>Not Found</h1>"))
    with pytest.raises(NextcloudUnavailableError, match="must check NEXTCLOUD_HOST"):
        await nextcloud.user_id()
