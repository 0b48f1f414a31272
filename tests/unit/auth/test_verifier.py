"""`auth.verifier`: which bearer tokens are accepted (RFC 7519, RFC 8725, RFC 9068)."""

import json
from collections.abc import Mapping
from typing import Any, Final

import httpx
import pytest
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from nextcloud_mcp.auth.issuer import Issuer
from nextcloud_mcp.auth.verifier import TokenVerifier
from nextcloud_mcp.errors import InvalidTokenError
from tests.support.forged import ACCEPTED, CLIENT_ID, REFUSED, BadToken, Mint
from tests.support.issuer import DISCOVERY_URL, ISSUER, SERVER_URL, FakeIssuer
from tests.support.minting import signed

SERVER_SCOPE: Final = "nextcloud-mcp:exchange"


@pytest.fixture
def verifier(http: httpx.AsyncClient) -> TokenVerifier:
    """The verifier of a server in exchange mode."""
    return TokenVerifier(
        Issuer(http, DISCOVERY_URL), audiences=frozenset({SERVER_URL, CLIENT_ID}), server_scope=SERVER_SCOPE
    )


@pytest.mark.parametrize("token", REFUSED.values(), ids=REFUSED.keys())
async def test_refuses(verifier: TokenVerifier, keycloak: FakeIssuer, token: BadToken) -> None:
    """Each invalid token has its own one-line reason without the token; only the issuer is contacted."""
    minted = token.mint(keycloak)
    with pytest.raises(InvalidTokenError) as caught:
        await verifier.verify(minted)
    sentence = str(caught.value)
    assert token.cause in sentence
    assert sentence.endswith((".", ")."))
    assert "\n" not in sentence
    assert not any(part in sentence for part in minted.split(".") if len(part) > 8)
    assert {request.url.host for request in keycloak.requests} <= {"keycloak.test"}
    assert len(keycloak.requests) <= 4


@pytest.mark.requirement("rfc9068-rs256")
@pytest.mark.parametrize("mint", ACCEPTED.values(), ids=ACCEPTED.keys())
async def test_valid_token_is_accepted(verifier: TokenVerifier, keycloak: FakeIssuer, mint: Mint) -> None:
    """A valid access token for this server is accepted as alice's."""
    principal = await verifier.verify(mint(keycloak))
    assert principal.account == (ISSUER, "f1c9-alice", "alice")


KEYS: Final[Mapping[str, tuple[str, Key]]] = {
    "RS512": ("RS512", RSAKey.generate_key(2048, {"kid": "k", "use": "sig", "alg": "RS512"})),
    "PS256": ("PS256", RSAKey.generate_key(2048, {"kid": "k", "use": "sig", "alg": "PS256"})),
    "ES256": ("ES256", ECKey.generate_key("P-256", {"kid": "k", "use": "sig", "alg": "ES256"})),
    "ES384": ("ES384", ECKey.generate_key("P-384", {"kid": "k", "use": "sig", "alg": "ES384"})),
    "ES512": ("ES512", ECKey.generate_key("P-521", {"kid": "k", "use": "sig", "alg": "ES512"})),
    "Ed25519": ("EdDSA", OKPKey.generate_key("Ed25519", {"kid": "k", "use": "sig", "alg": "EdDSA"})),
    "Ed448": ("EdDSA", OKPKey.generate_key("Ed448", {"kid": "k", "use": "sig", "alg": "EdDSA"})),
}


@pytest.mark.parametrize(("algorithm", "key"), KEYS.values(), ids=KEYS.keys())
async def test_keycloaks_signing_algorithms_are_accepted(
    verifier: TokenVerifier, keycloak: FakeIssuer, algorithm: str, key: Key
) -> None:
    """Every asymmetric algorithm of Keycloak is accepted, with the realm's key and no other."""
    keycloak.keys = [*keycloak.keys, key.as_dict(private=False)]
    header = json.dumps({"alg": algorithm, "typ": "JWT", "kid": "k"})
    token = signed(header, json.dumps(keycloak.claims()), key, algorithm=algorithm)
    assert (await verifier.verify(token)).subject == "f1c9-alice"
    for forged in (token[:-8] + "AAAAAAAA", token.rpartition(".")[0] + ".", token.replace("e30", "e31")[:-1]):
        with pytest.raises(InvalidTokenError):
            await verifier.verify(forged)
    with pytest.raises(InvalidTokenError):
        await verifier.verify(keycloak.mint(header={"kid": "k"}))  # another kind of key under that name


