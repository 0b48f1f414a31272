"""The exchange server signs client assertions instead of sending a secret (RFC 7523, `private_key_jwt`).

The client is a copy of the realm's exchange client, switched as keycloak/README.md says.
"""

import json
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, Key, RSAKey
from keycloak import KeycloakAdmin

from nextcloud_mcp.auth.client import ClientKey
from stack.chain import Chain
from stack.config import EXCHANGE_CLIENT_SECRET
from stack.keycloak import Keycloak
from stack.process import free_port
from stack.servers import run_server
from tests.support.mcp_http import call_tool, result
from tests.support.oauth import ACCESS_TOKEN, ALICE, CLIENT_ID, TOKEN_EXCHANGE, exchange, sign_in, token_request
from tests.support.threads import in_thread

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SCOPE: Final = "nextcloud-mcp:signing"
KEYS: Final[dict[str, RSAKey | ECKey]] = {"RSA": RSAKey.generate_key(2048), "EC": ECKey.generate_key("P-256")}


@dataclass(frozen=True)
class Signing:
    """A client that signs.

    Attributes:
        url: its id, which is the URL of the server.
        port: where that server is to listen.
        key: what it signs with.
        key_file: where the key is, in PEM.
        subject_token: Alice's, meant for that server.
    """

    url: str
    port: int
    key: RSAKey | ECKey
    key_file: Path
    subject_token: str


@pytest.fixture(scope="module")
def keycloak(chain: Chain) -> Keycloak:
    """The realm that the run shares."""
    return chain.keycloak


@pytest.fixture(scope="module")
def admin(keycloak: Keycloak) -> KeycloakAdmin:
    """Its administration API."""
    return keycloak.admin()


@pytest.fixture(scope="module")
def scope(admin: KeycloakAdmin, port: int) -> Iterator[str]:
    """A scope as the exchange server's own, for the audience of the copy; `mcp-client` may ask for it."""
    mapper = {
        "name": "audience this server",
        "protocol": "openid-connect",
        "protocolMapper": "oidc-audience-mapper",
        "config": {"included.client.audience": _url(port), "access.token.claim": "true"},
    }
    scope_id = admin.create_client_scope({"name": SCOPE, "protocol": "openid-connect", "protocolMappers": [mapper]})
    client = str(admin.get_client_id(CLIENT_ID))
    admin.add_client_optional_client_scope(client, scope_id, {})
    yield SCOPE
    admin.delete_client_scope(scope_id)


@pytest.fixture(scope="module")
def port() -> int:
    """Where the server listens."""
    return free_port()


def _url(port: int) -> str:
    return f"http://localhost:{port}/mcp"


@pytest.fixture(params=list(KEYS.values()), ids=list(KEYS))
async def signing(
    request: pytest.FixtureRequest, chain: Chain, admin: KeycloakAdmin, scope: str, port: int, tmp_path: Path
) -> AsyncIterator[Signing]:
    """The copy of the exchange client, switched from its secret to the key."""
    key: RSAKey | ECKey = request.param
    original = admin.get_client(str(admin.get_client_id(chain.config.exchange_url)))
    kept = {name: value for name, value in original.items() if name not in {"id", "clientId", "protocolMappers"}}
    client_id = admin.create_client(kept | {"clientId": _url(port), "secret": EXCHANGE_CLIENT_SECRET})
    public_key = "".join(key.as_pem(private=False).decode().splitlines()[1:-1])
    attributes = {"jwt.credential.public.key": public_key}
    admin.update_client(
        client_id,
        {"clientAuthenticatorType": "client-jwt", "attributes": original["attributes"] | attributes},
    )
    key_file = tmp_path / "key.pem"
    key_file.write_bytes(key.as_pem(private=True))
    subject_token = (await sign_in(chain.keycloak, **ALICE, scope=scope))["access_token"]
    yield Signing(_url(port), port, key, key_file, subject_token)
    admin.delete_client(client_id)


async def test_signed_exchange_reaches_nextcloud(chain: Chain, signing: Signing) -> None:
    """A tool call with a signed exchange reaches Alice's Nextcloud, and no log contains the key or a token."""
    settings = {
        "NEXTCLOUD_HOST": chain.nextcloud.url,
        "OIDC_DISCOVERY_URL": chain.keycloak.discovery_url,
        "ENABLE_TOKEN_EXCHANGE": "true",
        "OIDC_CLIENT_PRIVATE_KEY_FILE": str(signing.key_file),
        "LOG_LEVEL": "DEBUG",
    }
    name = f"signing-{uuid4().hex[:6]}"
    async with in_thread(run_server(name, signing.url, signing.port, settings, logs=chain.config.state)) as url:
        who = result(await call_tool(url, "nc_whoami", token=signing.subject_token))
    log = (chain.config.state / f"server-{name}.log").read_text()
    assert who["structuredContent"]["user_id"] == "alice"
    assert "nc_whoami" in log
    assert signing.subject_token not in log
    assert "client_assertion" not in log
    assert str(signing.key.as_dict(private=True)["d"]) not in log


