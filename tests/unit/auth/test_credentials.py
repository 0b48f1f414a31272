"""`auth.credentials`: the caller's token is passed through, or exchanged once for each call (RFC 8693)."""

import base64
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from nextcloud_mcp.auth.client import ClientSecret
from nextcloud_mcp.auth.credentials import CHECK_INTERVAL, PassThrough, TokenExchange
from nextcloud_mcp.auth.issuer import Issuer
from nextcloud_mcp.auth.verifier import Principal
from nextcloud_mcp.errors import InvalidTokenError, IssuerUnavailableError, SubjectTokenRefusedError, TokenExchangeError
from nextcloud_mcp.settings import read_secrets
from tests.support.clock import Clock
from tests.support.issuer import DISCOVERY_URL, ISSUER, SERVER_URL, TOKEN_PATH, Answer, FakeIssuer, answer, failing

SECRET: Final = "s3cret +/&=%é"
SUBJECT_TOKEN: Final = "eyJhbGciOiJSUzI1NiJ9.subject-token-of-alice.c2ln"


def principal(token: str = SUBJECT_TOKEN, *, seconds_left: float = 300) -> Principal:
    """Return alice, holding this token."""
    return Principal(
        issuer=ISSUER,
        subject="f1c9-alice",
        client_id="mcp-client",
        scopes=frozenset({"notes:read"}),
        token=token,
        expires_at=time.time() + seconds_left,
    )


@pytest.fixture
def exchange(http: httpx.AsyncClient) -> TokenExchange:
    """The exchange under test; the client id is the server's URL, as in the shipped realm."""
    return TokenExchange(
        http,
        Issuer(http, DISCOVERY_URL),
        client_id=SERVER_URL,
        client=ClientSecret(SecretStr(SECRET)),
        audience="nextcloud",
    )


def token_requests(keycloak: FakeIssuer) -> list[httpx.Request]:
    """Return what the token endpoint was asked."""
    return [request for request in keycloak.requests if request.url.path == TOKEN_PATH]


async def test_pass_through_forwards_callers_token() -> None:
    """In pass-through mode the token is forwarded unchanged."""
    assert await PassThrough().for_nextcloud(principal()) == SUBJECT_TOKEN


async def test_pass_through_refuses_expired_token() -> None:
    """The 30 s clock tolerance is this server's, not Nextcloud's: an expired token is not forwarded."""
    with pytest.raises(InvalidTokenError, match="expired: refresh it"):
        await PassThrough().for_nextcloud(principal(seconds_left=-1))


@pytest.mark.requirement("rfc8693-request", "rfc8693-no-actor-token-type")
async def test_exchange_request_has_rfc_8693_parameters(exchange: TokenExchange, keycloak: FakeIssuer) -> None:
    """The form has the parameters of RFC 8693 section 2.1 and no others."""
    await exchange.for_nextcloud(principal())
    (request,) = token_requests(keycloak)
    assert request.method == "POST"
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert keycloak.exchanges() == [
        {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token": SUBJECT_TOKEN,
            "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "audience": "nextcloud",
        }
    ]


async def test_basic_credentials_are_form_encoded(exchange: TokenExchange, keycloak: FakeIssuer) -> None:
    """Client id and secret are form-encoded (RFC 6749), since a URL as client id contains a colon."""
    await exchange.for_nextcloud(principal())
    (request,) = token_requests(keycloak)
    scheme, _, encoded = request.headers["Authorization"].partition(" ")
    assert scheme == "Basic"
    assert base64.b64decode(encoded) == b"http%3A%2F%2Flocalhost%3A8000%2Fmcp:s3cret+%2B%2F%26%3D%25%C3%A9"


async def test_returns_issued_token(exchange: TokenExchange, keycloak: FakeIssuer) -> None:
    """The result is Keycloak's token for Nextcloud, not the caller's."""
    issued = keycloak.issued()
    keycloak.instead[TOKEN_PATH] = answer(json=issued)
    assert await exchange.for_nextcloud(principal()) == issued["access_token"]


