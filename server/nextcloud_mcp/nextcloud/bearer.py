"""Explain why Nextcloud's app user_oidc refused a bearer token; Nextcloud itself gives no reason."""

import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Final

from nextcloud_mcp.errors import TokenNotAcceptedError, UnsupportedByUserOidcError

NOT_ACCEPTED: Final = (
    "Nextcloud did not accept the token, for one of four reasons: it has a local account of your name, which may not "
    "be used through Keycloak; it does not trust this realm's present signing keys; its app user_oidc is disabled or "
    "cannot start; or it does not reach its Redis"
)
"""Nextcloud gives the same response for all four (measured on 34.0.1 with user_oidc 8.10.1)."""

REMEDY: Final = (
    "ask the administrator for another user name, to run nextcloud/setup.sh again, or to look at Nextcloud's Redis; "
    "`nextcloud-mcp doctor --occ` shows which of the four it is"
)

USER_OIDC_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "ES256", "ES384", "EdDSA with Ed25519")
"""Algorithms that user_oidc verifies (measured with 8.10.1). It also lists ES512, but its library lacks the curve."""

DISTURBED_BY: Final[Mapping[str, str]] = {
    "ES256": "ES512",
    "ES384": "ES512",
    "EdDSA with Ed25519": "EdDSA with Ed448",
}
"""Algorithms that user_oidc refuses while the realm also has a key for the algorithm in the value.

The library of user_oidc does not support the curve of that key (measured with 8.10.1)."""

_ED25519_BYTES: Final = 64
_ED448_BYTES: Final = 114
"""Bytes of a signature (RFC 8032 sections 5.1.6 and 5.2.6)."""


def not_accepted(token: str) -> TokenNotAcceptedError:
    """Return the error for a refused token; it names the token's algorithm if that can be the cause."""
    algorithm, client = _algorithm_and_client(token)
    if algorithm in DISTURBED_BY:
        return TokenNotAcceptedError(
            (
                f"{NOT_ACCEPTED}. With {{algorithm}}, by which this token is signed, there is a fifth: user_oidc "
                "refuses it while the realm has a key for {other} too"
            ),
            REMEDY,
            algorithm=algorithm,
            other=DISTURBED_BY[algorithm],
        )
    if algorithm in {"", *USER_OIDC_ALGORITHMS}:
        return TokenNotAcceptedError(NOT_ACCEPTED, REMEDY)
    return UnsupportedByUserOidcError(
        "Nextcloud's app user_oidc does not verify tokens signed with {algorithm}",
        (
            "the administrator must let Keycloak sign the access tokens of {client} with one of "
            f"{', '.join(USER_OIDC_ALGORITHMS)} (Realm settings > Tokens > Default signature algorithm, or the "
            "client's own under Advanced)"
        ),
        algorithm=algorithm,
        client=client,
    )


def _algorithm_and_client(token: str) -> tuple[str, str]:
    """Return the algorithm of a JWT with its curve, and its client; return empty strings if it is not a JWT."""
    try:
        header, claims, signature = (urlsafe_b64decode(part + "==") for part in token.split("."))
        algorithm, client = json.loads(header)["alg"], json.loads(claims).get("azp")
    except (ValueError, KeyError, TypeError, AttributeError):
        return "", ""
    curve = {_ED25519_BYTES: " with Ed25519", _ED448_BYTES: " with Ed448"}.get(len(signature), "")
    return f"{algorithm}{curve if algorithm == 'EdDSA' else ''}", f"the client {client}" if client else "its clients"
