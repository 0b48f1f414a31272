"""`auth.exchange_cache`: an exchanged token is used again for some seconds, if the setting says so."""

import time
from typing import Any

import anyio
import httpx
import pytest
from anyio.lowlevel import checkpoint
from pydantic import SecretStr

from nextcloud_mcp.auth import exchange_cache
from nextcloud_mcp.auth.client import ClientSecret
from nextcloud_mcp.auth.credentials import TokenExchange
from nextcloud_mcp.auth.exchange_cache import SPARE_SECONDS, ExchangeCache
from nextcloud_mcp.auth.issuer import Issuer
from nextcloud_mcp.auth.verifier import Principal
from nextcloud_mcp.errors import SubjectTokenRefusedError, TokenExchangeError
from tests.support.clock import Clock
from tests.support.issuer import DISCOVERY_URL, ISSUER, SERVER_URL, TOKEN_PATH, FakeIssuer, answer
from tests.support.server import EVERYTHING, EXCHANGE, answered, challenge, serving

SECONDS = 30
NOW = 1_800_000_000.0
FIRST = "token-1"


def alice(token: str = FIRST, *, seconds_left: float = 300) -> Principal:
    """Return alice, holding this token."""
    return Principal(ISSUER, "f1c9-alice", "mcp-client", frozenset(), token, NOW + seconds_left)


@pytest.fixture
def clock() -> Clock:
    """The cache's clock."""
    clock = Clock()
    clock.time = NOW
    return clock


@pytest.fixture
def cache(http: httpx.AsyncClient, keycloak: FakeIssuer, clock: Clock) -> ExchangeCache:
    """The cache under test; Keycloak's tokens are valid for five minutes."""
    issue(keycloak, exp=int(NOW) + 300)
    exchange = TokenExchange(
        http,
        Issuer(http, DISCOVERY_URL),
        client_id=SERVER_URL,
        client=ClientSecret(SecretStr("s3cret")),
        audience="nextcloud",
    )
    return ExchangeCache(exchange, seconds=SECONDS, clock=clock, now=clock)


def issue(keycloak: FakeIssuer, **claims: Any) -> None:
    """Let Keycloak issue tokens with these claims, each another one."""
    keycloak.instead[TOKEN_PATH] = lambda _: httpx.Response(
        200, json=keycloak.issued(jti=str(len(keycloak.requests)), **claims)
    )


async def test_same_token_is_exchanged_once(cache: ExchangeCache, keycloak: FakeIssuer, clock: Clock) -> None:
    """Within the seconds the same token is returned; afterwards there is another exchange."""
    first = await cache.for_nextcloud(alice())
    clock.advance(SECONDS - 1)
    assert await cache.for_nextcloud(alice()) == first
    clock.advance(1)
    assert await cache.for_nextcloud(alice()) != first
    assert len(keycloak.exchanges()) == 2


async def test_seconds_count_from_the_start_of_the_exchange(
    cache: ExchangeCache, keycloak: FakeIssuer, clock: Clock
) -> None:
    """Keycloak may have accepted the session long before it answers: a slow exchange makes no sign-out later."""
    keycloak.gate = anyio.Event()
    async with anyio.create_task_group() as calls:
        calls.start_soon(cache.for_nextcloud, alice())
        while not keycloak.requests:
            await checkpoint()
        clock.advance(SECONDS)
        keycloak.gate.set()
    await cache.for_nextcloud(alice())
    assert len(keycloak.exchanges()) == 2


async def test_system_clock_that_is_set_back_makes_no_token_last_longer(
    cache: ExchangeCache, keycloak: FakeIssuer, clock: Clock
) -> None:
    """The seconds are those of the monotonic clock."""
    times = iter([NOW, NOW - 3600])
    moved = ExchangeCache(cache._exchange, seconds=SECONDS, clock=clock, now=lambda: next(times))  # noqa: SLF001 - the same exchange
    await moved.for_nextcloud(alice())
    clock.advance(SECONDS)
    await moved.for_nextcloud(alice())
    assert len(keycloak.exchanges()) == 2


async def test_other_token_is_exchanged(cache: ExchangeCache, keycloak: FakeIssuer) -> None:
    """A refreshed token of the same person, with other scopes perhaps, has an exchange of its own."""
    assert await cache.for_nextcloud(alice("token-1")) != await cache.for_nextcloud(alice("token-2"))
    assert [each["subject_token"] for each in keycloak.exchanges()] == ["token-1", "token-2"]


@pytest.mark.parametrize(
    ("subject", "issued"), [(SPARE_SECONDS + 5, 300), (300, SPARE_SECONDS + 5)], ids=["caller's", "exchanged"]
)
async def test_neither_token_is_used_beyond_its_expiry(
    cache: ExchangeCache, keycloak: FakeIssuer, clock: Clock, subject: int, issued: int
) -> None:
    """The token that expires first ends the time, some seconds before it expires."""
    issue(keycloak, exp=int(NOW) + issued)
    first = await cache.for_nextcloud(alice(seconds_left=subject))
    clock.advance(4)
    assert await cache.for_nextcloud(alice(seconds_left=subject)) == first
    clock.advance(1)
    assert await cache.for_nextcloud(alice(seconds_left=subject)) != first