@pytest.mark.requirement("mcp-secure-token-storage")
async def test_exchanged_token_is_not_cached(exchange: TokenExchange, keycloak: FakeIssuer) -> None:
    """Each call is one exchange, also for the same user and token."""
    for expected in (1, 2, 3):
        await exchange.for_nextcloud(principal())
        assert len(token_requests(keycloak)) == expected


async def test_each_user_gets_own_token(exchange: TokenExchange, keycloak: FakeIssuer) -> None:
    """Calls of two users exchange two tokens."""
    await exchange.for_nextcloud(principal("token-of-alice"))
    await exchange.for_nextcloud(principal("token-of-bob"))
    assert [form["subject_token"] for form in keycloak.exchanges()] == ["token-of-alice", "token-of-bob"]


async def test_single_element_audience_list_is_accepted(exchange: TokenExchange, keycloak: FakeIssuer) -> None:
    """RFC 7519 section 4.1.3 allows one audience as a string or as a list."""
    issued = keycloak.issued(aud=["nextcloud"])
    keycloak.instead[TOKEN_PATH] = answer(json=issued)
    assert await exchange.for_nextcloud(principal()) == issued["access_token"]


@pytest.mark.parametrize(
    ("error", "description"),
    [
        pytest.param("invalid_request", "Invalid token", id="Keycloak: signed out or disabled"),
        pytest.param("invalid_token", "Token is not active", id="RFC 6750's code"),
        pytest.param("invalid_grant", "Session not active", id="RFC 6749's code"),
    ],
)
async def test_inactive_token_requires_new_sign_in(
    exchange: TokenExchange, keycloak: FakeIssuer, error: str, description: str
) -> None:
    """If Keycloak no longer accepts the caller's token, the error says to sign in again, and why."""
    keycloak.instead[TOKEN_PATH] = answer(400, json={"error": error, "error_description": description})
    with pytest.raises(SubjectTokenRefusedError, match=f"{error}: {description}.*sign in again"):
        await exchange.for_nextcloud(principal())


REFUSALS: Final[Mapping[str, tuple[int, dict[str, str], str]]] = {
    "wrong secret": (
        401,
        {"error": "unauthorized_client", "error_description": "Invalid client or Invalid client credentials"},
        "set OIDC_CLIENT_SECRET to its present secret and restart this server",
    ),
    "client disabled or deleted": (
        401,
        {"error": "invalid_client", "error_description": "Invalid client or Invalid client credentials"},
        "see that the client http://localhost:8000/mcp is enabled in Keycloak",
    ),
    "exchange not enabled": (
        400,
        {
            "error": "invalid_request",
            "error_description": "Standard token exchange is not enabled for the requested client",
        },
        "administrator must enable token exchange for the client http://localhost:8000/mcp",
    ),
    "requester is not in the audience": (
        403,
        {"error": "access_denied", "error_description": "Client is not within the token audience"},
        "the token must name this server's client as audience",
    ),
    "audience not available": (
        400,
        {"error": "invalid_request", "error_description": "Requested audience not available: nextcloud"},
        "give the client http://localhost:8000/mcp the scope that adds the audience nextcloud",
    ),
    "Nextcloud's client is disabled": (
        400,
        {"error": "invalid_client", "error_description": "Client disabled"},
        "administrator must enable the client nextcloud",
    ),
    "a policy of the realm": (
        400,
        {"error": "invalid_request", "error_description": "Request not allowed"},
        "give the client http://localhost:8000/mcp the default scope",
    ),
    "the realm is disabled": (
        403,
        {"error": "access_denied", "error_description": "Realm not enabled"},
        "administrator must look into Keycloak's log",
    ),
    "an error without a description": (400, {"error": "invalid_target"}, "administrator must look into Keycloak's log"),
}


