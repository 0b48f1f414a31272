"""Named faults of the real Keycloak and Nextcloud, and what the caller and the log say about each.

The server runs behind proxies of the real Keycloak and the real Nextcloud. For each fault, the caller gets one sentence
with the cause and the next step, and the log gets one event with the request's id and the same sentence. After the
fault, the next call works in the same process.
"""

import json
import re
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import anyio
import httpx
import pytest

from nextcloud_mcp.nextcloud.bearer import NOT_ACCEPTED, REMEDY
from nextcloud_mcp.nextcloud.refusals import TELL_ADMINISTRATOR
from stack.chain import Chain
from stack.config import EXCHANGE_CLIENT_SECRET
from stack.process import free_port
from stack.servers import run_server
from tests.e2e.servers import EVERYTHING, Server
from tests.support.eventually import MAX_SECONDS, eventually
from tests.support.fault_proxy import Fault, FaultProxy, run_fault_proxy
from tests.support.http import patient_client
from tests.support.mcp_http import result, tool_request
from tests.support.minting import Minter, rsa_key
from tests.support.oauth import ALICE, sign_in
from tests.support.server import LEGACY, MODERN
from tests.support.threads import in_thread

SHORT_TIMEOUTS: Final = (sys.executable, "-m", "tests.support.short_timeouts")


@dataclass(frozen=True)
class ProxiedServer:
    """The server under test, and what it stands on.

    Attributes:
        mode: exchange or pass-through.
        url: where it listens.
        host: its public name.
        token: alice's, for it.
        log: its log.
        keycloak: the proxy in front of the realm.
        nextcloud: the proxy in front of Nextcloud.
    """

    mode: str
    url: str
    host: str
    token: str
    log: Path
    keycloak: FaultProxy
    nextcloud: FaultProxy

    async def call(
        self,
        tool: str,
        arguments: dict[str, str],
        *,
        token: str | None = None,
        version: str = LEGACY,
        request_id: str = "",
    ) -> httpx.Response:
        """Call a tool, as alice by default."""
        headers = {"Host": self.host, "X-Request-Id": request_id}
        request = tool_request(tool, arguments, token=token or self.token, version=version, **headers)
        async with patient_client() as http:
            return await http.post(self.url, **request)

    async def works(self) -> None:
        """Fail unless a call of each of Nextcloud's APIs works now."""
        for tool, arguments in (WHO, ("nc_webdav_list_directory", {"path": ""}), NOTES):
            answer = result(await self.call(tool, arguments))
            assert not answer.get("isError"), answer

    def events(self, **fields: str) -> list[dict[str, Any]]:
        """Return the events of the log that have these fields."""
        events = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [event for event in events if fields.items() <= event.items()]

    async def logged(self, caller_id: str) -> list[dict[str, Any]]:
        """Return the events of a request that nobody waits for any more, by what its caller called it."""
        return self.events(caller_id=caller_id)

    def only_event(self, response: httpx.Response) -> dict[str, Any]:
        """Return the one event of an answered request."""
        (event,) = self.events(request_id=response.headers["X-Request-Id"])
        return event


@pytest.fixture(scope="module", params=["exchange", "pass_through"])
async def proxied(request: pytest.FixtureRequest, chain: Chain) -> AsyncIterator[ProxiedServer]:
    """A server in each mode, behind which Keycloak and Nextcloud can fail."""
    server: Server = request.getfixturevalue(request.param)
    tokens = await sign_in(chain.keycloak, **ALICE, scope=f"{server.scope} {EVERYTHING}")
    name = f"faults-{server.mode}"
    async with AsyncExitStack() as stack:
        keycloak = await stack.enter_async_context(run_fault_proxy(chain.keycloak.url))
        nextcloud = await stack.enter_async_context(run_fault_proxy(chain.nextcloud.url))
        settings = {
            "NEXTCLOUD_HOST": nextcloud.url,
            "OIDC_DISCOVERY_URL": chain.keycloak.discovery_url.replace(chain.keycloak.url, keycloak.url),
        }
        if server.mode == "exchange":
            settings |= {"ENABLE_TOKEN_EXCHANGE": "true", "OIDC_CLIENT_SECRET": EXCHANGE_CLIENT_SECRET}
        running = run_server(name, server.url, free_port(), settings, logs=chain.config.state, command=SHORT_TIMEOUTS)
        url = await stack.enter_async_context(in_thread(running))
        host = server.origin.removeprefix("http://")
        log = chain.config.state / f"server-{name}.log"
        yield ProxiedServer(server.mode, url, host, tokens["access_token"], log, keycloak, nextcloud)


