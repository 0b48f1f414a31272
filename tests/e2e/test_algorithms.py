"""Access tokens signed with each algorithm of Keycloak: all parts accept them, or the error names the algorithm.

All in a realm of its own (nextcloud/README.md has the table for administrators).
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

import pytest
from keycloak import KeycloakAdmin

from nextcloud_mcp.nextcloud.bearer import NOT_ACCEPTED
from tests.support.eventually import eventually
from tests.support.mcp_http import call_tool, challenge, result
from tests.support.oauth import Person, sign_in
from tests.support.own_chain import OwnChain

KEY_PROVIDER: Final = "org.keycloak.keys.KeyProvider"
FINE: Final = "fine"


class Key(NamedTuple):
    """A key of the realm's: the kind of its provider, and what that is told."""

    provider: str
    config: Mapping[str, str]


def rsa(algorithm: str, bits: int = 2048) -> Key:
    """Return an RSA key for one algorithm."""
    return Key("rsa-generated", {"algorithm": algorithm, "keySize": str(bits)})


def ecdsa(curve: str) -> Key:
    """Return a key for the algorithm that belongs to the curve."""
    return Key("ecdsa-generated", {"ecdsaEllipticCurveKey": curve})


def eddsa(curve: str) -> Key:
    """Return a key for EdDSA."""
    return Key("eddsa-generated", {"eddsaEllipticCurveKey": curve})


class Case(NamedTuple):
    """What the realm signs with, the keys that it is given, and what a call then says."""

    algorithm: str
    keys: Sequence[Key]
    outcome: str


def unverified(algorithm: str) -> str:
    """Return what a call says of an algorithm that user_oidc does not verify."""
    return f"user_oidc does not verify tokens signed with {algorithm}: the administrator must let Keycloak sign"


CASES: Final[Mapping[str, Case]] = {
    "RS256": Case("RS256", [], FINE),
    "RS512": Case("RS512", [rsa("RS512")], FINE),
    "ES256": Case("ES256", [ecdsa("P-256")], FINE),
    "ES384": Case("ES384", [ecdsa("P-384")], FINE),
    "Ed25519": Case("EdDSA", [eddsa("Ed25519")], FINE),
    "RS256 beside keys that user_oidc does not know": Case("RS256", [eddsa("Ed448"), ecdsa("P-521")], FINE),
    "PS256": Case("PS256", [rsa("PS256")], unverified("PS256")),
    "ES512": Case("ES512", [ecdsa("P-521")], unverified("ES512")),
    "Ed448": Case("EdDSA", [eddsa("Ed448")], unverified("EdDSA with Ed448")),
    "ES256 beside ES512": Case("ES256", [ecdsa("P-256"), ecdsa("P-521")], "while the realm has a key for ES512 too"),
    "HS256": Case("HS256", [], "The token is signed with HS256, which this server does not accept"),
    "RS256 with 1024 bits": Case("RS256", [rsa("RS256", 1024)], "an RSA key shorter than 2048 bits"),
}


@pytest.fixture
def case(own: OwnChain, request: pytest.FixtureRequest) -> Iterator[Case]:
    """The realm with these keys, which sign, and a Nextcloud that has not seen others."""
    case: Case = request.param
    admin = own.keycloak.admin()
    added = [admin.create_component(_component(key, priority)) for priority, key in enumerate(case.keys)]
    _sign_with(admin, case.algorithm)
    own.cloud.forget_keys()
    try:
        yield case
    finally:
        _sign_with(admin, "RS256")
        for component in added:
            admin.delete_component(component)


def _component(key: Key, priority: int) -> dict[str, Any]:
    first = time.time_ns() // 10**6
    config = {"priority": str(first - priority), "enabled": "true", "active": "true", **key.config}
    return {
        "name": "of a test",
        "providerId": key.provider,
        "providerType": KEY_PROVIDER,
        "config": {name: [value] for name, value in config.items()},
    }


def _sign_with(admin: KeycloakAdmin, algorithm: str) -> None:
    admin.update_realm(str(admin.connection.realm_name), {"defaultSignatureAlgorithm": algorithm})


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys(), indirect=True)
async def test_signing_algorithm_works_or_is_named_in_error(own: OwnChain, person: Person, case: Case) -> None:
    """A call succeeds, or its error names the unsupported algorithm or key; it never asks for a useless new sign-in."""
    for mode, url in own.urls.items():
        tokens = await sign_in(own.keycloak, **person, scope=f"nextcloud-mcp:{mode}")
        said = await eventually(partial(_said, case, url, tokens["access_token"]))
        assert case.outcome in said, mode
        assert "sign in again" not in said, mode


async def _said(case: Case, url: str, token: str) -> str | None:
    """Return what a call says, or None while a worker of a real Nextcloud still has the keys from before."""
    response = await call_tool(url, "nc_whoami", token=token)
    if response.status_code == 401:
        assert challenge(response)["error"] == "invalid_token"
        return str(response.json()["error"]["message"])
    answer = result(response)
    if not answer.get("isError"):
        return FINE
    sentence = str(answer["content"][0]["text"])
    return None if case.outcome == FINE and sentence.startswith(NOT_ACCEPTED) else sentence
