"""`auth.client`: client authentication with a secret or with signed assertions (RFC 7523)."""

import base64
import hashlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

from nextcloud_mcp.app import create_app
from nextcloud_mcp.auth.client import ClientKey
from nextcloud_mcp.auth.credentials import TokenExchange
from nextcloud_mcp.auth.issuer import Issuer
from nextcloud_mcp.auth.verifier import Principal
from nextcloud_mcp.errors import SettingsError, TokenExchangeError
from nextcloud_mcp.settings import load_settings
from tests.support.issuer import DISCOVERY_URL, ISSUER, SERVER_URL, TOKEN_PATH, FakeIssuer, answer
from tests.support.server import PASS_THROUGH

RSA: Final = RSAKey.generate_key(2048)
EC: Final = ECKey.generate_key("P-256")
ALICE: Final = Principal(
    issuer=ISSUER,
    subject="f1c9-alice",
    client_id="mcp-client",
    scopes=frozenset({"notes:read"}),
    token="subject-token-of-alice",
    expires_at=time.time() + 300,
)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """A mounted private key."""
    return mounted(tmp_path, EC.as_pem(private=True))


def mounted(folder: Path, content: bytes) -> Path:
    """Write the key file; returns its path."""
    file = folder / "key.pem"
    file.write_bytes(content)
    return file


@pytest.fixture
def exchange(http: httpx.AsyncClient, key_file: Path) -> TokenExchange:
    """The exchange by a server that signs."""
    return TokenExchange(
        http,
        Issuer(http, DISCOVERY_URL),
        client_id=SERVER_URL,
        client=ClientKey.read(key_file),
        audience="nextcloud",
    )


def assertion_claims(assertion: str, key: RSAKey | ECKey) -> dict[str, Any]:
    """Return the claims of an assertion that this key has signed."""
    return jwt.decode(assertion, key, algorithms=["PS256", "ES256"]).claims


@pytest.mark.parametrize(("key", "algorithm"), [(RSA, "PS256"), (EC, "ES256")], ids=["RSA", "EC"])
def test_assertion_has_claims_of_rfc_7523(tmp_path: Path, key: RSAKey | ECKey, algorithm: str) -> None:
    """Section 3: `iss` and `sub` are the client, `aud` the issuer, for a minute, with a `jti` and no secret."""
    before = int(time.time())
    proof = ClientKey.read(mounted(tmp_path, key.as_pem(private=True))).authenticate(SERVER_URL, ISSUER)
    assert proof.headers == {}
    assert proof.form.keys() == {"client_assertion_type", "client_assertion"}
    assert proof.form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    token = jwt.decode(proof.form["client_assertion"], key, algorithms=[algorithm])
    claims = token.claims
    assert (claims["iss"], claims["sub"], claims["aud"]) == (SERVER_URL, SERVER_URL, ISSUER)
    assert before <= claims["iat"] <= time.time()
    assert claims["exp"] - claims["iat"] == 60
    assert len(claims["jti"]) >= 16
    assert token.header["alg"] == algorithm


def test_assertion_kid_is_keycloaks(key_file: Path) -> None:
    """`kid` is the unpadded base64url SHA-256 of the public key's DER, as Keycloak derives it from the PEM."""
    der = base64.b64decode("".join(EC.as_pem(private=False).decode().splitlines()[1:-1]))
    expected = base64.urlsafe_b64encode(hashlib.sha256(der).digest()).decode().rstrip("=")
    assertion = ClientKey.read(key_file).authenticate(SERVER_URL, ISSUER).form["client_assertion"]
    assert jwt.decode(assertion, EC, algorithms=["ES256"]).header["kid"] == expected


def test_assertions_have_unique_jti(key_file: Path) -> None:
    """A unique `jti` lets Keycloak refuse a repeated assertion (RFC 7523 section 3)."""
    key = ClientKey.read(key_file)
    proofs = [key.authenticate(SERVER_URL, ISSUER).form["client_assertion"] for _ in range(20)]
    assert len({assertion_claims(proof, EC)["jti"] for proof in proofs}) == 20