LIST: Final = ("nc_webdav_list_directory", {"path": "Plans"})
WRITE: Final = ("nc_webdav_write_file", {"path": "Plans/x.txt", "content": "content-of-a-test"})
NOTES: Final = ("nc_notes_search_notes", {"query": "x"})
WHO: Final[tuple[str, dict[str, str]]] = ("nc_whoami", {})


@dataclass(frozen=True)
class Case:
    """A call, Nextcloud's answer to it, and what is made of that."""

    call: tuple[str, dict[str, str]]
    status: int
    sentence: str
    code: str
    body: bytes = b"<h1>content-of-a-page</h1>"
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def fault(self) -> Fault:
        """What Nextcloud answers."""
        return Fault(self.status, self.body, {"Content-Type": "text/html", **self.headers})


NEXTCLOUD_ANSWERS: Final[Mapping[str, Case]] = {
    "401": Case(
        WHO,
        401,
        f"{NOT_ACCEPTED}: {REMEDY}.",
        "nextcloud.token_not_accepted",
    ),
    "403": Case(
        LIST,
        403,
        "Nextcloud does not allow this for /Plans: if it belongs to somebody else, ask them for the permission; "
        "if it is yours, nobody may do this with it.",
        "nextcloud.forbidden",
        headers={"Content-Type": "application/xml; charset=utf-8"},
    ),
    "404": Case(
        LIST,
        404,
        "Nextcloud did not find /Plans among what you may see: check the name, or list what is there.",
        "nextcloud.not_found",
    ),
    "423": Case(
        WRITE,
        423,
        "/Plans/x.txt is locked by somebody who is writing to it: try again shortly.",
        "nextcloud.locked",
    ),
    "429": Case(
        LIST,
        429,
        "Nextcloud asks for a pause: try again in 37 s.",
        "nextcloud.rate_limited",
        headers={"Retry-After": "37"},
    ),
    "500": Case(
        LIST,
        500,
        f"Nextcloud failed with HTTP 500 at /Plans: try again shortly; {TELL_ADMINISTRATOR}.",
        "nextcloud.unavailable",
    ),
    "503": Case(
        LIST,
        503,
        f"Nextcloud is in maintenance, overloaded or broken: try again later; {TELL_ADMINISTRATOR}.",
        "nextcloud.unavailable",
    ),
    "nothing": Case(
        WHO,
        200,
        f"Nextcloud's answer is empty (HTTP 200): try again shortly; {TELL_ADMINISTRATOR}.",
        "nextcloud.unavailable",
        body=b"",
    ),
    "maintenance mode": Case(
        WHO,
        503,
        f"Nextcloud is in maintenance, overloaded or broken: try again in 120 s; {TELL_ADMINISTRATOR}.",
        "nextcloud.unavailable",
        headers={"Retry-After": "120", "X-Nextcloud-Maintenance-Mode": "1"},
    ),
    "507": Case(
        WRITE,
        507,
        (
            "There is no room for /Plans/x.txt, as your storage or Nextcloud's disk is full: delete something first, "
            "or tell the administrator."
        ),
        "nextcloud.quota_exceeded",
    ),
    "broken XML": Case(
        LIST,
        207,
        "Nextcloud's answer is not WebDAV: the administrator must check NEXTCLOUD_HOST and what stands in front.",
        "nextcloud.unavailable",
        body=b'<?xml version="1.0"?><d:multistatus xmlns:d="DAV:"><d:response><d:href>/content-of',
        headers={"X-User-Id": "alice"},
    ),
    "XML with an entity": Case(
        LIST,
        207,
        "Nextcloud's answer is not WebDAV: the administrator must check NEXTCLOUD_HOST and what stands in front.",
        "nextcloud.unavailable",
        body=b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><d:multistatus xmlns:d="DAV:">&e;</d:multistatus>',
        headers={"X-User-Id": "alice"},
    ),
    "broken JSON": Case(
        NOTES,
        200,
        "Nextcloud's answer has an unexpected form (HTTP 200, application/json): the administrator must check "
        "NEXTCLOUD_HOST and what stands in front of it.",
        "nextcloud.unavailable",
        body=b'[{"id": 7, "title": "content-of-a-no',
        headers={"Content-Type": "application/json"},
    ),
    "HTML for JSON": Case(
        WHO,
        200,
        "Nextcloud's answer has an unexpected form (HTTP 200, text/html): the administrator must check "
        "NEXTCLOUD_HOST and what stands in front of it.",
        "nextcloud.unavailable",
    ),
}


