"""With which token a call goes on to Nextcloud: the caller's own, or one exchanged for this call (RFC 8693).

There is no third way and no way back: where exchange is chosen and fails, the call fails.
"""

import base64
import binascii
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import httpx
import structlog
from pydantic import BaseModel, ValidationError

from nextcloud_mcp.auth.client import ClientAuthentication
from nextcloud_mcp.auth.issuer import Issuer
from nextcloud_mcp.auth.verifier import Principal
from nextcloud_mcp.errors import InvalidTokenError, SettingsError, SubjectTokenRefusedError, TokenExchangeError
from nextcloud_mcp.metrics import UPSTREAM_SECONDS

GRANT_TYPE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN_TYPE: Final = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a type's name

NO_TOKEN: Final = "no-token-only-a-check-of-the-client"  # noqa: S105 - it is no secret
"""The subject token of an exchange that must fail."""

CHECK_INTERVAL: Final = 30.0
"""Seconds for which a refusal of this server is not checked again: each check leaves an error event in Keycloak."""

log = structlog.get_logger()


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
            raise InvalidTokenError("The token has expired", "refresh it or sign in again")
        return principal.token

    async def check(self) -> None:
        """Ask nothing: in this mode Keycloak need not know this server as a client."""


class _Issued(BaseModel):
    """A successful answer of the token endpoint (RFC 8693 section 2.2.1); anything else in it is not read."""

    access_token: str
    issued_token_type: str = ACCESS_TOKEN_TYPE
    token_type: str


class _Refusal(BaseModel):
    """An error answer of the token endpoint (RFC 6749 section 5.2)."""

    error: str
    error_description: str = ""


@dataclass(frozen=True)
class _KnownRefusal:
    """Why Keycloak refused this server, what the file had then, and until when that is not asked again."""

    error: TokenExchangeError | SubjectTokenRefusedError
    clients: Sequence[ClientAuthentication]
    expires_at: float


