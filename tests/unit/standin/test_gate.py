"""The gate accepts the tokens that user_oidc accepts, and caches the realm's keys as long as user_oidc does."""

import hashlib
import json
import time
from dataclasses import replace
from typing import Any
from urllib.parse import quote, unquote

import httpx
import pytest
from defusedxml.ElementTree import fromstring
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from stack.standin.app import Options
from tests.support.issuer import ISSUER, FakeIssuer
from tests.support.minting import signed
from tests.unit.standin.running import running

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
async def test_valid_tokens_are_accepted(client: httpx.AsyncClient, issuer: FakeIssuer, claims: dict[str, Any]) -> None:
    """Issuer, expiry, audience and user name are checked; a token without audience is accepted."""
    answer = await _call(client, issuer.mint(**claims))
    assert answer.status_code == 200
    assert answer.json()["ocs"]["data"]["id"] == "alice"


@pytest.mark.parametrize("claims", BAD.values(), ids=BAD)
async def test_invalid_tokens_are_refused(
    client: httpx.AsyncClient, issuer: FakeIssuer, claims: dict[str, Any]
) -> None:
    """A token that fails one of these checks is refused."""
    assert (await _call(client, issuer.mint(**claims))).status_code == 401


async def test_forged_token_is_refused(client: httpx.AsyncClient, issuer: FakeIssuer) -> None:
    """A token with valid claims and key id but another key's signature is refused."""
    assert (await _call(client, issuer.mint(key=issuer.foreign_key))).status_code == 401


def key(kind: type[OKPKey | ECKey | RSAKey], parameter: Any, algorithm: str, kid: str = "k") -> Key:
    """Make a signing key."""
    made: Key = kind.generate_key(parameter, {"kid": kid, "use": "sig", "alg": algorithm})
    return made


ED25519, ED448 = key(OKPKey, "Ed25519", "EdDSA"), key(OKPKey, "Ed448", "EdDSA", "other")
P256, P521 = key(ECKey, "P-256", "ES256"), key(ECKey, "P-521", "ES512", "other")

BY_ALGORITHM: dict[str, tuple[Key, str, list[Key], int]] = {
    "RS512": (key(RSAKey, 2048, "RS512"), "RS512", [], 200),
    "ES256": (P256, "ES256", [], 200),
    "ES256 beside Ed448": (P256, "ES256", [ED448], 200),
    "ES256 beside ES512": (P256, "ES256", [P521], 401),
    "EdDSA": (ED25519, "EdDSA", [], 200),
    "EdDSA beside ES512": (ED25519, "EdDSA", [P521], 200),
    "EdDSA beside Ed448": (ED25519, "EdDSA", [ED448], 401),
    "Ed448": (key(OKPKey, "Ed448", "EdDSA"), "EdDSA", [], 401),
    "ES512": (key(ECKey, "P-521", "ES512"), "ES512", [], 401),
    "PS256": (key(RSAKey, 2048, "PS256"), "PS256", [], 401),
}


@pytest.mark.parametrize(("signing", "algorithm", "others", "status"), BY_ALGORITHM.values(), ids=BY_ALGORITHM)
async def test_algorithms_are_those_of_user_oidc(
    client: httpx.AsyncClient, issuer: FakeIssuer, signing: Key, algorithm: str, others: list[Key], status: int
) -> None:
    """Its library's algorithms are accepted, and none while a key of the same type has an unknown curve."""
    issuer.keys = [each.as_dict(private=False) for each in (*others, signing)]
    header = json.dumps({"alg": algorithm, "typ": "JWT", "kid": "k"})
    token = signed(header, json.dumps(issuer.claims()), signing, algorithm=algorithm)
    assert (await _call(client, token)).status_code == status