@pytest.mark.parametrize("case", NEXTCLOUD_ANSWERS.values(), ids=NEXTCLOUD_ANSWERS.keys())
async def test_nextcloud_error_responses_become_sentences(proxied: ProxiedServer, case: Case) -> None:
    """Each error response becomes one sentence without Nextcloud's text and one event; the next call works again."""
    await proxied.works()
    with proxied.nextcloud.failing(case.fault):
        response = await proxied.call(*case.call)
    await proxied.works()

    assert_told(proxied, response, case.sentence, case.code)


def assert_told(proxied: ProxiedServer, response: httpx.Response, sentence: str, code: str) -> None:
    """Hold a tool's error and the log's event against what they must be."""
    answer = result(response)
    assert answer["isError"] is True
    assert [content["text"] for content in answer["content"]] == [sentence]
    event = proxied.only_event(response)
    assert (event["event"], event["level"]) == ("tool.failed", "warning")
    assert event["code"] == code
    logged = f"{event['cause']}: {event['remedy']}."
    assert re.fullmatch(re.escape(logged).replace("…", ".*"), sentence), "the log has more than the sentence"


async def test_nextcloud_down_is_reported_after_retries(proxied: ProxiedServer) -> None:
    """Refused connections are reported after two retries, and calls work again as soon as Nextcloud is up."""
    await proxied.works()
    async with proxied.nextcloud.away():
        response = await proxied.call(*WHO)
    await proxied.works()

    sentence = "Nextcloud can't be reached (ConnectError): try again shortly."
    assert_told(proxied, response, sentence, "nextcloud.unavailable")


SLOW: Final[Mapping[str, tuple[tuple[str, dict[str, str]], str, str]]] = {
    "reading": (
        LIST,
        "PROPFIND /remote.php/dav/files/alice/Plans",
        (
            "Nextcloud took the request about /Plans and gave no answer in time (ReadTimeout): try again shortly; "
            f"{TELL_ADMINISTRATOR}."
        ),
    ),
    "writing": (
        WRITE,
        "PUT /remote.php/dav/files/alice/Plans/x.txt",
        (
            "Nextcloud took the request about /Plans/x.txt and gave no answer in time (ReadTimeout): it may have done "
            f"what was asked; check, then try again; {TELL_ADMINISTRATOR}."
        ),
    ),
}


@pytest.mark.parametrize(("call", "request_line", "sentence"), SLOW.values(), ids=SLOW.keys())
async def test_nextcloud_time_out_is_reported_without_retry(
    proxied: ProxiedServer, call: tuple[str, dict[str, str]], request_line: str, sentence: str
) -> None:
    """A call without a response costs one time-out and no retry; after a write, the error advises to check."""
    await proxied.works()
    before = len(proxied.nextcloud.requests)
    with proxied.nextcloud.holding() as held:
        response = await proxied.call(*call)
        with anyio.fail_after(MAX_SECONDS):
            await held.gone.wait()
    asked = proxied.nextcloud.requests[before:]
    await proxied.works()

    assert_told(proxied, response, sentence, "nextcloud.unavailable")
    assert asked == [request_line]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirect_to_another_host_is_not_followed(proxied: ProxiedServer, status: int) -> None:
    """The error tells the administrator about the redirect, and the target gets no request."""
    await proxied.works()
    async with run_fault_proxy("http://localhost") as attacker:
        with proxied.nextcloud.failing(Fault(status, headers={"Location": f"{attacker.url}/login"})):
            response = await proxied.call(*WHO)
    await proxied.works()

    sentence = (
        "Nextcloud redirects elsewhere, which is not followed: the administrator must set NEXTCLOUD_HOST to the "
        "address where it answers itself."
    )
    assert_told(proxied, response, sentence, "nextcloud.unavailable")
    assert attacker.requests == []


@dataclass(frozen=True)
class Tried:
    """A call under an answer that may pass, and how often Nextcloud is asked."""

    call: tuple[str, dict[str, str]]
    fault: Fault
    times: int


