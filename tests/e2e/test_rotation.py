"""Rotation of keys and secrets while clients work: what clients do not notice, what fails, and with which error.

All in a realm of its own (docs/how-to/rotate-keys.md and rotate-secrets.md have the same steps for an administrator).
"""

import json
import time
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from typing import Any, Final

import anyio
import pytest
from keycloak import KeycloakAdmin

from stack.chain import CLIENT_ID
from stack.config import EXCHANGE_CLIENT_SECRET
from stack.keycloak import Keycloak
from stack.process import free_port
from stack.servers import run_server
from tests.support.administration import client_with
from tests.support.http import patient_client
from tests.support.mcp_http import call_tool, challenge, result
from tests.support.oauth import Person, sign_in, token_request
from tests.support.own_chain import OwnChain
from tests.support.threads import in_thread

KEY_PROVIDER: Final = "org.keycloak.keys.KeyProvider"
ANOTHER_SECRET: Final = "another-exchange-client-secret"
FINE: Final = "fine"


@pytest.fixture(scope="module")
def admin(own: OwnChain) -> KeycloakAdmin:
    """The second realm's administration API."""
    return own.keycloak.admin()


class Caller:
    """Somebody's client at one of the servers."""

    def __init__(self, own: OwnChain, mode: str, tokens: dict[str, Any]) -> None:
        self.outcomes: list[str] = []
        self.keys: set[str] = set()
        self.url = own.urls[mode]
        self.tokens = tokens
        self._keycloak: Keycloak = own.keycloak

    @property
    def token(self) -> str:
        """The present access token."""
        return str(self.tokens["access_token"])

    async def call(self, token: str | None = None) -> str:
        """Call a tool: `FINE`, the sentence of the tool's error, or the refusal's status and `error`."""
        response = await call_tool(self.url, "nc_whoami", token=token or self.token)
        if response.status_code == 401:
            return f"401 {challenge(response)['error']}"
        answer = result(response)
        return str(answer["content"][0]["text"]) if answer.get("isError") else FINE

    async def refresh(self) -> None:
        """Have a new access token, signed with whatever key the realm now signs with."""
        form = {"grant_type": "refresh_token", "refresh_token": self.tokens["refresh_token"], "client_id": CLIENT_ID}
        response = await token_request(self._keycloak, form)
        assert response.status_code == 200, response.text
        self.tokens = response.json()
        self.keys.add(key_id(self.token))

    async def work(self, until: anyio.Event | None = None) -> None:
        """Call with one token after the other; once, or until the event and three times more."""
        left = 3
        while left:
            await self.refresh()
            self.outcomes.append(await self.call())
            left = 0 if until is None else left - until.is_set()


@pytest.fixture
async def callers(own: OwnChain, person: Person) -> list[Caller]:
    """One client for each server."""
    return [
        Caller(own, mode, await sign_in(own.keycloak, **person, scope=f"nextcloud-mcp:{mode}")) for mode in own.urls
    ]


def key_id(token: str) -> str:
    """Return which key signed a token."""
    header = token.partition(".")[0]
    return str(json.loads(urlsafe_b64decode(header + "=" * (-len(header) % 4)))["kid"])


def signing_keys(admin: KeycloakAdmin) -> list[str]:
    """Return the providers of the realm's keys for access tokens."""
    components = admin.get_components({"type": KEY_PROVIDER})
    return [str(component["id"]) for component in components if component["providerId"] == "rsa-generated"]


