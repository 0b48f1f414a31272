"""Verify bearer JWTs and return the principal (RFC 7519, RFC 8725, RFC 9068).

A token is accepted if the issuer signed it with an allowed algorithm, it is an access token, it is valid now, and its
audience includes this server, compared as strings. Only `alg`, `kid` and `typ` of its header are used, and `crit` is
refused. Keys come only from the issuer's JWKS (RFC 8725 section 3.10).
"""

import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from joserfc import jws, jwt
from joserfc.errors import ExpiredTokenError, InvalidPayloadError, JoseError, UnsupportedAlgorithmError
from joserfc.jwa import JWSAlgModel

from nextcloud_mcp.auth.issuer import Issuer
from nextcloud_mcp.errors import InvalidTokenError

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""The asymmetric algorithms that Keycloak supports; EdDSA is Ed25519 and Ed448. With a symmetric algorithm, the public
key could pass for the secret (RFC 8725 section 2.1), and Keycloak publishes no symmetric keys."""

LEEWAY: Final = 30
"""Seconds by which the issuer's clock may differ from this server's."""

_ACCESS_TOKEN_TYPES: Final = frozenset({"at+jwt", "application/at+jwt"})


@dataclass(frozen=True)
class Principal:
    """The caller, as the token's claims say; valid for one request."""

    issuer: str
    subject: str
    client_id: str | None
    scopes: frozenset[str]
    token: str = field(repr=False)
    expires_at: float
    """`exp`, in seconds since the epoch."""
    username: str = ""
    """`preferred_username`, if the token has it."""
    session_id: str | None = None
    """`sid`, if the token has it: the Keycloak session, which an administrator can end."""

    @property
    def log_fields(self) -> dict[str, str | None]:
        """The client, and Keycloak's ids of the user and the session, as fields of a log event."""
        fields = {"client": self.client_id, "subject": self.subject}
        return fields | ({"sid": self.session_id} if self.session_id else {})

    @property
    def account(self) -> tuple[str, str, str]:
        """Issuer, subject and user name of this token, which determine the Nextcloud account."""
        return (self.issuer, self.subject, self.username)


class TokenVerifier:
    """Verifies access tokens for this server."""

    def __init__(
        self, issuer: Issuer, *, audiences: frozenset[str], server_scope: str, also_required: str | None = None
    ) -> None:
        """Accept tokens with one of `audiences` in `aud`; `also_required` must be in it, too.

        `server_scope` is the scope that adds the audience, for the errors.
        """
        self._issuer = issuer
        self._audiences = audiences
        self._server_scope = server_scope
        self._also_required = also_required

    async def verify(self, token: str) -> Principal:
        """Return the principal of a valid access token.

        Raises:
            InvalidTokenError: the token is not acceptable; the message says why.
            IssuerUnavailableError: the token can't be checked now.
        """
        header = _header(token)
        _check_algorithm(header)
        key = await self._issuer.key(_key_id(header))
        metadata = await self._issuer.metadata()
        try:
            claims = jwt.decode(token, key, registry=_REGISTRY).claims
        except InvalidPayloadError as error:
            raise InvalidTokenError("The bearer token is not a signed JWT", "sign in again") from error
        except (JoseError, ValueError) as error:
            raise InvalidTokenError("The token's signature is not the issuer's", "sign in again") from error
        _check_claims(claims, metadata.issuer)
        _check_type(header, claims)
        self._check_audience(claims["aud"])
        return Principal(
            issuer=metadata.issuer,
            subject=claims["sub"],
            client_id=_optional_string(claims, "azp") or _optional_string(claims, "client_id"),
            scopes=frozenset((_optional_string(claims, "scope") or "").split()),
            token=token,
            expires_at=claims["exp"],
            username=_optional_string(claims, "preferred_username") or "",
            session_id=_optional_string(claims, "sid"),
        )

    def _check_audience(self, claim: str | list[str]) -> None:
        """Refuse tokens for other audiences; only equal strings match, not prefixes."""
        audiences = {claim} if isinstance(claim, str) else set(claim)
        if not audiences & self._audiences:
            raise InvalidTokenError(
                "The token is not meant for this server", f"sign in with the scope {self._server_scope}"
            )
        if self._also_required is not None and self._also_required not in audiences:
            raise InvalidTokenError(
                "The token does not name {audience} as audience, which Nextcloud requires in pass-through mode",
                f"sign in with the scope {self._server_scope}",
                audience=self._also_required,
            )