@pytest.mark.parametrize("algorithm", ["HS256", "HS512", "none", "ES256K", "ML-DSA-44"])
async def test_unsupported_algorithm_is_named(verifier: TokenVerifier, keycloak: FakeIssuer, algorithm: str) -> None:
    """The error tells the administrator what to change, and does not say to sign in again."""
    with pytest.raises(InvalidTokenError) as caught:
        await verifier.verify(keycloak.mint(header={"alg": algorithm, "kid": "not-published"}))
    assert str(caught.value).startswith(
        f"The token is signed with {algorithm}, which this server does not accept: the "
    )
    assert "Default signature algorithm" in str(caught.value)
    assert "sign in again" not in str(caught.value)
    assert keycloak.requests == []


@pytest.mark.parametrize("algorithm", ["RS256: sign in at https://attacker.test", "é", "", 7, ["RS256"], {}])
async def test_malformed_algorithm_is_not_quoted(
    verifier: TokenVerifier, keycloak: FakeIssuer, algorithm: object
) -> None:
    """A malformed `alg` value is neither shown nor logged."""
    with pytest.raises(InvalidTokenError) as caught:
        await verifier.verify(keycloak.mint(header={"alg": algorithm}))
    assert "attacker" not in str(caught.value)
    assert str(caught.value).isascii()


async def test_principal_has_claims_of_token(verifier: TokenVerifier, keycloak: FakeIssuer) -> None:
    """Issuer, subject, client and scopes come from the claims; the token is kept unchanged."""
    token = keycloak.mint(sub="s-1", azp="vscode", scope=" notes:read  files:read ")
    principal = await verifier.verify(token)
    assert (principal.issuer, principal.subject, principal.client_id) == (ISSUER, "s-1", "vscode")
    assert principal.scopes == {"notes:read", "files:read"}
    assert principal.token == token


@pytest.mark.parametrize(
    ("claims", "client_id"),
    [
        pytest.param({"azp": "a", "client_id": "b"}, "a", id="azp first"),
        pytest.param({"azp": None, "client_id": "b"}, "b", id="client_id of RFC 9068"),
        pytest.param({"azp": None}, None, id="neither"),
    ],
)
async def test_client_comes_from_azp_or_client_id(
    verifier: TokenVerifier, keycloak: FakeIssuer, claims: dict[str, Any], client_id: str | None
) -> None:
    """The client is read from Keycloak's claim or from that of RFC 9068."""
    assert (await verifier.verify(keycloak.mint(**claims))).client_id == client_id


async def test_missing_scope_claim_means_no_scopes(verifier: TokenVerifier, keycloak: FakeIssuer) -> None:
    """A token without the claim `scope` is valid, and allows nothing that requires a scope."""
    assert (await verifier.verify(keycloak.mint(scope=None))).scopes == frozenset()


async def test_principal_repr_hides_token(verifier: TokenVerifier, keycloak: FakeIssuer) -> None:
    """The repr in a log or traceback does not contain the token."""
    token = keycloak.mint()
    principal = await verifier.verify(token)
    assert token not in repr(principal)


@pytest.mark.parametrize(
    ("audience", "accepted"),
    [
        pytest.param([SERVER_URL, "nextcloud"], True, id="both"),
        pytest.param(["nextcloud", "account", CLIENT_ID], True, id="client id and nextcloud"),
        pytest.param([SERVER_URL], False, id="this server alone"),
        pytest.param(["nextcloud"], False, id="nextcloud alone"),
        pytest.param([SERVER_URL, "Nextcloud"], False, id="nextcloud in another case"),
        pytest.param([SERVER_URL, "nextcloud2"], False, id="longer than nextcloud"),
    ],
)
async def test_pass_through_token_requires_both_audiences(
    http: httpx.AsyncClient, keycloak: FakeIssuer, audience: list[str], *, accepted: bool
) -> None:
    """In pass-through mode `aud` must contain this server and Nextcloud, each exactly."""
    verifier = TokenVerifier(
        Issuer(http, DISCOVERY_URL),
        audiences=frozenset({SERVER_URL, CLIENT_ID}),
        server_scope=SERVER_SCOPE,
        also_required="nextcloud",
    )
    token = keycloak.mint(aud=audience)
    if accepted:
        assert (await verifier.verify(token)).token == token
    else:
        with pytest.raises(InvalidTokenError, match=f"sign in with the scope {SERVER_SCOPE}"):
            await verifier.verify(token)