@pytest.mark.parametrize("name", ["bugs.üml", "two words", "bob@example.org", "日本", "😀", "o'neil", "a+b", "a&b#c?d"])
async def test_any_user_name_is_an_account(client: httpx.AsyncClient, issuer: FakeIssuer, name: str) -> None:
    """user_oidc accepts any user id; Nextcloud writes it unencoded to a header, also WebDAV's since 34."""
    token = issuer.mint(preferred_username=name)
    answer = await _call(client, token)
    assert answer.json()["ocs"]["data"]["id"] == name
    assert _user_ids(answer) == [name.encode()]
    headers = {"Authorization": f"Bearer {token}", "Depth": "0"}
    for folder in ("files", "calendars", "addressbooks/users", "principals/users"):
        found = await client.request("PROPFIND", f"/remote.php/dav/{folder}/{quote(name)}/", headers=headers)
        assert (found.status_code, _user_ids(found)) == (207, [name.encode()]), folder
        assert unquote(fromstring(found.content).findtext(".//{DAV:}href", "")).endswith(f"/{folder}/{name}/")


def _user_ids(answer: httpx.Response) -> list[bytes]:
    return [value for header, value in answer.headers.raw if header == b"x-user-id"]


async def test_long_user_name_is_hashed(client: httpx.AsyncClient, issuer: FakeIssuer) -> None:
    """For a name of more than 64 bytes the user id is its SHA-256."""
    name = "ü" * 33
    answer = await _call(client, issuer.mint(preferred_username=name))
    assert answer.json()["ocs"]["data"]["id"] == hashlib.sha256(name.encode()).hexdigest()


async def test_app_password_is_accepted_until_revoked(client: httpx.AsyncClient, options: Options) -> None:
    """Only the holder of an app password can sign in with it, and it can revoke itself."""
    passwords = options.data / "app-passwords"
    passwords.mkdir()
    (passwords / "alice").write_text(hashlib.sha256(b"secret").hexdigest())

    assert (await client.get(USER, auth=("alice", "wrong"))).status_code == 401
    assert (await client.get(USER, auth=("bob", "secret"))).status_code == 401
    assert (await client.get(USER, auth=("alice", "secret"))).json()["ocs"]["data"]["id"] == "alice"
    assert (await client.delete("/ocs/v2.php/core/apppassword", auth=("alice", "secret"))).status_code == 200
    assert (await client.get(USER, auth=("alice", "secret"))).status_code == 401


@pytest.mark.parametrize("token", ["", "nonsense", "a.b.c", "eyJhbGciOiJub25lIn0.e30."])
async def test_malformed_token_is_refused(client: httpx.AsyncClient, token: str) -> None:
    """Any text sent as a token gets a response."""
    assert (await _call(client, token)).status_code == 401


async def test_passwords_are_refused(client: httpx.AsyncClient) -> None:
    """No account has a password here."""
    assert (await client.get(USER, auth=("alice", "alice"))).status_code == 401


async def test_keys_are_not_refetched_for_new_tokens(client: httpx.AsyncClient, issuer: FakeIssuer) -> None:
    """After a rotation new tokens are refused and old ones accepted until the cached keys expire."""
    old = issuer.mint()
    assert (await _call(client, old)).status_code == 200
    issuer.rotate()
    assert (await _call(client, issuer.mint())).status_code == 401
    assert (await _call(client, old)).status_code == 200
    assert issuer.fetches() == 1


async def test_cached_keys_expire(options: Options, issuer: FakeIssuer) -> None:
    """After their lifetime the keys are fetched again."""
    async with running(replace(options, jwks_ttl=0)) as client:
        assert (await _call(client, issuer.mint())).status_code == 200
        issuer.rotate()
        assert (await _call(client, issuer.mint())).status_code == 200


async def test_unreachable_realm_refuses_all_tokens(client: httpx.AsyncClient, issuer: FakeIssuer) -> None:
    """Without the realm's keys every token is refused, until they can be fetched."""
    issuer.down()
    assert (await _call(client, issuer.mint())).status_code == 401
    assert (await client.get("/status.php")).status_code == 200
    issuer.up()
    assert (await _call(client, issuer.mint())).status_code == 200


async def test_client_id_is_the_audience(options: Options, issuer: FakeIssuer) -> None:
    """The audience is the client id with which the stand-in was started."""
    async with running(replace(options, client_id="cloud")) as client:
        assert (await _call(client, issuer.mint(aud="cloud"))).status_code == 200
        assert (await _call(client, issuer.mint(aud="nextcloud"))).status_code == 401


async def _call(client: httpx.AsyncClient, token: str) -> httpx.Response:
    return await client.get(USER, headers={"Authorization": f"Bearer {token}"})
