"""With which token a call goes on to Nextcloud: the caller's own, or one exchanged for this call (RFC 8693).

There is no third way and no way back: where exchange is chosen and fails, the call fails.
"""

import base64
import binascii
import json
from typing import Any, Final, Protocol
from urllib.parse import quote_plus

import httpx
import structlog
from pydantic import BaseModel, SecretStr, ValidationError

from nextcloud_mcp.auth.issuer import Issuer
from nextcloud_mcp.auth.verifier import Principal
from nextcloud_mcp.errors import SubjectTokenRefusedError, TokenExchangeError

GRANT_TYPE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN_TYPE: Final = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a type's name

log = structlog.get_logger()


class Credentials(Protocol):
    """The seam between the two modes."""

    async def for_nextcloud(self, principal: Principal) -> str:
        """Return the bearer token to present to Nextcloud in this one call."""
        ...


class PassThrough:
    """The caller's validated token, as it is."""

    async def for_nextcloud(self, principal: Principal) -> str:
        """Return the caller's token; `TokenVerifier` has seen that it names Nextcloud as audience."""
        return principal.token


class _Issued(BaseModel):
    """A successful answer of the token endpoint (RFC 8693 section 2.2.1); anything else in it is not read."""

    access_token: str
    issued_token_type: str = ACCESS_TOKEN_TYPE
    token_type: str


class _Refusal(BaseModel):
    """An error answer of the token endpoint (RFC 6749 section 5.2)."""

    error: str
    error_description: str = ""


class TokenExchange:
    """One exchange a call: the caller's token for one whose only audience is Nextcloud. Nothing is kept."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        issuer: Issuer,
        *,
        client_id: str,
        client_secret: SecretStr,
        audience: str,
    ) -> None:
        self._http = http
        self._issuer = issuer
        self._client_id = client_id
        self._client_secret = client_secret
        self._audience = audience

    async def for_nextcloud(self, principal: Principal) -> str:
        """Exchange the principal's token.

        Raises:
            SubjectTokenRefusedError: Keycloak no longer honours the principal's token.
            TokenExchangeError: any other failure, with what Keycloak answered and what to do.
        """
        response = await self._post(principal.token)
        if response.status_code != httpx.codes.OK:
            raise self._refused(response)
        try:
            issued = _Issued.model_validate_json(response.content)
        except ValidationError:
            # not chained: the error's text would quote the answer, and with it the token
            raise TokenExchangeError(
                "Keycloak's token endpoint answered with something that is no token response: "
                "check OIDC_DISCOVERY_URL, and that nothing rewrites answers in between."
            ) from None
        self._check(issued)
        return issued.access_token

    async def _post(self, subject_token: str) -> httpx.Response:
        token_endpoint = (await self._issuer.metadata()).token_endpoint
        try:
            return await self._http.post(
                token_endpoint,
                headers={"Authorization": _basic(self._client_id, self._client_secret)},
                data={
                    "grant_type": GRANT_TYPE,
                    "subject_token": subject_token,
                    "subject_token_type": ACCESS_TOKEN_TYPE,
                    "requested_token_type": ACCESS_TOKEN_TYPE,
                    "audience": self._audience,
                },
            )
        except httpx.HTTPError as error:
            raise TokenExchangeError(
                f"Keycloak can't be reached for the token exchange ({type(error).__name__}): try again shortly."
            ) from error

    def _refused(self, response: httpx.Response) -> TokenExchangeError | SubjectTokenRefusedError:
        """Turn Keycloak's refusal into an error that says who has to do what."""
        try:
            refusal = _Refusal.model_validate_json(response.content)
        except ValidationError:
            return TokenExchangeError(
                f"Keycloak failed at the token exchange with HTTP {response.status_code}: try again shortly, "
                "and look into Keycloak's log if it stays so."
            )
        log.warning(
            "token_exchange.refused",
            status=response.status_code,
            error=refusal.error,
            error_description=refusal.error_description,
        )
        answer = f"{refusal.error}: {refusal.error_description}" if refusal.error_description else refusal.error
        if refusal.error in {"invalid_token", "invalid_grant"} or (
            refusal.error == "invalid_request" and refusal.error_description == "Invalid token"
        ):
            return SubjectTokenRefusedError(
                f"Keycloak no longer honours this token (it answered {answer!r}): sign in again."
            )
        return TokenExchangeError(
            f"Keycloak refused to exchange the token (it answered {answer!r}): {self._advice(refusal.error)}."
        )

    def _advice(self, error: str) -> str:
        """Say what mends a refusal, for the errors of RFC 6749 section 5.2 and RFC 8693 section 2.2.2."""
        return {
            "invalid_client": f"the administrator must give this server the secret of the client {self._client_id}",
            "unauthorized_client": f"the administrator must enable token exchange for the client {self._client_id}",
            "access_denied": "the token must name this server's client as audience; sign in with the scope that "
            "this server asks for",
            "invalid_target": f"the administrator must let the client {self._client_id} ask for the audience "
            f"{self._audience}",
        }.get(error, "the administrator must look into Keycloak's log")

    def _check(self, issued: _Issued) -> None:
        """Refuse a token that opens more than Nextcloud; the realm is wrong then, and the call must not go on."""
        if issued.token_type.lower() != "bearer" or issued.issued_token_type != ACCESS_TOKEN_TYPE:
            raise TokenExchangeError(
                f"Keycloak answered the exchange with a token of type {issued.token_type!r}: "
                "the administrator must let it issue bearer access tokens."
            )
        audience = _audience(issued.access_token)
        if audience not in (self._audience, [self._audience]):
            raise TokenExchangeError(
                f"Keycloak exchanged the token for one with the audience {audience!r} in place of "
                f"{self._audience!r} alone: the administrator must correct the scopes of the client "
                f"{self._client_id}."
            )


def _basic(client_id: str, client_secret: SecretStr) -> str:
    """HTTP Basic client authentication; both parts are form-encoded first (RFC 6749 section 2.3.1)."""
    pair = f"{quote_plus(client_id)}:{quote_plus(client_secret.get_secret_value())}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def _audience(token: str) -> Any:
    """Read `aud` of a token that came from the token endpoint itself, so that its signature adds nothing."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return claims.get("aud")
    except (IndexError, binascii.Error, ValueError, AttributeError):
        return None
