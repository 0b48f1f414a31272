"""ASGI middleware: require a valid bearer token for this server (RFC 6750)."""

import structlog
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from nextcloud_mcp.auth.challenge import Challenge
from nextcloud_mcp.auth.verifier import Principal, TokenVerifier
from nextcloud_mcp.errors import InvalidTokenError, IssuerUnavailableError

log = structlog.get_logger()


class BearerAuth:
    """Verifies the token and stores the principal in the request's state."""

    def __init__(self, app: ASGIApp, *, verifier: TokenVerifier, challenge: Challenge) -> None:
        self._app = app
        self._verifier = verifier
        self._challenge = challenge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with its principal, or refuse it."""
        answer = await self._authenticate(scope)
        if isinstance(answer, Response):
            await answer(scope, receive, send)
            return
        scope.setdefault("state", {})["principal"] = answer
        await self._app(scope, receive, send)

    async def _authenticate(self, scope: Scope) -> Principal | Response:
        """Return the principal, or the error response."""
        credentials = Headers(scope=scope).getlist("authorization")
        if len(credentials) > 1:
            return self._challenge.invalid_request("Send one Authorization header, not several.")
        scheme, _, token = credentials[0].partition(" ") if credentials else ("", "", "")
        if scheme.lower() != "bearer":
            return self._challenge.token_required()
        try:
            return await self._verifier.verify(token.strip())
        except InvalidTokenError as error:
            log.info("token.refused", **error.log_fields)
            return self._challenge.invalid_token(error)
        except IssuerUnavailableError as error:
            log.warning("token.not_checked", **error.log_fields)
            return self._challenge.issuer_unavailable(error)