def add_key(admin: KeycloakAdmin, *, active: bool) -> str:
    """Add a key that comes before all others, once it is active."""
    config = {
        "priority": [str(time.time_ns() // 10**6)],
        "enabled": ["true"],
        "active": [str(active).lower()],
        "algorithm": ["RS256"],
        "keySize": ["2048"],
    }
    key = {"name": "next", "providerId": "rsa-generated", "providerType": KEY_PROVIDER, "config": config}
    return str(admin.create_component(key))


def activate(admin: KeycloakAdmin, key: str) -> None:
    """Make a passive key the one that signs."""
    component = admin.get_component(key)
    admin.update_component(key, component | {"config": component["config"] | {"active": ["true"]}})


async def test_stepwise_key_rotation_fails_no_call(own: OwnChain, admin: KeycloakAdmin, callers: list[Caller]) -> None:
    """No call fails if a key is passive first, then known to Nextcloud, then active, and the old key goes last."""
    (old,) = signing_keys(admin)
    for caller in callers:
        await caller.work()
    new = add_key(admin, active=False)
    for caller in callers:
        await caller.work()
    assert [len(caller.keys) for caller in callers] == [1, 1], "a passive key signs nothing"

    await anyio.to_thread.run_sync(own.cloud.forget_keys)
    signed_with_old = [caller.token for caller in callers]
    activated = anyio.Event()
    async with anyio.create_task_group() as working:
        for caller in callers:
            working.start_soon(caller.work, activated)
        await anyio.to_thread.run_sync(activate, admin, new)
        activated.set()
    assert [len(caller.keys) for caller in callers] == [2, 2], "calls were made with tokens of both keys"
    late = [await caller.call(token) for caller, token in zip(callers, signed_with_old, strict=True)]

    admin.delete_component(old)
    for caller in callers:
        await caller.work()
    too_late = await callers[0].call(signed_with_old[0])

    assert {outcome for caller in callers for outcome in caller.outcomes} == {FINE}
    assert late == [FINE, FINE], "tokens of the old key serve out their time while it is there"
    assert too_late == "401 invalid_token", "Keycloak exchanges no token of a key that is gone: the client signs in"


async def test_immediate_key_rotation_fails_with_a_remedy(
    own: OwnChain, admin: KeycloakAdmin, callers: list[Caller]
) -> None:
    """Nextcloud, not the server, refuses a key that it does not know; the error names the remedy, which works."""
    for caller in callers:
        await caller.work()
    add_key(admin, active=True)
    for caller in callers:
        await caller.work()
    await anyio.to_thread.run_sync(own.cloud.forget_keys)
    for caller in callers:
        await caller.work()

    for caller in callers:
        before, broken, mended = caller.outcomes
        assert (before, mended) == (FINE, FINE)
        assert broken.startswith("Nextcloud did not accept the token, for one of four reasons: ")
        assert "signing keys" in broken
        assert "nextcloud/setup.sh" in broken


# --- the exchange client --------------------------------------------------------------------------------------------


@pytest.fixture
def caller(callers: list[Caller]) -> Caller:
    """A client of the server in exchange mode."""
    return callers[0]


def change_secret(own: OwnChain, admin: KeycloakAdmin, secret: str) -> None:
    """Give the exchange server's client another secret, in Keycloak alone."""
    admin.update_client(str(admin.get_client_id(own.config.exchange_url)), {"secret": secret})


@pytest.fixture
def secrets_restored(own: OwnChain, admin: KeycloakAdmin) -> Iterator[None]:
    """Put the secret back, at both ends."""
    yield
    change_secret(own, admin, EXCHANGE_CLIENT_SECRET)
    own.write_secret(EXCHANGE_CLIENT_SECRET)


@pytest.mark.usefixtures("secrets_restored")
async def test_secret_changed_in_the_file_first_fails_no_call(
    own: OwnChain, admin: KeycloakAdmin, caller: Caller
) -> None:
    """No call fails and no restart is needed if the file changes before Keycloak."""
    await caller.work()
    own.write_secret(ANOTHER_SECRET)
    await caller.work()
    change_secret(own, admin, ANOTHER_SECRET)
    await caller.work()

    assert caller.outcomes == [FINE, FINE, FINE]


@asynccontextmanager
async def replica(own: OwnChain) -> AsyncIterator[str]:
    """Start one more server with the secrets that the file has now, and return its origin once it is ready."""
    settings = own.settings(ENABLE_TOKEN_EXCHANGE="true", OIDC_CLIENT_SECRET_FILE=str(own.secret_file))
    running = run_server("replica", own.config.exchange_url, free_port(), settings, logs=own.config.state)
    async with in_thread(running) as url:
        yield url.removesuffix("/mcp")


async def call_replica(own: OwnChain, origin: str, token: str) -> dict[str, Any]:
    """Call a tool there; returns its result."""
    host = own.config.exchange_url.removeprefix("http://").removesuffix("/mcp")
    return result(await call_tool(f"{origin}/mcp", "nc_whoami", token=token, host=host))


@pytest.mark.usefixtures("secrets_restored")
async def test_two_secrets_in_the_file_fail_no_call(own: OwnChain, admin: KeycloakAdmin, caller: Caller) -> None:
    """With both secrets in the file, no call fails while Keycloak changes, on any server, whenever it was started."""
    done = anyio.Event()
    results = []
    async with anyio.create_task_group() as group:
        group.start_soon(caller.work, done)
        own.write_secret(f"{EXCHANGE_CLIENT_SECRET}\n{ANOTHER_SECRET}")
        async with replica(own) as started_before:
            results.append(await call_replica(own, started_before, caller.token))
            change_secret(own, admin, ANOTHER_SECRET)
            results.append(await call_replica(own, started_before, caller.token))
            async with replica(own) as started_after:
                results.append(await call_replica(own, started_after, caller.token))
                own.write_secret(ANOTHER_SECRET)
                results.append(await call_replica(own, started_after, caller.token))
            results.append(await call_replica(own, started_before, caller.token))
        async with replica(own) as started_last:
            results.append(await call_replica(own, started_last, caller.token))
        done.set()

    assert set(caller.outcomes) == {FINE}
    assert len(caller.outcomes) > 3
    assert not any(answer.get("isError") for answer in results), results


@pytest.mark.usefixtures("secrets_restored")
async def test_server_with_a_refused_secret_is_not_ready(own: OwnChain, admin: KeycloakAdmin, caller: Caller) -> None:
    """After Keycloak refuses the secret in a call, the server is not ready until the file has another secret."""
    async with replica(own) as origin, patient_client(base_url=origin) as http:
        change_secret(own, admin, ANOTHER_SECRET)
        assert (await http.get("/health/ready")).status_code == 200, "nobody has asked Keycloak again yet"
        assert (await call_replica(own, origin, caller.token))["isError"]
        refused = await http.get("/health/ready")
        own.write_secret(ANOTHER_SECRET)
        accepted = await http.get("/health/ready")

    assert (refused.status_code, refused.json()["checks"]["client"]) == (503, "refused")
    assert (accepted.status_code, accepted.json()["checks"]["client"]) == (200, "ok")


@pytest.mark.usefixtures("secrets_restored")
async def test_secret_changed_in_keycloak_first_is_a_tool_error(
    own: OwnChain, admin: KeycloakAdmin, caller: Caller
) -> None:
    """Until the file changes, each call names the file and the secret to write; no user has to sign in again."""
    await caller.work()
    change_secret(own, admin, ANOTHER_SECRET)
    await caller.work()
    own.write_secret(ANOTHER_SECRET)
    await caller.work()

    before, broken, mended = caller.outcomes
    assert (before, mended) == (FINE, FINE)
    assert f"write its present secret into {own.secret_file}, which the next call reads" in broken
    assert "unauthorized_client" in broken
    assert ANOTHER_SECRET not in broken
    assert EXCHANGE_CLIENT_SECRET not in broken


@pytest.mark.usefixtures("secrets_restored")
async def test_secret_in_the_environment_needs_a_restart(own: OwnChain, admin: KeycloakAdmin, caller: Caller) -> None:
    """The server cannot reload a secret from a variable, so the error asks for a restart."""
    settings = own.settings(ENABLE_TOKEN_EXCHANGE="true", OIDC_CLIENT_SECRET=EXCHANGE_CLIENT_SECRET)
    port = free_port()
    running = run_server("by variable", own.config.exchange_url, port, settings, logs=own.config.state)
    host = own.config.exchange_url.removeprefix("http://").removesuffix("/mcp")
    async with in_thread(running) as url:
        before = result(await call_tool(url, "nc_whoami", token=caller.token, host=host))
        change_secret(own, admin, ANOTHER_SECRET)
        after = result(await call_tool(url, "nc_whoami", token=caller.token, host=host))

    assert not before.get("isError")
    assert after["isError"]
    assert "set OIDC_CLIENT_SECRET to its present secret and restart this server" in after["content"][0]["text"]


@contextmanager
def without_scope(admin: KeycloakAdmin, client_id: str, name: str) -> Iterator[None]:
    """Take a default scope from a client, and give it back."""
    client = str(admin.get_client_id(client_id))
    scope = next(scope["id"] for scope in admin.get_client_default_client_scopes(client) if scope["name"] == name)
    admin.delete_client_default_client_scope(client, scope)
    try:
        yield
    finally:
        admin.add_client_default_client_scope(client, scope, {})


NO_EXCHANGE: Final = {"standard.token.exchange.enabled": "false"}

MISCONFIGURED: Final[Mapping[str, tuple[Callable[[KeycloakAdmin, str], AbstractContextManager[None]], str]]] = {
    "exchange client disabled": (
        lambda admin, client: client_with(admin, client, enabled=False),
        "see that the client {client} is enabled in Keycloak",
    ),
    "exchange switched off": (
        lambda admin, client: client_with(admin, client, attributes=NO_EXCHANGE),
        "enable token exchange for the client {client}",
    ),
    "exchange client without its scope": (
        lambda admin, client: without_scope(admin, client, "nextcloud"),
        "give the client {client} the default scope",
    ),
    "Nextcloud's client disabled": (
        lambda admin, _: client_with(admin, "nextcloud", enabled=False),
        "enable the client nextcloud in Keycloak",
    ),
}


@pytest.mark.parametrize(("misconfigured", "advice"), MISCONFIGURED.values(), ids=MISCONFIGURED.keys())
async def test_misconfiguration_is_a_tool_error_not_a_401(
    own: OwnChain,
    admin: KeycloakAdmin,
    caller: Caller,
    misconfigured: Callable[[KeycloakAdmin, str], AbstractContextManager[None]],
    advice: str,
) -> None:
    """A fault that an administrator must fix is a tool error that says so, never a 401 that asks for a new sign-in."""
    client = own.config.exchange_url
    with misconfigured(admin, client):
        broken = await caller.call()
    mended = await caller.call()

    assert "the administrator must" in broken
    assert advice.format(client=client) in broken
    assert mended == FINE