@pytest.mark.parametrize(("status", "refusal", "advice"), REFUSALS.values(), ids=REFUSALS.keys())
async def test_refusal_error_quotes_keycloak_and_fix(
    exchange: TokenExchange, keycloak: FakeIssuer, status: int, refusal: dict[str, str], advice: str
) -> None:
    """Each error is one sentence with Keycloak's message and the fix; it does not blame the caller's token."""
    keycloak.instead[TOKEN_PATH] = answer(status, json=refusal)
    with pytest.raises(TokenExchangeError) as caught:
        await exchange.for_nextcloud(principal())
    assert ": ".join(refusal.values()) in str(caught.value)
    assert advice in str(caught.value)


async def test_refusal_is_raised_without_logging(exchange: TokenExchange, keycloak: FakeIssuer) -> None:
    """The caller of this function logs it, so that a call is one event."""
    keycloak.instead[TOKEN_PATH] = answer(400, json={"error": "invalid_target"})
    with capture_logs() as events, pytest.raises(TokenExchangeError):
        await exchange.for_nextcloud(principal())
    assert [event for event in events if not event["event"].startswith("issuer.")] == []


def takes(keycloak: FakeIssuer, secret: str, *, with_token: bool = True) -> None:
    """Let the realm take this secret and no other, and refuse the subject token unless it comes `with_token`."""
    good = ClientSecret(SecretStr(secret)).authenticate(SERVER_URL, ISSUER).headers["Authorization"]
    refusal = answer(401, json=REFUSALS["wrong secret"][1])

    def decide(request: httpx.Request) -> httpx.Response:
        right = request.headers["Authorization"] == good
        if not right:
            return refusal(request)
        if not with_token:
            return httpx.Response(400, json={"error": "invalid_request", "error_description": "Invalid token"})
        return httpx.Response(200, json=keycloak.issued())

    keycloak.instead[TOKEN_PATH] = decide


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    """A mounted secret, the present one."""
    mount(tmp_path / "secret", SECRET)
    return tmp_path / "secret"


def mount(file: Path, secret: str) -> None:
    """Put another secret into the file."""
    file.write_text(f"{secret}\n")


@pytest.fixture
def from_file(http: httpx.AsyncClient, secret_file: Path) -> TokenExchange:
    """The exchange with a secret that was read from that file."""
    return TokenExchange(
        http,
        Issuer(http, DISCOVERY_URL),
        client_id=SERVER_URL,
        client=ClientSecret(SecretStr(SECRET), secret_file),
        audience="nextcloud",
    )


async def test_secret_rotation_fails_no_call(from_file: TokenExchange, keycloak: FakeIssuer, secret_file: Path) -> None:
    """The old secret is used until Keycloak refuses it; the same call then uses the secret in the file."""
    takes(keycloak, SECRET)
    mount(secret_file, "the next one")
    assert await from_file.for_nextcloud(principal())
    takes(keycloak, "the next one")
    assert await from_file.for_nextcloud(principal())
    assert await from_file.for_nextcloud(principal())
    assert len(token_requests(keycloak)) == 1 + 2 + 1


async def test_refused_secret_is_tried_once_per_call(
    from_file: TokenExchange, keycloak: FakeIssuer, secret_file: Path
) -> None:
    """If the file has no other secret, a call is one request, and the error names the file."""
    takes(keycloak, "the next one")
    for requests in (1, 2):
        with pytest.raises(TokenExchangeError, match=f"present secret into {secret_file}, which the next call reads"):
            await from_file.for_nextcloud(principal())
        assert len(token_requests(keycloak)) == requests
    mount(secret_file, "the next one")
    assert await from_file.for_nextcloud(principal())


def exchanging(http: httpx.AsyncClient, file: Path, secret: str, clock: Clock) -> TokenExchange:
    """Return an exchange with a secret that was read from a file."""
    client = ClientSecret(SecretStr(secret), file)
    issuer = Issuer(http, DISCOVERY_URL)
    return TokenExchange(http, issuer, client_id=SERVER_URL, client=client, audience="nextcloud", clock=clock)