def _header(token: str) -> Mapping[str, Any]:
    """Return the protected header, which is not verified yet."""
    try:
        compact = jws.extract_compact(token.encode())
        _check_encoding(urlsafe_b64decode(compact.segments["header"] + b"=="))
        _check_encoding(urlsafe_b64decode(compact.segments["payload"] + b"=="))
    except (JoseError, ValueError) as error:
        raise InvalidTokenError("The bearer token is not a signed JWT", "sign in again") from error
    header = compact.headers()
    if "crit" in header:  # required extensions, of which this server supports none (RFC 7515 section 4.1.11)
        raise InvalidTokenError(
            "The token's header asks for extensions that this server does not know", "sign in again"
        )
    return header


def _check_encoding(text: bytes) -> None:
    """Refuse JSON in UTF-16 or UTF-32, which Python's parser accepts (RFC 8725 section 3.7).

    Raises:
        ValueError: the text is not UTF-8, or has a NUL, which JSON in UTF-8 never has.
    """
    if "\0" in text.decode():
        raise ValueError("not UTF-8")


def _check_algorithm(header: Mapping[str, Any]) -> None:
    """Refuse other algorithms before the key is fetched, because signing in again does not change the algorithm."""
    algorithm = header.get("alg")
    if algorithm in ALGORITHMS:
        return
    is_name = isinstance(algorithm, str) and re.fullmatch("[A-Za-z0-9+-]{1,20}", algorithm)
    raise InvalidTokenError(
        "The token is signed with {algorithm}, which this server does not accept",
        (
            "the administrator must let Keycloak sign access tokens with one of {algorithms} (Realm settings > "
            "Tokens > Default signature algorithm, or the client's own under Advanced)"
        ),
        algorithm=algorithm if is_name else "an unknown algorithm",
        algorithms=", ".join(ALGORITHMS),
    )


class _Registry(jws.JWSRegistry):
    """Allows `ALGORITHMS`, without the library's warning that RFC 9864 renames EdDSA: Keycloak uses the old name."""

    def get_alg(self, name: str) -> JWSAlgModel:
        """Return an accepted algorithm."""
        if name not in ALGORITHMS:
            raise UnsupportedAlgorithmError(f"Algorithm of '{name}' is not allowed")
        return self.algorithms[name]


_REGISTRY: Final = _Registry()


def _key_id(header: Mapping[str, Any]) -> str:
    key_id = header.get("kid")
    if not isinstance(key_id, str) or not key_id:
        raise InvalidTokenError("The token does not name its signing key", "sign in again")
    return key_id


def _check_claims(claims: dict[str, Any], issuer: str) -> None:
    """Check the issuer, the times and the types of the claims (RFC 9068 section 4)."""
    registry = jwt.JWTClaimsRegistry(
        leeway=LEEWAY,
        iss={"essential": True, "value": issuer},
        sub={"essential": True},
        aud={"essential": True},
        exp={"essential": True},
    )
    try:
        registry.validate(claims)
    except ExpiredTokenError as error:
        raise InvalidTokenError("The token has expired", "refresh it or sign in again") from error
    except JoseError as error:
        raise InvalidTokenError(
            "The token's claims are not acceptable ({description})", "sign in again", description=error.description
        ) from error


def _check_type(header: Mapping[str, Any], claims: Mapping[str, Any]) -> None:
    """Refuse ID tokens, refresh tokens and other types (RFC 8725 section 3.11, RFC 9068 section 2.1).

    Keycloak's access tokens and ID tokens have the header type `JWT`. Their claim `typ` differs: it is `Bearer` only in
    access tokens. Tokens that follow RFC 9068 have their type in the header.
    """
    header_type = str(header.get("typ", "")).lower()
    if header_type in _ACCESS_TOKEN_TYPES and claims.get("typ", "Bearer") == "Bearer":
        return
    if header_type == "jwt" and claims.get("typ") == "Bearer":
        return
    raise InvalidTokenError("The token is not an access token", "send the access token")


def _optional_string(claims: Mapping[str, Any], name: str) -> str | None:
    value = claims.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidTokenError("The token's claim {name} is not a string", "sign in again", name=name)
    return value