class TokenExchange:
    """One exchange a call: the caller's token for one whose only audience is Nextcloud. Nothing is kept."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        issuer: Issuer,
        *,
        client_id: str,
        client: ClientAuthentication,
        audience: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = http
        self._clock = clock
        self._issuer = issuer
        self._client_id = client_id
        self._client = client
        self._audience = audience
        self._accepted = False
        self._refusal: _KnownRefusal | None = None

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
                "Keycloak's token endpoint answered with something that is no token response",
                "check OIDC_DISCOVERY_URL, and that nothing rewrites answers in between",
            ) from None
        self._check(issued)
        return issued.access_token

    async def check(self) -> None:
        """Ask for an exchange that must fail, for Keycloak looks at the client before it looks at the subject token.

        Once Keycloak has accepted this server it is not asked again, until it refuses it in a call. What it refused is
        asked again every `CHECK_INTERVAL`, or when the file has something else.

        Raises:
            TokenExchangeError: Keycloak refuses it, or can't be asked.
        """
        if self._accepted:
            return
        known = self._refusal
        if known is not None and self._clock() < known.expires_at and self._reloaded() == known.clients:
            raise known.error
        response = await self._post(NO_TOKEN)
        refusal = _refusal(response)
        if refusal is not None and _is_subject_token_error(refusal):
            self._accepted, self._refusal = True, None
            log.info("client.accepted", client=self._client_id)
            return
        error = self._refused(response)
        if refusal is not None:
            self._refusal = _KnownRefusal(error, self._reloaded(), self._clock() + CHECK_INTERVAL)
        raise error

    async def _post(self, subject_token: str) -> httpx.Response:
        """Ask once; if Keycloak refuses this server itself, once more with each other proof that the file has now."""
        used = self._client
        response = await self._send(subject_token, used)
        if not _is_client_authentication_error(response):
            return response
        clients = self._reloaded()
        for client in clients:
            if client == used:
                continue
            other = await self._send(subject_token, client)
            if not _is_client_authentication_error(other):
                self._client = client
                return other
        self._client, self._accepted = clients[0], False
        return response

    def _reloaded(self) -> Sequence[ClientAuthentication]:
        try:
            return self._client.reload()
        except SettingsError as error:
            raise TokenExchangeError(
                "Keycloak refuses this server's credentials; the administrator must give it new ones",
                "{problem}",
                problem=error.cause,
            ) from error

    async def _send(self, subject_token: str, client: ClientAuthentication) -> httpx.Response:
        metadata = await self._issuer.metadata()
        proof = client.authenticate(self._client_id, metadata.issuer)
        try:
            with UPSTREAM_SECONDS.labels("keycloak").time():
                return await self._http.post(
                    metadata.token_endpoint,
                    headers=proof.headers,
                    data={
                        "grant_type": GRANT_TYPE,
                        "subject_token": subject_token,
                        "subject_token_type": ACCESS_TOKEN_TYPE,
                        "requested_token_type": ACCESS_TOKEN_TYPE,
                        "audience": self._audience,
                        **proof.form,
                    },
                )
        except httpx.HTTPError as error:
            raise TokenExchangeError(
                "Keycloak can't be reached for the token exchange ({failure})",
                "try again shortly",
                failure=type(error).__name__,
            ) from error

    def _refused(self, response: httpx.Response) -> TokenExchangeError | SubjectTokenRefusedError:
        """Turn Keycloak's refusal into an error that says who has to do what."""
        refusal = _refusal(response)
        if refusal is None:
            return TokenExchangeError(
                "Keycloak failed at the token exchange with HTTP {status}",
                "try again shortly, and look into Keycloak's log if it stays so",
                status=response.status_code,
            )
        answer = f"{refusal.error}: {refusal.error_description}" if refusal.error_description else refusal.error
        if _is_subject_token_error(refusal):
            return SubjectTokenRefusedError(
                "Keycloak no longer honours this token (it answered {answer!r})", "sign in again", answer=answer
            )
        return TokenExchangeError(
            "Keycloak refused to exchange the token (it answered {answer!r})",
            "{advice}",
            answer=answer,
            advice=self._advice(response.status_code, refusal),
        )

    def _advice(self, status: int, refusal: _Refusal) -> str:
        """Say what mends a refusal that is not the caller's fault.

        401 is about this server's own client (RFC 6749 section 5.2): in Keycloak `unauthorized_client` for a wrong
        secret, `invalid_client` for one that is disabled or missing. What else is wrong with the client or, with
        400, with its assertion, differs in its description alone.
        """
        this_client = (
            f"the administrator must see that the client {self._client_id} is enabled in Keycloak, "
            f"and {self._client.advice}"
        )
        if status == httpx.codes.UNAUTHORIZED:
            return this_client
        otherwise = "the administrator must look into Keycloak's log"
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
        }.get(refusal.error_description, this_client if refusal.error == "invalid_client" else otherwise)

    def _check(self, issued: _Issued) -> None:
        """Refuse a token that opens more than Nextcloud; the realm is wrong then, and the call must not go on."""
        if issued.token_type.lower() != "bearer" or issued.issued_token_type != ACCESS_TOKEN_TYPE:
            raise TokenExchangeError(
                "Keycloak answered the exchange with a token of type {token_type!r}",
                "the administrator must let it issue bearer access tokens",
                token_type=issued.token_type,
            )
        audience = _claims(issued.access_token).get("aud")
        if audience not in (self._audience, [self._audience]):
            raise TokenExchangeError(
                "Keycloak exchanged the token for one with the audience {audience!r} in place of {wanted!r} alone",
                "the administrator must correct the scopes of the client {client}",
                audience=audience,
                wanted=self._audience,
                client=self._client_id,
            )


def _refusal(response: httpx.Response) -> _Refusal | None:
    """Return what Keycloak answered, or None where it is no answer of a token endpoint."""
    try:
        return _Refusal.model_validate_json(response.content)
    except ValidationError:
        return None


def _is_client_authentication_error(response: httpx.Response) -> bool:
    """Say whether it may be this server's own secret or key: 401, or 400 for an assertion (RFC 7523 section 3.2)."""
    if response.status_code == httpx.codes.UNAUTHORIZED:
        return True
    refusal = _refusal(response) if response.status_code == httpx.codes.BAD_REQUEST else None
    return refusal is not None and refusal.error == "invalid_client"


def _is_subject_token_error(refusal: _Refusal) -> bool:
    """Say whether signing in again would help.

    RFC 8693 section 2.2.2 has `invalid_request` for a bad subject token as for any bad request, so the words must
    tell. Keycloak's are the same whatever ended the token: sign-out, the account, consent, the client, a not-before,
    time, a key that is gone (tests/e2e/test_sessions.py). The other codes are what other issuers say.
    """
    return refusal.error in {"invalid_token", "invalid_grant"} or (
        refusal.error == "invalid_request" and refusal.error_description == "Invalid token"
    )


def account_with(token: str, principal: Principal) -> tuple[str, str, str]:
    """Return the principal's account, with the user name that the token for Nextcloud has.

    Keycloak writes the present name into a token that it exchanges; the caller's own may have been issued before the
    name was changed.
    """
    issuer, subject, username = principal.account
    present = _claims(token).get("preferred_username")
    return (issuer, subject, present if isinstance(present, str) else username)


def _claims(token: str) -> dict[str, Any]:
    """Read a token that came from the token endpoint itself, so that its signature adds nothing."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, binascii.Error, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}