TRIED: Final[Mapping[str, Tried]] = {
    "reading, 503": Tried(WHO, Fault(503), 3),
    "reading, 429 for a moment": Tried(WHO, Fault(429, headers={"Retry-After": "0"}), 3),
    "reading, 429 for longer": Tried(WHO, Fault(429, headers={"Retry-After": "37"}), 1),
    "reading, 500": Tried(WHO, Fault(500), 1),
    "writing, 503": Tried(WRITE, Fault(503), 1),
    "writing, 429 for a moment": Tried(WRITE, Fault(429, headers={"Retry-After": "0"}), 1),
}


@pytest.mark.parametrize("tried", TRIED.values(), ids=TRIED.keys())
async def test_only_safe_requests_are_retried(proxied: ProxiedServer, tried: Tried) -> None:
    """Safe requests are retried at most twice; requests that change something are sent once."""
    await proxied.works()
    before = len(proxied.nextcloud.requests)
    with proxied.nextcloud.failing(tried.fault):
        response = await proxied.call(*tried.call)

    assert result(response)["isError"] is True
    assert len(proxied.nextcloud.requests) - before == tried.times
    assert proxied.only_event(response)["event"] == "tool.failed"


@pytest.mark.parametrize("fault", [Fault(503), Fault(429, headers={"Retry-After": "1"})], ids=["503", "429"])
async def test_temporary_overload_is_retried_silently(proxied: ProxiedServer, fault: Fault) -> None:
    """If Nextcloud recovers within the retries, the call succeeds, and the log does not mention them."""
    await proxied.works()
    before = len(proxied.nextcloud.requests)
    with proxied.nextcloud.failing(fault, times=1):
        response = await proxied.call(*WHO)

    assert not result(response).get("isError")
    assert len(proxied.nextcloud.requests) - before == 2
    assert proxied.only_event(response)["event"] == "tool.done"


HTML: Final = {"Content-Type": "text/html"}

FAILED: Final = (
    "Keycloak failed at the token exchange with HTTP {status}: try again shortly, and look into Keycloak's log if "
    "it stays so."
)
REFUSED: Final = (
    "Keycloak refused to exchange the token (it answered 'unknown_error: Consult the server log.'): the "
    "administrator must look into Keycloak's log."
)
NO_TOKEN: Final = (
    "Keycloak's token endpoint answered with something that is no token response: check OIDC_DISCOVERY_URL, "
    "and that nothing rewrites answers in between."
)

EXCHANGE_ANSWERS: Final[Mapping[str, tuple[Fault, str]]] = {
    "500": (Fault(500, b'{"error":"unknown_error","error_description":"Consult the server log."}'), REFUSED),
    "500 without a word": (Fault(500), FAILED.format(status=500)),
    "502 in HTML": (Fault(502, b"<h1>Bad Gateway</h1>", HTML), FAILED.format(status=502)),
    "HTML": (Fault(200, b"<h1>Sign in</h1>", HTML), NO_TOKEN),
}


@pytest.mark.parametrize(("fault", "sentence"), EXCHANGE_ANSWERS.values(), ids=EXCHANGE_ANSWERS.keys())
async def test_keycloak_error_responses_fail_the_exchange(proxied: ProxiedServer, fault: Fault, sentence: str) -> None:
    """A failed exchange fails the call without a retry; pass-through mode does not need Keycloak."""
    await proxied.works()
    before = len(proxied.keycloak.requests)
    with proxied.keycloak.failing(fault):
        response = await proxied.call(*WHO)
    asked = proxied.keycloak.requests[before:]
    await proxied.works()

    assert_exchange_failed(proxied, response, sentence, asked)


def assert_exchange_failed(proxied: ProxiedServer, response: httpx.Response, sentence: str, asked: list[str]) -> None:
    """Hold a call without Keycloak against what it must be in each mode."""
    if proxied.mode == "exchange":
        assert_told(proxied, response, sentence, "token_exchange.failed")
        assert [request for request in asked if not request.startswith("GET ")] == [
            "POST /realms/nextcloud-mcp/protocol/openid-connect/token"
        ]
    else:
        assert not result(response).get("isError")
        assert proxied.only_event(response)["event"] == "tool.done"


async def test_keycloak_down_is_reported(proxied: ProxiedServer) -> None:
    """A refused connection fails the exchange with the cause, and calls work again as soon as Keycloak is up."""
    await proxied.works()
    async with proxied.keycloak.away():
        response = await proxied.call(*WHO)
    await proxied.works()

    sentence = "Keycloak can't be reached for the token exchange (ConnectError): try again shortly."
    if proxied.mode == "exchange":
        assert_told(proxied, response, sentence, "token_exchange.failed")
    else:
        assert not result(response).get("isError")


