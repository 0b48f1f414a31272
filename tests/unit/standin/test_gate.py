"""The gate lets in what user_oidc lets in, and knows the realm's keys as long as user_oidc does."""

import hashlib
import time
from dataclasses import replace
from typing import Any

import httpx
import pytest

from stack.standin.app import Options
from tests.support.issuer import ISSUER, FakeIssuer
from tests.unit.standin.conftest import running

USER = "/ocs/v2.php/cloud/user?format=json"

GOOD: dict[str, dict[str, Any]] = {
    "as usual": {},
    "several audiences": {"aud": ["http://localhost:8000/mcp", "nextcloud"]},
    "no audience at all": {"aud": None},
    "no subject": {"sub": None},
}
BAD: dict[str, dict[str, Any]] = {
    "another audience": {"aud": "http://localhost:8000/mcp"},
    "audience only begins the same": {"aud": "nextcloud-2"},
    "meant by azp alone": {"aud": "account", "azp": "nextcloud"},
    "expired": {"exp": int(time.time()) - 1},
    "never expires": {"exp": None},
    "another issuer": {"iss": "http://elsewhere.example"},
    "issuer with a slash": {"iss": ISSUER + "/"},
    "nobody's": {"preferred_username": None},
    "a path for a name": {"preferred_username": "../bob"},
    "a parent for a name": {"preferred_username": ".."},
    "a local account's name": {"preferred_username": "admin"},
    "a local account's name in other letters": {"preferred_username": "Admin"},
}


@pytest.mark.parametrize("claims", GOOD.values(), ids=GOOD)
async def test_good_tokens_get_in(client: httpx.AsyncClient, issuer: FakeIssuer, claims: dict[str, Any]) -> None:
    """Issuer, expiry, audience and user name count, and a token without audience passes."""
    answer = await _call(client, issuer.mint(**claims))
    assert answer.status_code == 200
    assert answer.json()["ocs"]["data"]["id"] == "alice"


@pytest.mark.parametrize("claims", BAD.values(), ids=BAD)
async def test_bad_tokens_stay_out(client: httpx.AsyncClient, issuer: FakeIssuer, claims: dict[str, Any]) -> None:
    """A token that lacks one of these is a stranger's."""
    assert (await _call(client, issuer.mint(**claims))).status_code == 401


async def test_a_forged_token_stays_out(client: httpx.AsyncClient, issuer: FakeIssuer) -> None:
    """A token with all the right claims, and a key of the right name, is refused for its signature."""
    assert (await _call(client, issuer.mint(key=issuer.foreign_key))).status_code == 401


async def test_an_app_password_gets_in_until_it_is_revoked(client: httpx.AsyncClient, options: Options) -> None:
    """Whoever has an app password signs in with it, nobody else does, and it can revoke itself."""
    passwords = options.data / "app-passwords"
    passwords.mkdir()
    (passwords / "alice").write_text(hashlib.sha256(b"secret").hexdigest())

    assert (await client.get(USER, auth=("alice", "wrong"))).status_code == 401
    assert (await client.get(USER, auth=("bob", "secret"))).status_code == 401
    assert (await client.get(USER, auth=("alice", "secret"))).json()["ocs"]["data"]["id"] == "alice"
    assert (await client.delete("/ocs/v2.php/core/apppassword", auth=("alice", "secret"))).status_code == 200
    assert (await client.get(USER, auth=("alice", "secret"))).status_code == 401


@pytest.mark.parametrize("token", ["", "nonsense", "a.b.c", "eyJhbGciOiJub25lIn0.e30."])
async def test_what_is_no_token_stays_out(client: httpx.AsyncClient, token: str) -> None:
    """Whatever is sent as a token gets an answer."""
    assert (await _call(client, token)).status_code == 401


async def test_passwords_stay_out(client: httpx.AsyncClient) -> None:
    """Nobody has a password here."""
    assert (await client.get(USER, auth=("alice", "alice"))).status_code == 401


async def test_new_keys_are_not_asked_for(client: httpx.AsyncClient, issuer: FakeIssuer) -> None:
    """After a rotation new tokens are refused, and old ones are not, until the keys are forgotten."""
    old = issuer.mint()
    assert (await _call(client, old)).status_code == 200
    issuer.rotate()
    assert (await _call(client, issuer.mint())).status_code == 401
    assert (await _call(client, old)).status_code == 200
    assert issuer.fetches() == 1


async def test_keys_are_forgotten_in_time(options: Options, issuer: FakeIssuer) -> None:
    """When their time is over the keys are fetched again."""
    async with running(replace(options, jwks_ttl=0)) as client:
        assert (await _call(client, issuer.mint())).status_code == 200
        issuer.rotate()
        assert (await _call(client, issuer.mint())).status_code == 200


async def test_an_absent_realm_lets_nobody_in(client: httpx.AsyncClient, issuer: FakeIssuer) -> None:
    """Without the realm's keys every token is a stranger's, until they can be fetched."""
    issuer.down()
    assert (await _call(client, issuer.mint())).status_code == 401
    assert (await client.get("/status.php")).status_code == 200
    issuer.up()
    assert (await _call(client, issuer.mint())).status_code == 200


async def test_another_client_id(options: Options, issuer: FakeIssuer) -> None:
    """The audience is the client id that the stand-in was started with."""
    async with running(replace(options, client_id="cloud")) as client:
        assert (await _call(client, issuer.mint(aud="cloud"))).status_code == 200
        assert (await _call(client, issuer.mint(aud="nextcloud"))).status_code == 401


async def _call(client: httpx.AsyncClient, token: str) -> httpx.Response:
    return await client.get(USER, headers={"Authorization": f"Bearer {token}"})