async def test_token_without_expiry_is_not_kept(cache: ExchangeCache, keycloak: FakeIssuer) -> None:
    """If it is not known when a token expires, each call has an exchange of its own."""
    issue(keycloak, exp=None)
    assert await cache.for_nextcloud(alice()) != await cache.for_nextcloud(alice())


async def test_calls_at_the_same_time_share_one_exchange(cache: ExchangeCache, keycloak: FakeIssuer) -> None:
    """Five calls with one token wait for one exchange, and all get its token."""
    keycloak.gate = anyio.Event()
    tokens: list[str] = []

    async def call() -> None:
        tokens.append(await cache.for_nextcloud(alice()))

    async with anyio.create_task_group() as calls:
        for _ in range(5):
            calls.start_soon(call)
        while not keycloak.requests:
            await checkpoint()
        keycloak.gate.set()
    assert len(tokens) == 5
    assert len(set(tokens)) == len(keycloak.exchanges()) == 1


async def test_waiting_calls_share_an_error_and_the_next_call_tries_again(
    cache: ExchangeCache, keycloak: FakeIssuer
) -> None:
    """An outage delays the calls that wait by one timeout, not by one each; no error is kept."""
    keycloak.gate = anyio.Event()
    keycloak.instead[TOKEN_PATH] = answer(503)
    errors: list[TokenExchangeError] = []

    async def call() -> None:
        try:
            await cache.for_nextcloud(alice())
        except TokenExchangeError as error:
            errors.append(error)

    async with anyio.create_task_group() as calls:
        for _ in range(3):
            calls.start_soon(call)
        while not keycloak.requests:
            await checkpoint()
        keycloak.gate.set()
    assert len(errors) == 3
    assert len(keycloak.exchanges()) == 1
    issue(keycloak, exp=int(NOW) + 300)
    assert await cache.for_nextcloud(alice())


async def test_cancelled_call_leaves_the_exchange_to_the_next(cache: ExchangeCache, keycloak: FakeIssuer) -> None:
    """If the client of the call that exchanges disconnects, a call that waits makes the exchange itself."""
    keycloak.gate = anyio.Event()
    tokens: list[str] = []

    async def call() -> None:
        tokens.append(await cache.for_nextcloud(alice()))

    async with anyio.create_task_group() as others:
        async with anyio.create_task_group() as first:
            first.start_soon(cache.for_nextcloud, alice())
            while not keycloak.requests:
                await checkpoint()
            others.start_soon(call)
            await checkpoint()
            first.cancel_scope.cancel()
        keycloak.gate.set()
    assert len(tokens) == 1


async def test_number_of_tokens_is_limited(
    cache: ExchangeCache, keycloak: FakeIssuer, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    """The least recently used token is dropped first."""
    monkeypatch.setattr(exchange_cache, "MAX_TOKENS", 2)
    small = ExchangeCache(cache._exchange, seconds=SECONDS, clock=clock, now=clock)  # noqa: SLF001 - the same exchange
    for token in ("a", "b", "c", "c", "a"):
        await small.for_nextcloud(alice(token))
    assert [each["subject_token"] for each in keycloak.exchanges()] == ["a", "b", "c", "a"]


@pytest.mark.parametrize(("seconds", "exchanges"), [("0", 2), ("30", 1)])
async def test_setting_decides(seconds: str, exchanges: int) -> None:
    """By default each call has an exchange of its own; with the setting, calls in quick succession share one."""
    async with serving({**EXCHANGE, "TOKEN_EXCHANGE_CACHE_SECONDS": seconds}) as server:
        token = server.keycloak.mint(scope=EVERYTHING)
        for _ in range(2):
            answered(await server.call("nc_notes_search_notes", {"query": "a"}, token=token))
        assert len(server.keycloak.exchanges()) == exchanges


async def test_cached_token_does_not_help_an_expired_one() -> None:
    """The caller's token is verified at each call: an expired one is refused, whatever is cached."""
    async with serving({**EXCHANGE, "TOKEN_EXCHANGE_CACHE_SECONDS": "30"}) as server:
        claims = server.keycloak.claims(scope=EVERYTHING)
        answered(await server.call("nc_notes_search_notes", {"query": "a"}, token=server.keycloak.mint(**claims)))
        late = server.keycloak.mint(**claims | {"exp": int(time.time()) - 60})
        refused = await server.call("nc_notes_search_notes", {"query": "a"}, token=late)
        assert refused.status_code == 401
        assert challenge(refused)["error"] == "invalid_token"


async def test_keycloak_s_refusal_is_not_kept(cache: ExchangeCache, keycloak: FakeIssuer) -> None:
    """After a sign-out, and once the seconds are over, Keycloak decides at each call."""
    keycloak.instead[TOKEN_PATH] = answer(400, json={"error": "invalid_request", "error_description": "Invalid token"})
    for _ in range(2):
        with pytest.raises(SubjectTokenRefusedError):
            await cache.for_nextcloud(alice())
    assert len(keycloak.exchanges()) == 2