@pytest.mark.parametrize("secret", [EXCHANGE_CLIENT_SECRET, None], ids=["the old secret", "no secret"])
async def test_former_client_secret_is_refused(keycloak: Keycloak, signing: Signing, secret: str | None) -> None:
    """Keycloak refuses the client's former secret."""
    answer = await exchange(
        keycloak, signing.subject_token, client_id=signing.url, client_secret=secret, audience="nextcloud"
    )
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client")


async def test_client_assertion_works_once(keycloak: Keycloak, signing: Signing) -> None:
    """Keycloak refuses a replayed assertion (RFC 7523 section 3: `jti`)."""
    proof = ClientKey.read(signing.key_file).authenticate(signing.url, keycloak.issuer)
    first = await _exchange(keycloak, signing, proof.form["client_assertion"])
    second = await _exchange(keycloak, signing, proof.form["client_assertion"])
    assert first.status_code == 200, first.text
    assert second.status_code == 400
    assert second.json() == {"error": "invalid_client", "error_description": "Token reuse detected"}


def _assertion(keycloak: Keycloak, signing: Signing, key: Key | None = None, **changes: Any) -> str:
    """An assertion, good but for `changes`; None leaves a claim out."""
    now = int(time.time())
    usual = {"iss": signing.url, "sub": signing.url, "aud": keycloak.issuer, "jti": uuid4().hex}
    claims = {name: value for name, value in (usual | {"iat": now, "exp": now + 60} | changes).items() if value}
    algorithm = "ES256" if isinstance(signing.key, ECKey) else "PS256"
    header = {"alg": algorithm, "kid": ClientKey.read(signing.key_file).kid}
    return jwt.encode(header, claims, key or signing.key, algorithms=[algorithm])


async def _exchange(keycloak: Keycloak, signing: Signing, assertion: str) -> httpx.Response:
    return await token_request(
        keycloak,
        {
            "grant_type": TOKEN_EXCHANGE,
            "subject_token": signing.subject_token,
            "subject_token_type": ACCESS_TOKEN,
            "requested_token_type": ACCESS_TOKEN,
            "audience": "nextcloud",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion,
        },
    )


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"aud": "https://elsewhere.example"}, id="made for somebody else"),
        pytest.param({"aud": None}, id="made for nobody"),
        pytest.param({"aud": ["{issuer}", "https://elsewhere.example"]}, id="made for somebody else as well"),
        pytest.param({"sub": CLIENT_ID, "iss": CLIENT_ID}, id="about another client"),
        pytest.param({"iss": CLIENT_ID}, id="by another client"),
        pytest.param({"jti": None}, id="without an id"),
        pytest.param({"exp": None}, id="without an end"),
        pytest.param({"exp": 1, "iat": 1}, id="expired"),
        pytest.param({"iat": 4102444800, "exp": 4102444860}, id="not begun"),
    ],
)
async def test_invalid_client_assertion_is_refused(
    keycloak: Keycloak, signing: Signing, changes: dict[str, Any]
) -> None:
    """Keycloak checks each MUST of RFC 7523 section 3, and one audience is allowed: nobody can forward an assertion."""
    changes = json.loads(json.dumps(changes).replace("{issuer}", keycloak.issuer))
    answer = await _exchange(keycloak, signing, _assertion(keycloak, signing, **changes))
    assert answer.status_code in {400, 401}
    assert answer.json()["error"] == "invalid_client"
    assert (await _exchange(keycloak, signing, _assertion(keycloak, signing))).status_code == 200


async def test_assertion_signed_with_another_key_is_refused(keycloak: Keycloak, signing: Signing) -> None:
    """Keycloak refuses a key with the same type and `kid` as the real one."""
    rsa = isinstance(signing.key, RSAKey)
    other: Key = RSAKey.generate_key(2048) if rsa else ECKey.generate_key("P-256")
    answer = await _exchange(keycloak, signing, _assertion(keycloak, signing, other))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client")