UNUSABLE: Final[Mapping[str, bytes]] = {
    "empty": b"",
    "no key": b"do-not-show-me",
    "not text": b"\xff\xfe",
    "public": RSA.as_pem(private=False),
    "encrypted": RSA.as_pem(private=True, password="x"),
    "another curve": ECKey.generate_key("P-384").as_pem(private=True),
    "Ed25519": OKPKey.generate_key("Ed25519").as_pem(private=True),
    "half a key": RSA.as_pem(private=True)[:200],
}


@pytest.mark.parametrize("content", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_unusable_key_stops_the_start(tmp_path: Path, content: bytes) -> None:
    """The one-line error names the setting and the file, and shows no content."""
    file = mounted(tmp_path, content)
    environ = {**PASS_THROUGH, "ENABLE_TOKEN_EXCHANGE": "true", "OIDC_CLIENT_PRIVATE_KEY_FILE": str(file)}
    with pytest.raises(SettingsError) as caught:
        create_app(load_settings(environ))
    assert str(caught.value).startswith(f"OIDC_CLIENT_PRIVATE_KEY_FILE: {file} ")
    assert "\n" not in str(caught.value)
    assert "do-not-show-me" not in f"{caught.value!r} {caught.value.__cause__!r}"


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_short_rsa_key_stops_the_start(tmp_path: Path) -> None:
    """Keys of fewer than 2048 bits must not sign (RFC 7518 section 3.5)."""
    file = mounted(tmp_path, RSAKey.generate_key(1024).as_pem(private=True))
    with pytest.raises(SettingsError, match="RSA of 2048 bits or more"):
        ClientKey.read(file)


def test_missing_key_file_stops_the_start(tmp_path: Path) -> None:
    """The error names a key file that was not mounted."""
    with pytest.raises(SettingsError, match=r"OIDC_CLIENT_PRIVATE_KEY_FILE: .*gone can't be read"):
        ClientKey.read(tmp_path / "gone")


def test_repr_hides_key(key_file: Path) -> None:
    """The repr in a traceback or log contains no key and no assertion."""
    key = ClientKey.read(key_file)
    proof = key.authenticate(SERVER_URL, ISSUER)
    assert str(EC.as_dict(private=True)["d"]) not in repr(key)
    assert proof.form["client_assertion"] not in repr(proof)


async def test_exchange_uses_client_assertion(exchange: TokenExchange, keycloak: FakeIssuer) -> None:
    """The request has the assertion, and neither an Authorization header nor a secret."""
    await exchange.for_nextcloud(ALICE)
    (request,) = [request for request in keycloak.requests if request.url.path == TOKEN_PATH]
    (form,) = keycloak.exchanges()
    assert "Authorization" not in request.headers
    assert assertion_claims(form["client_assertion"], EC)["aud"] == ISSUER
    assert form["subject_token"] == ALICE.token


@pytest.mark.parametrize(
    ("status", "description"),
    [
        (400, "Unable to load public key"),
        (400, "Token is not active"),
        (401, "Invalid client or Invalid client credentials"),
    ],
)
async def test_refused_assertion_error_says_what_to_do(
    exchange: TokenExchange, keycloak: FakeIssuer, key_file: Path, status: int, description: str
) -> None:
    """The error quotes Keycloak and names the fix; it does not blame the caller's token, and nothing is retried."""
    keycloak.instead[TOKEN_PATH] = answer(status, json={"error": "invalid_client", "error_description": description})
    with pytest.raises(TokenExchangeError, match=f"{description}.*public key of {key_file}.*clocks"):
        await exchange.for_nextcloud(ALICE)
    assert len(keycloak.exchanges()) == 1


async def test_key_rotation_fails_no_call(exchange: TokenExchange, keycloak: FakeIssuer, key_file: Path) -> None:
    """The old key is used until Keycloak refuses it; the same call then uses the key in the file."""
    mounted(key_file.parent, RSA.as_pem(private=True))
    await exchange.for_nextcloud(ALICE)
    assert assertion_claims(keycloak.exchanges()[-1]["client_assertion"], EC)
    refusal = answer(400, json={"error": "invalid_client", "error_description": "Unable to load public key"})

    def once(request: httpx.Request) -> httpx.Response:
        keycloak.instead.clear()
        return refusal(request)

    keycloak.instead[TOKEN_PATH] = once
    await exchange.for_nextcloud(ALICE)
    assert assertion_claims(keycloak.exchanges()[-1]["client_assertion"], RSA)
    assert len(keycloak.exchanges()) == 1 + 2