async def test_keycloak_time_out_is_reported_without_retry(proxied: ProxiedServer) -> None:
    """A Keycloak that does not respond costs one time-out and gets one request."""
    await proxied.works()
    before = len(proxied.keycloak.requests)
    with proxied.keycloak.holding():
        response = await proxied.call(*WHO)
    asked = proxied.keycloak.requests[before:]
    await proxied.works()

    sentence = "Keycloak can't be reached for the token exchange (ReadTimeout): try again shortly."
    assert_exchange_failed(proxied, response, sentence, asked)


UNKNOWN_ISSUER: Final[Mapping[str, tuple[Fault, str]]] = {
    "500": (Fault(500), "HTTPStatusError"),
    "HTML": (Fault(200, b"<h1>Sign in</h1>", HTML), "JSONDecodeError"),
    "JSON of something else": (Fault(200, b'{"hello":"world"}'), "ValidationError"),
}


@pytest.mark.parametrize(("fault", "cause"), UNKNOWN_ISSUER.values(), ids=UNKNOWN_ISSUER.keys())
async def test_unknown_key_while_keycloak_is_down_is_503(
    proxied: ProxiedServer, chain: Chain, fault: Fault, cause: str
) -> None:
    """While Keycloak is down, a token with an unknown key gets 503 with `Retry-After`; afterwards it gets 401."""
    token = Minter(issuer=chain.keycloak.issuer, resource="any", key=rsa_key("unknown")).mint()
    with proxied.keycloak.failing(fault):
        response = await proxied.call(*WHO, token=token)
    recovered = await proxied.call(*WHO, token=token)

    assert response.status_code == 503
    sentence = response.json()["error"]["message"]
    assert sentence.startswith("Keycloak gives no metadata or keys at http://localhost:")
    assert sentence.endswith("so no token can be checked: try again shortly.")
    assert cause in sentence
    assert int(response.headers["Retry-After"]) > 0
    event = proxied.only_event(response)
    assert (event["event"], event["code"]) == ("token.not_checked", "issuer.unavailable")
    assert f"{event['cause']}: {event['remedy']}." == sentence
    assert recovered.status_code == 401


GONE: Final[Mapping[str, tuple[str, dict[str, str]]]] = {"reading": LIST, "writing": WRITE, "asking who": WHO}


@pytest.mark.parametrize("version", [LEGACY, MODERN])
@pytest.mark.parametrize("call", GONE.values(), ids=GONE.keys())
async def test_client_disconnect_cancels_the_request_to_nextcloud(
    proxied: ProxiedServer, call: tuple[str, dict[str, str]], version: str, unique: str
) -> None:
    """If the client disconnects during a call, the server closes its connection to Nextcloud and logs this once.

    No time-out closes that connection: a time-out would be another event.
    """
    await proxied.works()
    with proxied.nextcloud.holding() as held:
        async with anyio.create_task_group() as client:
            client.start_soon(partial(proxied.call, *call, version=version, request_id=unique))
            with anyio.fail_after(MAX_SECONDS):
                await held.arrived.wait()
            client.cancel_scope.cancel()
        with anyio.fail_after(MAX_SECONDS):
            await held.gone.wait()
        (event,) = await eventually(partial(proxied.logged, unique))
    await proxied.works()

    assert proxied.events(caller_id=unique) == [event]
    assert (event["event"], event["tool"]) == ("tool.cancelled", call[0])


@pytest.mark.parametrize("version", [LEGACY, MODERN])
@pytest.mark.parametrize("proxied", ["exchange"], indirect=True)
async def test_client_disconnect_during_exchange_sends_no_request(
    proxied: ProxiedServer, version: str, unique: str
) -> None:
    """If the client disconnects during the token exchange, Nextcloud gets no request."""
    await proxied.works()
    before = len(proxied.nextcloud.requests)
    with proxied.keycloak.holding() as held:
        async with anyio.create_task_group() as client:
            client.start_soon(partial(proxied.call, *WRITE, version=version, request_id=unique))
            with anyio.fail_after(MAX_SECONDS):
                await held.arrived.wait()
            client.cancel_scope.cancel()
    (event,) = await eventually(partial(proxied.logged, unique))
    asked = proxied.nextcloud.requests[before:]
    await proxied.works()

    assert proxied.events(caller_id=unique) == [event]
    assert (event["event"], event["tool"]) == ("tool.cancelled", WRITE[0])
    assert asked == []
