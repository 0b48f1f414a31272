"""`nextcloud.client`: one call's conversation with Nextcloud, and what its statuses mean."""

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


async def test_every_request_has_token_and_header(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Whatever the method, Nextcloud gets the call's token and the header without which app APIs refuse it."""
    for method in ("GET", "POST", "PUT", "DELETE", "PROPFIND", "MKCOL", "MOVE", "COPY"):
        fake.on(method, THING, answer())
        await nextcloud.request(method, THING, about="it", headers={"Depth": "0"})
    for request in fake.requests:
        assert request.headers.get_list("Authorization") == ["Bearer token-of-alice"]
        assert request.headers.get_list("OCS-APIRequest") == ["true"]
        assert request.headers["Depth"] == "0"


async def test_a_callers_header_cannot_replace_the_token(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The token is the last word on who asks."""
    fake.on("GET", THING, answer())
    await nextcloud.request("GET", THING, about="it", headers={"Authorization": "Bearer of-bob"})
    assert fake.tokens() == ["token-of-alice"]


async def test_cookies_are_never_sent_back(http: httpx.AsyncClient, fake: FakeNextcloud) -> None:
    """A session that Nextcloud opens for one user reaches no other call, neither theirs nor anybody's."""
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
    """A redirect would carry the token to wherever it points; it is told to the administrator instead."""
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
async def test_a_status_is_an_error_with_a_next_step(
    nextcloud: Nextcloud,
    fake: FakeNextcloud,
    status: int,
    headers: dict[str, str],
    error: type[NextcloudError],
    sentence: str,
) -> None:
    """Each status has its class and one sentence about the thing that was asked for; the body is not quoted."""
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
async def test_exceptions_of_webdav_say_more_than_their_status(
    nextcloud: Nextcloud, fake: FakeNextcloud, status: int, body: str, error: type[NextcloudError], sentence: str
) -> None:
    """Nextcloud lets some exceptions through as HTTP 500, and says in a sentence of its own what a name lacks."""
    fake.on("MOVE", THING, answer(status, text=body))
    with pytest.raises(NextcloudError) as caught:
        await nextcloud.request("MOVE", THING, about="/a")
    assert type(caught.value) is error
    assert sentence in str(caught.value)


@pytest.mark.parametrize("status", [400, 403])
async def test_a_web_page_is_not_an_answer_of_an_api(nextcloud: Nextcloud, fake: FakeNextcloud, status: int) -> None:
    """Untrusted domains, firewalls and limits of the web server answer with a page: that is for the administrator."""
    fake.on("GET", THING, answer(status, html="<!DOCTYPE html><p>private-words</p>"))
    with pytest.raises(NextcloudUnavailableError, match=r"web page.*trusted_domains") as caught:
        await nextcloud.request("GET", THING, about="/a")
    assert "private-words" not in str(caught.value)


@pytest.mark.parametrize("method", [*SAFE, *UNSAFE])
@pytest.mark.parametrize("status", [500, 502, 504])
async def test_a_failure_within_sends_who_wrote_to_look(
    nextcloud: Nextcloud, fake: FakeNextcloud, status: int, method: str
) -> None:
    """What Nextcloud, or a gateway in front of it, had begun may have been done, and twice makes two."""
    fake.on(method, THING, answer(status))
    with pytest.raises(NextcloudUnavailableError) as caught:
        await nextcloud.request(method, THING, about="note 7")
    step = "try again shortly" if method in SAFE else "it may have done what was asked; check, then try again"
    assert str(caught.value) == f"Nextcloud failed with HTTP {status} at note 7: {step}; {TELL_ADMINISTRATOR}."


async def test_a_status_can_be_expected(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """A status that is an answer for one request is no error there, and is one elsewhere."""
    fake.on("MKCOL", THING, answer(405))
    assert (await nextcloud.request("MKCOL", THING, about="it", also_ok={405})).status_code == 405
    with pytest.raises(NextcloudError):
        await nextcloud.request("MKCOL", THING, about="it", also_ok={404})


NOTHING_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
LOST: Final = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError, httpx.ReadTimeout, httpx.WriteTimeout)


@pytest.mark.parametrize("method", [*SAFE, *UNSAFE])
@pytest.mark.parametrize("failure", NOTHING_SENT)
async def test_where_no_connection_came_about_nothing_was_done(
    nextcloud: Nextcloud, fake: FakeNextcloud, failure: type[httpx.TransportError], method: str
) -> None:
    """Whoever wanted to write may simply try again."""
    fake.on(method, THING, failing(failure))
    with pytest.raises(NextcloudUnavailableError) as caught:
        await nextcloud.request(method, THING, about="note 7")
    assert str(caught.value) == f"Nextcloud can't be reached ({failure.__name__}): try again shortly."


@pytest.mark.parametrize("method", [*SAFE, *UNSAFE])
@pytest.mark.parametrize("failure", LOST)
async def test_a_lost_answer_sends_who_wrote_to_look(
    nextcloud: Nextcloud, fake: FakeNextcloud, failure: type[httpx.TransportError], method: str
) -> None:
    """A change of which nobody knows whether it was done must not be made a second time unseen."""
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
async def test_only_what_can_do_nothing_twice_is_repeated(
    nextcloud: Nextcloud, fake: FakeNextcloud, failure: Answer, repeated: tuple[str, ...], method: str
) -> None:
    """A safe method is sent again after a passing failure; any other only if nothing of it can have arrived."""
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
async def test_repeating_has_an_end(nextcloud: Nextcloud, fake: FakeNextcloud, failure: Answer) -> None:
    """After three tries the caller is told."""
    fake.on("GET", THING, failure)
    with pytest.raises(NextcloudError):
        await nextcloud.request("GET", THING, about="it")
    assert len(fake.requests) == 3


class Endless(httpx.AsyncByteStream):
    """A body that never ends; `taken` says how much of it was."""

    taken = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            yield bytes(1000)
            self.taken += 1000


async def test_an_answer_without_end_is_given_up(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """What is larger than the caller can take is not read to its end, nor asked for again."""
    body = Endless()
    fake.on("GET", THING, answer(stream=body))
    with pytest.raises(NextcloudError, match=r"about film\.mp4 has more than the 9999 bytes .* open it in Nextcloud"):
        await nextcloud.request("GET", THING, about="film.mp4", max_bytes=9999)
    assert body.taken < 20_000
    assert len(fake.requests) == 1


async def test_every_answer_has_a_bound(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Also where nobody names one, and whatever its status."""
    body = Endless()
    fake.on("GET", THING, answer(500, stream=body))
    with pytest.raises(NextcloudError, match=f"more than the {MAX_BYTES} bytes"):
        await nextcloud.request("GET", THING, about="it")
    assert body.taken < MAX_BYTES + 2000


async def test_an_answer_as_large_as_may_be_is_read(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The last byte that fits is no byte too many."""
    fake.on("GET", THING, answer(content=b"x" * 9999))
    assert len((await nextcloud.request("GET", THING, about="it", max_bytes=9999)).content) == 9999


async def test_what_was_compressed_counts_as_it_is(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """It is read as it was before, and a little that grows to a lot is a lot."""
    compressed, gzipped = gzip.compress(b"x" * 9999), {"Content-Encoding": "gzip"}
    fake.on("GET", THING, answer(content=compressed, headers=gzipped))
    assert (await nextcloud.request("GET", THING, about="it", max_bytes=9999)).content == b"x" * 9999
    with pytest.raises(NextcloudError, match="more than the 9998 bytes"):
        await nextcloud.request("GET", THING, about="it", max_bytes=9998)


@pytest.mark.parametrize("value", ["é", "a\r\nX-Evil: 1", "a\0b", "tab\there"])
async def test_a_header_that_http_cannot_carry_is_the_callers_mistake(
    nextcloud: Nextcloud, fake: FakeNextcloud, value: str
) -> None:
    """A made-up ETag or content type is refused before anything is sent."""
    with pytest.raises(InvalidArgumentError, match="note 7"):
        await nextcloud.request("PUT", THING, about="note 7", headers={"If-Match": value})
    assert fake.requests == []


async def test_a_path_that_no_url_can_hold_is_said_to_be_too_long(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The caller gets the sentence that a web server's 414 leads to, and the log that sentence without the path."""
    path = "/" + "a" * 70_000
    with pytest.raises(NextcloudError) as caught:
        await nextcloud.request("GET", path, about="file 7")
    assert str(caught.value).startswith("The name of file 7 is too long for the web server")
    assert caught.value.logged_cause == caught.value.cause.replace("file 7", "…")
    assert fake.requests == []


async def test_the_user_is_asked_once(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Who alice is in Nextcloud is asked with her token once, and remembered."""
    fake.on("GET", USER_PATH, ocs_user("oidc-4f2a"))
    assert [await nextcloud.user_id() for _ in range(3)] == ["oidc-4f2a"] * 3
    (request,) = fake.requests
    assert request.url.params["format"] == "json"


async def test_users_are_told_apart(http: httpx.AsyncClient, fake: FakeNextcloud) -> None:
    """With one memory for all, each account has its own id, whoever asks first."""
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
async def test_headers_may_have_any_bytes(
    nextcloud: Nextcloud, fake: FakeNextcloud, headers: Mapping[bytes, str | bytes], status: int
) -> None:
    """Nextcloud writes names into headers as they are; the answer is read all the same."""
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
async def test_answer_about_another_account_is_an_error(
    http: httpx.AsyncClient, fake: FakeNextcloud, case: tuple[str, str, dict[str, str], Answer], named: str
) -> None:
    """What WebDAV says of a former user id is not told as the person's; the next call has the present id."""
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
async def test_a_doubtful_answer_costs_one_question_a_call(
    http: httpx.AsyncClient, fake: FakeNextcloud, case: tuple[str, str, dict[str, str], Answer]
) -> None:
    """Where the answer does not say whose it is, OCS is asked once; if the id holds, the answer does too."""
    method, path, headers, response = case
    fake.on(method, path, response)
    fake.on("GET", USER_PATH, ocs_user("bügel"))
    nextcloud = Nextcloud(http, known_as("bügel"), account=ALICE, token="t")
    await nextcloud.user_id()
    for _ in range(3):
        await nextcloud.request(method, path, about="it", headers=headers, also_ok={403, 404, 409, 412, 500})
    assert [request.url.path for request in fake.requests].count(USER_PATH) == 1


async def test_an_answer_that_shows_something_is_the_persons(http: httpx.AsyncClient, fake: FakeNextcloud) -> None:
    """What another account could not have answered is believed without a question."""
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


async def test_an_app_that_names_another_account_corrects_what_is_remembered(
    http: httpx.AsyncClient, fake: FakeNextcloud
) -> None:
    """A call that has not used the id goes on, and those after it have the present one."""
    fake.on("GET", THING, answer(headers={"X-User-Id": "smith"}, text="notes of smith"))
    fake.on("GET", USER_PATH, ocs_user("smith"))
    accounts = known_as("miller")
    accounts.remember_apps(ALICE, frozenset({"core"}))
    nextcloud = Nextcloud(http, accounts, account=ALICE, token="t")
    assert (await nextcloud.request("GET", THING, about="it")).text == "notes of smith"
    assert (await nextcloud.user_id(), accounts.apps(ALICE)) == ("smith", None)


async def test_a_header_that_was_changed_in_between_locks_nobody_out(
    http: httpx.AsyncClient, fake: FakeNextcloud
) -> None:
    """What OCS says of the id counts more than a header, which a proxy may have written anew."""
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
async def test_an_algorithm_that_nextcloud_does_not_verify_is_named(
    http: httpx.AsyncClient, fake: FakeNextcloud, algorithm: str, size: int, named: str
) -> None:
    """A 401 to a token that user_oidc can't verify says so, for which client, and what it can verify."""
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
async def test_an_algorithm_that_nextcloud_verifies_is_not_the_cause(
    http: httpx.AsyncClient, fake: FakeNextcloud, token: str
) -> None:
    """Where the algorithm is fine or can't be read, the sentence has the usual causes."""
    fake.on("GET", USER_PATH, answer(401))
    with pytest.raises(TokenNotAcceptedError) as caught:
        await Nextcloud(http, AccountCache(), account=ALICE, token=token).user_id()
    assert caught.value.cause == NOT_ACCEPTED


@pytest.mark.parametrize(("algorithm", "size", "other"), [("ES256", 64, "ES512"), ("EdDSA", 64, "EdDSA with Ed448")])
async def test_a_key_that_disturbs_others_is_named(
    http: httpx.AsyncClient, fake: FakeNextcloud, algorithm: str, size: int, other: str
) -> None:
    """user_oidc refuses some algorithms for a key of the same kind that signed nothing: that cause is added."""
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
async def test_user_ids_in_paths(
    nextcloud: Nextcloud, fake: FakeNextcloud, user_id: str, home: str | None, principal: str | None
) -> None:
    """Any id that user_oidc allows stands in a path as Nextcloud reads it, or is refused with the reason."""
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
async def test_crash_for_want_of_a_home_folder(nextcloud: Nextcloud, fake: FakeNextcloud, user_id: str) -> None:
    """Notes and Cookbook answer 500 to a user id with which Nextcloud has no files; the error states that cause."""
    fake.on("GET", USER_PATH, ocs_user(user_id))
    fake.on("GET", "/index.php/apps/notes/api/v1/notes", answer(500))
    await nextcloud.user_id()
    with pytest.raises(NextcloudError, match="Nextcloud has no files for user ids with"):
        await nextcloud.request("GET", "/index.php/apps/notes/api/v1/notes", about="the list of notes")


async def test_a_failed_question_is_asked_again(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """An outage is not remembered."""
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
async def test_an_odd_answer_is_named_without_being_quoted(
    nextcloud: Nextcloud, fake: FakeNextcloud, odd: Answer
) -> None:
    """What is not the JSON that was expected comes from a proxy or a wrong address; its text stays out of errors."""
    fake.on("GET", USER_PATH, odd)
    with pytest.raises(NextcloudUnavailableError, match=r"unexpected form.*NEXTCLOUD_HOST") as caught:
        await nextcloud.user()
    assert "private-words" not in f"{caught.value!r} {caught.value.__cause__!r}"


async def test_empty_answer_sends_to_the_doctor(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """A Nextcloud that succeeds and says nothing is out of order, as when its Redis breaks connections off."""
    fake.on("GET", USER_PATH, answer())
    with pytest.raises(NextcloudUnavailableError) as caught:
        await nextcloud.user()
    assert str(caught.value) == f"Nextcloud's answer is empty (HTTP 200): try again shortly; {TELL_ADMINISTRATOR}."


@pytest.mark.parametrize("base", ["https://host.test/cloud", "https://host.test/cloud/", "https://host.test/a/b"])
async def test_nextcloud_may_live_below_a_path(base: str) -> None:
    """With a path in NEXTCLOUD_HOST, requests and absolute URLs go below it."""
    asked: list[str] = []

    def record(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200)

    async with http_client(base, transport=httpx.MockTransport(record)) as http:
        nextcloud = Nextcloud(http, accounts_with(("issuer", "a", "a")), account=("issuer", "a", "a"), token="t")
        await nextcloud.request("GET", "/status.php", about="it")
        assert asked == [f"{base.rstrip('/')}/status.php"]
        assert nextcloud.absolute("/a%20b") == f"{base.rstrip('/')}/a%20b"


async def test_query_and_json_are_sent_as_given(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Parameters are encoded, bodies are JSON in UTF-8."""
    fake.on("POST", THING, answer())
    body: dict[str, Any] = {"title": "Grüße"}
    await nextcloud.request("POST", THING, about="it", params={"path": "a b/ü&c"}, json=body)
    (request,) = fake.requests
    assert request.url.params["path"] == "a b/ü&c"
    assert request.headers["Content-Type"] == "application/json"
    assert request.content == '{"title":"Grüße"}'.encode()


async def test_an_idle_connection_is_given_up_before_nextcloud_ends_it() -> None:
    """Calls that follow each other share a connection; one after a pause shorter than Apache's 5 s has its own."""
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


async def test_address_without_a_nextcloud(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Where nobody's account is found, there is no Nextcloud: the sentence names the setting, not the person's name."""
    fake.on("GET", USER_PATH, answer(404, html="<h1>Not Found</h1>"))
    with pytest.raises(NextcloudUnavailableError, match="must check NEXTCLOUD_HOST"):
        await nextcloud.user_id()
