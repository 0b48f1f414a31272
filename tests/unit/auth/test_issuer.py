"""`auth.issuer`: caching and refetching of metadata and keys (RFC 8414, RFC 7517)."""

from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from typing import Any, Final

import anyio
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc.jwk import ECKey, RSAKey
from structlog.testing import capture_logs

from nextcloud_mcp.auth.issuer import JWKS_LIFETIME, REFETCH_INTERVAL, RETRY_INTERVAL, Issuer
from nextcloud_mcp.errors import InvalidTokenError, IssuerUnavailableError
from tests.support.clock import Clock
from tests.support.issuer import (
    DISCOVERY_URL,
    FIRST_KEY,
    ISSUER,
    JWKS_PATH,
    SECOND_KEY,
    Answer,
    FakeIssuer,
    answer,
    failing,
)

FIRST: Final = str(FIRST_KEY.kid)
SECOND: Final = str(SECOND_KEY.kid)


@pytest.fixture
def issuer(http: httpx.AsyncClient, clock: Clock) -> Issuer:
    """The issuer under test, nothing fetched yet."""
    return Issuer(http, DISCOVERY_URL, clock=clock)


async def concurrently(times: int, call: Callable[[], Any]) -> list[object]:
    """Call so often at once and return what came of each, errors included."""
    outcomes: list[object] = []

    async def one() -> None:
        try:
            outcomes.append(await call())
        except (InvalidTokenError, IssuerUnavailableError) as error:
            outcomes.append(error)

    async with anyio.create_task_group() as group:
        for _ in range(times):
            group.start_soon(one)
    return outcomes


async def test_issuer_comes_from_discovery_document(issuer: Issuer) -> None:
    """The discovery URL may be internal: `issuer` and endpoints are those of the document."""
    metadata = await issuer.metadata()
    assert metadata.issuer == ISSUER
    assert metadata.token_endpoint.startswith(ISSUER)


async def test_metadata_and_keys_are_fetched_once(issuer: Issuer, keycloak: FakeIssuer) -> None:
    """They are fetched once within their lifetime."""
    for _ in range(5):
        await issuer.key(FIRST)
        await issuer.metadata()
    assert [request.url.path for request in keycloak.requests] == [httpx.URL(DISCOVERY_URL).path, JWKS_PATH]


async def test_concurrent_calls_share_one_fetch(issuer: Issuer, keycloak: FakeIssuer) -> None:
    """Calls during the first fetch wait for it and start no other."""
    outcomes = await concurrently(20, lambda: issuer.key(FIRST))
    assert all(isinstance(outcome, RSAKey) for outcome in outcomes)
    assert keycloak.fetches() == 1


async def test_concurrent_calls_share_one_failure(issuer: Issuer, keycloak: FakeIssuer) -> None:
    """While Keycloak is down, concurrent calls cause one attempt."""
    keycloak.down()
    outcomes = await concurrently(20, lambda: issuer.key(FIRST))
    assert all(isinstance(outcome, IssuerUnavailableError) for outcome in outcomes)
    assert len(keycloak.requests) == 1


async def test_keys_are_refetched_after_their_lifetime(issuer: Issuer, keycloak: FakeIssuer, clock: Clock) -> None:
    """A withdrawn key is accepted for `JWKS_LIFETIME` at most."""
    await issuer.key(FIRST)
    keycloak.rotate()
    clock.advance(JWKS_LIFETIME - 1)
    await issuer.key(FIRST)
    clock.advance(1)
    with pytest.raises(InvalidTokenError):
        await issuer.key(FIRST)


async def test_new_key_is_fetched_at_once(issuer: Issuer, keycloak: FakeIssuer) -> None:
    """After a rotation, the first token signed with the new key causes one fetch, and is accepted."""
    await issuer.key(FIRST)
    keycloak.rotate()
    assert (await issuer.key(SECOND)).kid == SECOND
    assert keycloak.fetches() == 2


async def test_concurrent_calls_with_a_new_key_share_one_fetch(issuer: Issuer, keycloak: FakeIssuer) -> None:
    """Concurrent tokens signed with a new key cause one fetch, and all are accepted."""
    await issuer.key(FIRST)
    keycloak.rotate()
    outcomes = await concurrently(20, lambda: issuer.key(SECOND))
    assert all(isinstance(outcome, RSAKey) for outcome in outcomes)
    assert keycloak.fetches() == 2


async def test_unknown_key_causes_one_fetch(issuer: Issuer, keycloak: FakeIssuer) -> None:
    """A key id that the issuer does not know makes the token invalid after one fetch."""
    await issuer.key(FIRST)
    with pytest.raises(InvalidTokenError):
        await issuer.key("unknown")
    assert keycloak.fetches() == 2


async def test_unknown_keys_are_refetched_at_limited_rate(issuer: Issuer, keycloak: FakeIssuer, clock: Clock) -> None:
    """Any number of unknown key ids causes one fetch per `REFETCH_INTERVAL`."""
    await issuer.key(FIRST)
    for number in range(100):
        with pytest.raises(InvalidTokenError):
            await issuer.key(f"unknown-{number}")
    assert keycloak.fetches() == 2
    clock.advance(REFETCH_INTERVAL)
    for number in range(100):
        with pytest.raises(InvalidTokenError):
            await issuer.key(f"unknown-{number}")
    assert keycloak.fetches() == 3