async def test_current_and_next_secret_fail_no_call(
    http: httpx.AsyncClient, keycloak: FakeIssuer, secret_file: Path, clock: Clock
) -> None:
    """A file with both secrets, in either order, works before and after Keycloak changes."""
    for lines in (f"{SECRET}\nthe next one", f"the next one\n\n{SECRET}"):
        mount(secret_file, lines)
        first = read_secrets("OIDC_CLIENT_SECRET_FILE", secret_file)[0]
        exchange = exchanging(http, secret_file, first, clock)
        for present in (SECRET, "the next one", SECRET):
            takes(keycloak, present)
            for _ in range(2):
                assert await exchange.for_nextcloud(principal())
    assert len(token_requests(keycloak)) == 2 * 6 + 2 + 3


async def test_refused_client_is_rechecked_after_file_change(
    http: httpx.AsyncClient, keycloak: FakeIssuer, secret_file: Path, clock: Clock
) -> None:
    """The check is repeated after a while, or at once if the file has another secret."""
    exchange = exchanging(http, secret_file, SECRET, clock)
    takes(keycloak, "the next one", with_token=False)
    for _ in range(3):
        with pytest.raises(TokenExchangeError, match=f"into {secret_file}"):
            await exchange.check()
    assert len(token_requests(keycloak)) == 1
    clock.advance(CHECK_INTERVAL)
    with pytest.raises(TokenExchangeError):
        await exchange.check()
    assert len(token_requests(keycloak)) == 2
    mount(secret_file, f"{SECRET}\nthe next one")
    await exchange.check()
    await exchange.check()
    assert len(token_requests(keycloak)) == 4


@pytest.mark.parametrize(
    "broken", [failing(httpx.ConnectError), answer(502, html="<h1>Bad Gateway</h1>")], ids=["no answer", "502"]
)
async def test_check_without_answer_is_repeated(
    http: httpx.AsyncClient, keycloak: FakeIssuer, secret_file: Path, clock: Clock, broken: Answer
) -> None:
    """An unreachable Keycloak is not a refusal, so the next check sends a request again."""
    exchange = exchanging(http, secret_file, SECRET, clock)
    keycloak.instead[TOKEN_PATH] = broken
    with pytest.raises(TokenExchangeError):
        await exchange.check()
    takes(keycloak, SECRET, with_token=False)
    await exchange.check()


async def test_second_wrong_secret_is_tried_once(
    from_file: TokenExchange, keycloak: FakeIssuer, secret_file: Path
) -> None:
    """Another wrong secret in the file costs exactly one more request."""
    takes(keycloak, "the next one")
    mount(secret_file, "a wrong one")
    for requests in (2, 3):
        with pytest.raises(TokenExchangeError, match="unauthorized_client"):
            await from_file.for_nextcloud(principal())
        assert len(token_requests(keycloak)) == requests


async def test_empty_secret_file_is_named(from_file: TokenExchange, keycloak: FakeIssuer, secret_file: Path) -> None:
    """The error names the file without a secret."""
    takes(keycloak, "the next one")
    mount(secret_file, "")
    with pytest.raises(TokenExchangeError, match=rf"{secret_file} is empty\.$"):
        await from_file.for_nextcloud(principal())


BREAKDOWNS: Final[Mapping[str, tuple[Answer, str]]] = {
    "connection refused": (failing(httpx.ConnectError), "can't be reached.*try again"),
    "time-out": (failing(httpx.ReadTimeout), "can't be reached.*ReadTimeout.*try again"),
    "connection cut": (failing(httpx.RemoteProtocolError), "can't be reached.*try again"),
    "500 without a word": (answer(500), "HTTP 500"),
    "502 in HTML": (answer(502, html="<h1>Bad Gateway</h1>"), "HTTP 502"),
    "503 in JSON without a code": (answer(503, json={"message": "starting"}), "HTTP 503"),
    "redirect": (answer(302, headers={"Location": "https://attacker.test/token"}), "HTTP 302"),
    "200 in HTML": (answer(200, html="<h1>Welcome</h1>"), "OIDC_DISCOVERY_URL"),
    "200, a list": (answer(200, json=[]), "OIDC_DISCOVERY_URL"),
    "200 without a token": (answer(200, json={"token_type": "Bearer"}), "OIDC_DISCOVERY_URL"),
    "200 with an empty body": (answer(200), "OIDC_DISCOVERY_URL"),
}


