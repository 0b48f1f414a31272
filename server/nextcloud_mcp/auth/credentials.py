"""Get the token for Nextcloud: pass the caller's token through, or exchange it for each call (RFC 8693).

There is no fallback: if the exchange fails, the call fails.
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

NO_TOKEN: Final = "no-token-only-a-check-of-the-client"  # noqa: S105 - not a secret
"""The subject token of a test exchange, which Keycloak must reject."""

CHECK_INTERVAL: Final = 30.0
"""Seconds before a rejected client is checked again: each check leaves an error event in Keycloak."""

log = structlog.get_logger()


class Credentials(Protocol):
    """Gets tokens for Nextcloud; each mode has an implementation."""

    async def for_nextcloud(self, principal: Principal) -> str:
        """Return the bearer token for the Nextcloud requests of one call."""
        ...


class CheckedCredentials(Credentials, Protocol):
    """Gets tokens, and can check this server's client at Keycloak."""

    async def check(self) -> None:
        """Raise `TokenExchangeError` if Keycloak rejects this server's client."""
        ...


class PassThrough:
    """Passes the caller's validated token through."""

    async def for_nextcloud(self, principal: Principal) -> str:
        """Return the caller's token; `TokenVerifier` has checked that its audience includes Nextcloud.

        Raises:
            InvalidTokenError: the token has expired, and Nextcloud allows no leeway. The HTTP 401 makes the client
                refresh its token, whereas a 401 from Nextcloud would only show a failed call.
        """
        if principal.expires_at < time.time():
            raise InvalidTokenError("The token has expired", "refresh it or sign in again")
        return principal.token

    async def check(self) -> None:
        """Do nothing: in this mode, this server needs no client in Keycloak."""


class _Issued(BaseModel):
    """A successful token response (RFC 8693 section 2.2.1); other fields are ignored."""

    access_token: str
    issued_token_type: str = ACCESS_TOKEN_TYPE
    token_type: str


class _Refusal(BaseModel):
    """An error response of the token endpoint (RFC 6749 section 5.2)."""

    error: str
    error_description: str = ""


@dataclass(frozen=True)
class _KnownRefusal:
    """Why Keycloak rejected this client, what the file contained then, and when to check again."""

    error: TokenExchangeError | SubjectTokenRefusedError
    clients: Sequence[ClientAuthentication]
    expires_at: float


class TokenExchange:
    """Exchanges the caller's token for one whose only audience is Nextcloud, once per call.

    It caches no token; `exchange_cache.ExchangeCache` does, if the administrator wants that.
    """

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

        A request without an answer is not retried: Keycloak may already have issued a token, updated the user's session
        and logged an event. So each call causes at most one exchange, whatever the network does.

        Raises:
            SubjectTokenRefusedError: Keycloak no longer accepts the principal's token.
            TokenExchangeError: the exchange failed otherwise; contains Keycloak's answer and what to do.
        """
        response = await self._post(principal.token)
        if response.status_code != httpx.codes.OK:
            raise self._refused(response)
        try:
            issued = _Issued.model_validate_json(response.content)
        except ValidationError:
            # not chained: the error's text quotes the response, which contains the token
            raise TokenExchangeError(
                "Keycloak's token endpoint answered with something that is no token response",
                "check OIDC_DISCOVERY_URL, and that nothing rewrites answers in between",
            ) from None
        self._check(issued)
        return issued.access_token

    async def check(self) -> None:
        """Check the client with an exchange that must fail: Keycloak checks the client before the subject token.

        After Keycloak has accepted the client, it is not checked again until it is rejected in a call. A rejected
        client is checked again after `CHECK_INTERVAL`, or when the content of the file has changed.

        Raises:
            TokenExchangeError: Keycloak rejects the client, or is unreachable.
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
        """Send the exchange; if client authentication fails, try each other secret or key in the file once."""
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
        """Return the error for a failed exchange, with advice for the person who can fix it."""
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
        """Return how to fix a rejection that the caller did not cause.

        401 means that client authentication failed (RFC 6749 section 5.2). Keycloak returns `unauthorized_client` for a
        wrong secret, and `invalid_client` for a disabled or missing client. Only the description tells apart other
        problems with the client, or with 400, its assertion.
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
        """Refuse a token that is not only for Nextcloud: the realm is misconfigured, and the call must fail."""
        if issued.token_type.lower() != "bearer" or issued.issued_token_type != ACCESS_TOKEN_TYPE:
            raise TokenExchangeError(
                "Keycloak answered the exchange with a token of type {token_type!r}",
                "the administrator must let it issue bearer access tokens",
                token_type=issued.token_type,
            )
        audience = claims_of(issued.access_token).get("aud")
        if audience not in (self._audience, [self._audience]):
            raise TokenExchangeError(
                "Keycloak exchanged the token for one with the audience {audience!r} in place of {wanted!r} alone",
                "the administrator must correct the scopes of the client {client}",
                audience=audience,
                wanted=self._audience,
                client=self._client_id,
            )


def _refusal(response: httpx.Response) -> _Refusal | None:
    """Return the error response, or None if the body is not one."""
    try:
        return _Refusal.model_validate_json(response.content)
    except ValidationError:
        return None


def _is_client_authentication_error(response: httpx.Response) -> bool:
    """Return whether this server's secret or key may be wrong: 401, or 400 for an assertion (RFC 7523 section 3.2)."""
    if response.status_code == httpx.codes.UNAUTHORIZED:
        return True
    refusal = _refusal(response) if response.status_code == httpx.codes.BAD_REQUEST else None
    return refusal is not None and refusal.error == "invalid_client"


def _is_subject_token_error(refusal: _Refusal) -> bool:
    """Return whether signing in again would help.

    RFC 8693 section 2.2.2 specifies `invalid_request` for a bad subject token and for other bad requests, so the
    description decides. Keycloak's is the same whatever ended the token: sign-out, the account, consent, the client, a
    not-before policy, expiry, a removed key (tests/e2e/test_sessions.py). Other issuers use the other codes.
    """
    return refusal.error in {"invalid_token", "invalid_grant"} or (
        refusal.error == "invalid_request" and refusal.error_description == "Invalid token"
    )


def account_with(token: str, principal: Principal) -> tuple[str, str, str]:
    """Return the principal's account with the user name from the token for Nextcloud.

    Keycloak writes the current user name into an exchanged token. The caller's token may be older than a change of the
    name.
    """
    issuer, subject, username = principal.account
    present = claims_of(token).get("preferred_username")
    return (issuer, subject, present if isinstance(present, str) else username)


def expiry_of(token: str) -> float:
    """Return `exp` of an exchanged token, in seconds since the epoch; 0 if it has none."""
    expires_at = claims_of(token).get("exp")
    return expires_at if isinstance(expires_at, int | float) else 0


def claims_of(token: str) -> dict[str, Any]:
    """Return the claims without verifying the signature: the token endpoint issued the token, or it is verified."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, binascii.Error, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}