async def test_rotation_is_found_within_refetch_interval(issuer: Issuer, keycloak: FakeIssuer, clock: Clock) -> None:
    """A new key is found at most `REFETCH_INTERVAL` after an invalid token used up the fetch."""
    await issuer.key(FIRST)
    with pytest.raises(InvalidTokenError):
        await issuer.key("unknown")
    keycloak.rotate()
    clock.advance(REFETCH_INTERVAL)
    assert (await issuer.key(SECOND)).kid == SECOND


async def test_consecutive_rotations_are_found_at_once(issuer: Issuer, keycloak: FakeIssuer) -> None:
    """A fetch that finds its key does not count towards the limit; only those for invalid tokens do."""
    await issuer.key(FIRST)
    keycloak.rotate()
    await issuer.key(SECOND)
    keycloak.keys = [FIRST_KEY.as_dict(private=False)]
    keycloak.keys[0]["kid"] = "third"
    assert (await issuer.key("third")).kid == "third"


async def test_unknown_key_during_outage_is_an_outage(issuer: Issuer, keycloak: FakeIssuer) -> None:
    """The token can't be verified, so it is not reported as invalid."""
    await issuer.key(FIRST)
    keycloak.down()
    for _ in range(3):
        with pytest.raises(IssuerUnavailableError):
            await issuer.key(SECOND)


async def test_known_keys_verify_during_outage(issuer: Issuer, keycloak: FakeIssuer, clock: Clock) -> None:
    """Known keys verify tokens while Keycloak is down, even past their lifetime."""
    await issuer.key(FIRST)
    keycloak.down()
    for _ in range(5):
        clock.advance(JWKS_LIFETIME)
        assert (await issuer.key(FIRST)).kid == FIRST
        assert (await issuer.metadata()).issuer == ISSUER


async def test_known_keys_do_not_wait_for_refetch(issuer: Issuer, keycloak: FakeIssuer, clock: Clock) -> None:
    """While one call waits for a Keycloak that does not answer, the others continue."""
    await issuer.key(FIRST)
    clock.advance(JWKS_LIFETIME)
    keycloak.gate = anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(issuer.key, FIRST)
        await anyio.wait_all_tasks_blocked()
        with anyio.fail_after(30):
            assert (await issuer.key(FIRST)).kid == FIRST
            assert (await issuer.metadata()).issuer == ISSUER
        keycloak.gate.set()


async def test_concurrent_calls_share_one_timeout(issuer: Issuer, keycloak: FakeIssuer, clock: Clock) -> None:
    """Calls that wait for a fetch that times out do not start another timeout each."""

    def time_out(request: httpx.Request) -> httpx.Response:
        clock.advance(10)
        return failing(httpx.ReadTimeout)(request)

    keycloak.instead[""] = time_out
    outcomes = await concurrently(20, lambda: issuer.key(FIRST))
    assert all(isinstance(outcome, IssuerUnavailableError) for outcome in outcomes)
    assert len(keycloak.requests) == 1


async def test_recovers_after_retry_interval(issuer: Issuer, keycloak: FakeIssuer, clock: Clock) -> None:
    """Once Keycloak is back, the next call after `RETRY_INTERVAL` succeeds; before it, nothing is fetched."""
    keycloak.down()
    with pytest.raises(IssuerUnavailableError):
        await issuer.metadata()
    keycloak.up()
    with pytest.raises(IssuerUnavailableError):
        await issuer.metadata()
    clock.advance(RETRY_INTERVAL)
    assert (await issuer.metadata()).issuer == ISSUER


HTML: Final = answer(200, html="<h1>Welcome</h1>")

FAILURES: Final[Mapping[str, tuple[str, Answer]]] = {
    "connection refused": ("", failing(httpx.ConnectError)),
    "time-out": ("", failing(httpx.ReadTimeout)),
    "connection cut": ("", failing(httpx.RemoteProtocolError)),
    "metadata: 404": (httpx.URL(DISCOVERY_URL).path, answer(404)),
    "metadata: 500": (httpx.URL(DISCOVERY_URL).path, answer(500, text="oops")),
    "metadata: HTML": (httpx.URL(DISCOVERY_URL).path, HTML),
    "metadata: redirect": (httpx.URL(DISCOVERY_URL).path, answer(302, headers={"Location": "https://attacker.test/"})),
    "metadata: a list": (httpx.URL(DISCOVERY_URL).path, answer(json=[])),
    "metadata: without jwks_uri": (httpx.URL(DISCOVERY_URL).path, answer(json={"issuer": ISSUER})),
    "keys: 500": (JWKS_PATH, answer(500)),
    "keys: HTML": (JWKS_PATH, HTML),
    "keys: not UTF-8": (JWKS_PATH, answer(content=b'{"keys": "\xff"}')),
    "keys: a string": (JWKS_PATH, answer(json="keys")),
    "keys: no list": (JWKS_PATH, answer(json={"keys": {}})),
    "keys: none": (JWKS_PATH, answer(json={"keys": []})),
    "keys: numbers": (JWKS_PATH, answer(json={"keys": [1, 2]})),
    "keys: for encryption alone": (
        JWKS_PATH,
        answer(json={"keys": [FIRST_KEY.as_dict(private=False) | {"use": "enc"}]}),
    ),
}