@pytest.mark.requirement("rfc8693-response-checked")
@pytest.mark.parametrize(("breakdown", "sentence"), BREAKDOWNS.values(), ids=BREAKDOWNS.keys())
async def test_response_without_token_fails_the_call(
    exchange: TokenExchange, keycloak: FakeIssuer, breakdown: Answer, sentence: str
) -> None:
    """Any response without a token fails without retry, fallback or redirect."""
    keycloak.instead[TOKEN_PATH] = breakdown
    with pytest.raises(TokenExchangeError, match=sentence):
        await exchange.for_nextcloud(principal())
    assert len(token_requests(keycloak)) == 1
    assert {request.url.host for request in keycloak.requests} == {"keycloak.test"}


WRONG_TOKENS: Final[Mapping[str, tuple[dict[str, Any], dict[str, Any]]]] = {
    "audience of the requester": ({"aud": SERVER_URL}, {}),
    "audience nextcloud among others": ({"aud": ["nextcloud", "account"]}, {}),
    "audience missing": ({"aud": None}, {}),
    "audience longer than nextcloud": ({"aud": "nextcloud2"}, {}),
    "audience an empty list": ({"aud": []}, {}),
    "token type DPoP": ({}, {"token_type": "DPoP"}),
    "a refresh token": ({}, {"issued_token_type": "urn:ietf:params:oauth:token-type:refresh_token"}),
    "opaque": ({}, {"access_token": "opaque"}),
    "not base64": ({}, {"access_token": "a.b.c"}),
    "claims are a list": ({}, {"access_token": "e30.W10.c2ln"}),
    "claims are not UTF-8": ({}, {"access_token": "e30._w.c2ln"}),
}


@pytest.mark.parametrize(("claims", "response"), WRONG_TOKENS.values(), ids=WRONG_TOKENS.keys())
async def test_token_with_other_audience_is_discarded(
    exchange: TokenExchange, keycloak: FakeIssuer, claims: dict[str, Any], response: dict[str, Any]
) -> None:
    """A misconfigured realm may issue such a token; the error tells the administrator."""
    issued = keycloak.issued(**claims) | response
    keycloak.instead[TOKEN_PATH] = answer(json=issued)
    with pytest.raises(TokenExchangeError, match="administrator must"):
        await exchange.for_nextcloud(principal())


async def test_issuer_never_reached_is_an_outage(exchange: TokenExchange, keycloak: FakeIssuer) -> None:
    """Without metadata there is no token endpoint, so no exchange is tried."""
    keycloak.down()
    with pytest.raises(IssuerUnavailableError):
        await exchange.for_nextcloud(principal())
    assert token_requests(keycloak) == []


ALL_FAILURES: Final[Mapping[str, Answer]] = {
    **{name: answer(status, json=refusal) for name, (status, refusal, _) in REFUSALS.items()},
    **{name: breakdown for name, (breakdown, _) in BREAKDOWNS.items()},
    "wrong token": answer(json={"access_token": "issued.token-for-all.sig", "token_type": "Bearer"}),
    "token of a wrong shape": answer(json={"access_token": ["issued.token-for-all.sig"], "token_type": 5}),
}


@pytest.mark.requirement("rfc6750-safeguard")
@pytest.mark.parametrize("failure", ALL_FAILURES.values(), ids=ALL_FAILURES.keys())
async def test_failures_reveal_no_secret(exchange: TokenExchange, keycloak: FakeIssuer, failure: Answer) -> None:
    """Error, cause and log contain neither tokens nor the client secret."""
    keycloak.instead[TOKEN_PATH] = failure
    with capture_logs() as events, pytest.raises(TokenExchangeError) as caught:
        await exchange.for_nextcloud(principal())
    told = f"{caught.value} {caught.value!r} {caught.value.__cause__!r} {events} {exchange!r}"
    assert not any(word in told for word in ("subject-token-of-alice", "token-for-all", SECRET, "s3cret"))
