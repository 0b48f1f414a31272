"""With which token a call goes on to Nextcloud: the caller's own, or one exchanged for this call (RFC 8693).

There is no third way and no way back: where exchange is chosen and fails, the call fails.
"""

import base64
import binascii
import json
import time
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import quote_plus

import httpx
from pydantic import BaseModel, SecretStr, ValidationError

from nextcloud_mcp.auth.issuer import Issuer
from nextcloud_mcp.auth.verifier import Principal
from nextcloud_mcp.errors import InvalidTokenError, SettingsError, SubjectTokenRefusedError, TokenExchangeError
from nextcloud_mcp.settings import read_secret

GRANT_TYPE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN_TYPE: Final = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a type's name


class Credentials(Protocol):
    """The seam between the two modes."""

    async def for_nextcloud(self, principal: Principal) -> str:
        """Return the bearer token to present to Nextcloud in this one call."""
        ...


class PassThrough:
    """The caller's validated token, as it is."""

    async def for_nextcloud(self, principal: Principal) -> str:
        """Return the caller's token; `TokenVerifier` has seen that it names Nextcloud as audience.

        Raises:
            InvalidTokenError: it has expired. Nextcloud allows no leeway, and its 401 would come when the caller,
                whom an HTTP 401 makes refresh, can only be shown a failed call.
        """
        if principal.expires_at < time.time():
            raise InvalidTokenError("The token has expired: refresh it or sign in again.")
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


class ClientSecret:
    """The secret of this server's client, and the file that has the next one.

    The file is read again only when Keycloak has refused the secret, not for each exchange: so the new secret can
    be put there first, the old one works until Keycloak changes, and no call fails in between.
    """

    def __init__(self, value: SecretStr, file: Path | None = None) -> None:
        self._value = value
        self._file = file

    def basic(self, client_id: str) -> str:
        """Return HTTP Basic client authentication; both parts are form-encoded first (RFC 6749 section 2.3.1)."""
        pair = f"{quote_plus(client_id)}:{quote_plus(self._value.get_secret_value())}"
        return f"Basic {base64.b64encode(pair.encode()).decode()}"

    def read_again(self) -> None:
        """Take what the file holds now, if there is one.

        Raises:
            TokenExchangeError: it can't be read.
        """
        if self._file is None:
            return
        try:
            self._value = SecretStr(read_secret("OIDC_CLIENT_SECRET_FILE", self._file))
        except SettingsError as error:
            raise TokenExchangeError(
                f"Keycloak refuses this server's secret; the administrator must give it a new one: {error}"
            ) from error

    @property
    def advice(self) -> str:
        """What an administrator does when Keycloak refuses the secret."""
        if self._file is None:
            return "set OIDC_CLIENT_SECRET to its present secret and restart this server"
        return f"write its present secret into {self._file}, which the next call reads"


class TokenExchange:
    """One exchange a call: the caller's token for one whose only audience is Nextcloud. Nothing is kept."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        issuer: Issuer,
        *,
        client_id: str,
        client_secret: ClientSecret,
        audience: str,
    ) -> None:
        self._http = http
        self._issuer = issuer
        self._client_id = client_id
        self._client_secret = client_secret
        self._audience = audience

    async def for_nextcloud(self, principal: Principal) -> str:
        """Exchange the principal's token.

        A request that got no answer is not repeated: Keycloak may have done it, and has then issued a token,
        touched the user's session and written an event. One call is to be one exchange there, whatever the
        network does.

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
        """Ask once; and once more if Keycloak refuses this server's own secret, and the file has another by now."""
        used = self._client_secret.basic(self._client_id)
        response = await self._send(subject_token, used)
        if response.status_code != httpx.codes.UNAUTHORIZED:
            return response
        self._client_secret.read_again()
        present = self._client_secret.basic(self._client_id)
        return response if present == used else await self._send(subject_token, present)

    async def _send(self, subject_token: str, authorization: str) -> httpx.Response:
        token_endpoint = (await self._issuer.metadata()).token_endpoint
        try:
            return await self._http.post(
                token_endpoint,
                headers={"Authorization": authorization},
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
        answer = f"{refusal.error}: {refusal.error_description}" if refusal.error_description else refusal.error
        if _blames_the_subject_token(refusal):
            return SubjectTokenRefusedError(
                f"Keycloak no longer honours this token (it answered {answer!r}): sign in again."
            )
        return TokenExchangeError(
            f"Keycloak refused to exchange the token (it answered {answer!r}): "
            f"{self._advice(response.status_code, refusal)}."
        )

    def _advice(self, status: int, refusal: _Refusal) -> str:
        """Say what mends a refusal that is not the caller's fault.

        401 is about this server's own client (RFC 6749 section 5.2): in Keycloak `unauthorized_client` for a wrong
        secret, `invalid_client` for one that is disabled or missing. The rest differs in its description alone.
        """
        if status == httpx.codes.UNAUTHORIZED:
            return (
                f"the administrator must see that the client {self._client_id} is enabled in Keycloak, "
                f"and {self._client_secret.advice}"
            )
        return {
            "Standard token exchange is not enabled for the requested client": "the administrator must enable token "
            f"exchange for the client {self._client_id}",
            "Client is not within the token audience": "the token must name this server's client as audience; sign in "
            "with the scope that this server asks for",
            f"Requested audience not available: {self._audience}": "the administrator must give the client "
            f"{self._client_id} the scope that adds the audience {self._audience}",
            "Request not allowed": "the administrator must give the client "
            f"{self._client_id} the default scope that the realm's policies ask for",
            "Client disabled": f"the administrator must enable the client {self._audience} in Keycloak",
        }.get(refusal.error_description, "the administrator must look into Keycloak's log")

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


def _blames_the_subject_token(refusal: _Refusal) -> bool:
    """Say whether signing in again would help.

    RFC 8693 section 2.2.2 has `invalid_request` for a bad subject token as for any bad request, so the words must
    tell. Keycloak's are the same whatever ended the token: sign-out, the account, consent, the client, a not-before,
    time, a key that is gone (tests/e2e/test_sessions.py). The other codes are what other issuers say.
    """
    return refusal.error in {"invalid_token", "invalid_grant"} or (
        refusal.error == "invalid_request" and refusal.error_description == "Invalid token"
    )


def _audience(token: str) -> Any:
    """Read `aud` of a token that came from the token endpoint itself, so that its signature adds nothing."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return claims.get("aud")
    except (IndexError, binascii.Error, ValueError, AttributeError):
        return None