@pytest.mark.parametrize(("path", "failure"), FAILURES.values(), ids=FAILURES.keys())
async def test_malformed_response_is_an_outage(
    issuer: Issuer, keycloak: FakeIssuer, path: str, failure: Answer
) -> None:
    """Whatever is wrong with the responses, the token is not called invalid; the error names the URL."""
    keycloak.instead[path] = failure
    with pytest.raises(IssuerUnavailableError, match=DISCOVERY_URL):
        await issuer.key(FIRST)
    assert {request.url.host for request in keycloak.requests} == {"keycloak.test"}


@pytest.mark.parametrize(("path", "failure"), FAILURES.values(), ids=FAILURES.keys())
async def test_failed_refetch_keeps_known_keys(
    issuer: Issuer, keycloak: FakeIssuer, clock: Clock, path: str, failure: Answer
) -> None:
    """Valid metadata and keys are not replaced after a failed fetch."""
    await issuer.key(FIRST)
    clock.advance(JWKS_LIFETIME)
    keycloak.instead[path] = failure
    assert (await issuer.key(FIRST)).kid == FIRST


EC_KEY: Final = ECKey.generate_key("P-256", {"kid": "ec", "use": "sig", "alg": "ES256"})

PASSED_OVER: Final[Mapping[str, dict[str, Any]]] = {
    "for encryption": SECOND_KEY.as_dict(private=False) | {"use": "enc", "alg": "RSA-OAEP"},
    "unknown kind": {"kty": "LATTICE", "kid": SECOND, "use": "sig"},
    "without its numbers": {"kty": "RSA", "kid": SECOND, "use": "sig"},
    "without a kid": {name: value for name, value in SECOND_KEY.as_dict(private=False).items() if name != "kid"},
}


@pytest.mark.parametrize("jwk", PASSED_OVER.values(), ids=PASSED_OVER.keys())
async def test_unusable_key_in_set_is_ignored(issuer: Issuer, keycloak: FakeIssuer, jwk: dict[str, Any]) -> None:
    """One unusable key in the set does not affect the others (RFC 7517 section 5)."""
    keycloak.keys = [jwk, *keycloak.keys, EC_KEY.as_dict(private=False)]
    assert (await issuer.key(FIRST)).kid == FIRST
    assert isinstance(await issuer.key("ec"), ECKey)
    with pytest.raises(InvalidTokenError):
        await issuer.key(SECOND)


async def test_token_of_unusable_key_names_the_fix(issuer: Issuer, keycloak: FakeIssuer) -> None:
    """The error tells the administrator what to change, and the keys are not fetched again."""
    numbers = rsa.generate_private_key(65537, 1024).public_key().public_numbers()  # noqa: S505 - as Keycloak can
    modulus = urlsafe_b64encode(numbers.n.to_bytes(128, "big")).decode().rstrip("=")
    short = {"kty": "RSA", "n": modulus, "e": "AQAB", "kid": "short", "use": "sig", "alg": "RS256"}
    unknown = {"kty": "AKP", "alg": "ML-DSA-44", "kid": "new", "use": "sig", "pub": "AAAA"}
    keycloak.keys = [short, unknown]
    for kid, reason in {"short": "an RSA key shorter than 2048 bits", "new": "a key of the kind 'AKP'"}.items():
        with pytest.raises(InvalidTokenError) as caught:
            await issuer.key(kid)
        assert reason in str(caught.value)
        assert "the administrator must replace it in Keycloak" in str(caught.value)
    assert keycloak.fetches() == 1


async def test_key_without_use_verifies(issuer: Issuer, keycloak: FakeIssuer) -> None:
    """`use` is optional (RFC 7517 section 4.2)."""
    keycloak.keys = [{name: value for name, value in keycloak.keys[0].items() if name != "use"}]
    assert (await issuer.key(FIRST)).kid == FIRST


async def test_unreachable_issuer_is_logged_until_recovery(
    issuer: Issuer, keycloak: FakeIssuer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cause is logged at intervals that double up to a minute; the last event reports the recovery."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        clock.advance(seconds)
        if len(pauses) == 9:
            keycloak.up()

    monkeypatch.setattr(anyio, "sleep", sleep)
    keycloak.instead[httpx.URL(DISCOVERY_URL).path] = answer(404, json={"error": "Realm does not exist"})
    with capture_logs() as events:
        await issuer.fetch_until_success()

    assert pauses == [1, 2, 4, 8, 16, 32, 64, 64, 64]
    assert [event["event"] for event in events] == ["issuer.unavailable"] * 9 + ["issuer.fetched"]
    assert {event["detail"] for event in events[:-1]} == {"HTTP 404"}
    assert all(DISCOVERY_URL in event["cause"] for event in events[:-1])
