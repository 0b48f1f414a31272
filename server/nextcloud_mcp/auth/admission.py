"""ASGI middleware: check the scopes of a request and get its token for Nextcloud, before the MCP SDK reads it.

Only before the SDK can the HTTP status still be chosen. 403 `insufficient_scope` lets a client step up, and 401 lets it
sign in again when Keycloak no longer accepts its token. The tool or resource reports any other failed exchange, because
MCP clients show its errors.

The decision is stored in the request's state as an `Admission`. A tool or resource runs only with an `Admission` for
it, so a request that the SDK parses in another way than this module does not run.
"""

from dataclasses import dataclass, field
from typing import Final

import structlog
from mcp.server.transport_security import DEFAULT_MAX_REQUEST_BODY_SIZE, RequestBodyLimitMiddleware
from mcp_types import PARSE_ERROR
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nextcloud_mcp.auth.challenge import Challenge
from nextcloud_mcp.auth.credentials import Credentials, account_with
from nextcloud_mcp.auth.features import Use, feature_in_headers, feature_request_in_body
from nextcloud_mcp.auth.json_size import has_too_many_values
from nextcloud_mcp.auth.scopes import Feature, Offer
from nextcloud_mcp.auth.verifier import Principal
from nextcloud_mcp.errors import (
    InsufficientScopeError,
    InvalidTokenError,
    IssuerUnavailableError,
    NextcloudMCPError,
    TokenExchangeError,
)

_POST_ALONE: Final = Response(status_code=405, headers={"Allow": "POST"})
"""This server has no stream for GET and no session for DELETE (MCP, "Streamable HTTP"). A GET stream would stay empty
and outlive its token."""

_NOT_JSON: Final = JSONResponse(
    {
        "jsonrpc": "2.0",
        "id": None,
        "error": {"code": PARSE_ERROR, "message": "Parse error: send JSON in UTF-8, without half surrogate pairs."},
    },
    status_code=400,
)

log = structlog.get_logger()


@dataclass(frozen=True)
class Admission:
    """One admitted use of a feature: the principal, and the token for Nextcloud or the error of the exchange."""

    feature: Feature
    principal: Principal
    credential: str | TokenExchangeError = field(repr=False)

    def token(self) -> str:
        """Return the token for Nextcloud.

        Raises:
            TokenExchangeError: the exchange failed.
        """
        if isinstance(self.credential, TokenExchangeError):
            raise self.credential
        return self.credential

    @property
    def account(self) -> tuple[str, str, str]:
        """Issuer, subject and user name, which determine the Nextcloud account."""
        if isinstance(self.credential, TokenExchangeError):
            return self.principal.account
        return account_with(self.credential, self.principal)


class AdmissionControl:
    """Checks requests that use a feature of the offer; passes other MCP requests on without an admission."""

    def __init__(self, app: ASGIApp, *, offer: Offer, credentials: Credentials, challenge: Challenge) -> None:
        self._app = app
        self._offer = offer
        self._credentials = credentials
        self._challenge = challenge
        self._with_body = RequestBodyLimitMiddleware(self._admit, DEFAULT_MAX_REQUEST_BODY_SIZE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, with an `Admission` if it uses a feature, or refuse it."""
        if scope["method"] != "POST":
            await _POST_ALONE(scope, receive, send)
            return
        named = feature_in_headers(Headers(scope=scope), self._offer)
        refusal = self._scope_refusal(Use(named, None), scope["state"]["principal"]) if named else None
        await (refusal or self._with_body)(scope, receive, send)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Decide by the body, because the SDK runs what the body says."""
        request = Request(scope, receive)
        try:
            body = await request.body()
        except ClientDisconnect:
            return  # the client has disconnected
        if has_too_many_values(body):
            await self._challenge.invalid_request("The request has too many values: send less at once.")(
                scope, receive, send
            )
            return
        try:
            use = feature_request_in_body(body, self._offer)
        except ValueError:
            await _NOT_JSON(scope, receive, send)
            return
        named = feature_in_headers(request.headers, self._offer)
        answer: Admission | Response | None = None
        if named and (use is None or use.feature != named):
            answer = self._challenge.invalid_request(f"The header Mcp-Name says {named.name}, and the body does not.")
        elif use is not None:
            answer = await self.decide(use, request.state.principal)
        if isinstance(answer, Response):
            await answer(scope, receive, send)
            return
        if answer is not None and await request.is_disconnected():  # during the exchange
            feature = answer.feature
            log.info(feature.event("cancelled"), **feature.label, **answer.principal.log_fields)
            return
        request.state.admission = answer
        try:
            await self._app(scope, _replayed(body, receive), send)
        finally:
            del request.state.admission  # uvicorn would keep it, and the token, until the connection's next request

    async def decide(self, use: Use, principal: Principal) -> Admission | Response:
        """Return the admission of one use, or the response that refuses it.

        The scopes are checked first, so that a refused call sends no request to Keycloak.
        """
        refusal = self._scope_refusal(use, principal)
        if refusal is not None:
            return refusal
        try:
            return Admission(use.feature, principal, await self._credentials.for_nextcloud(principal))
        except InvalidTokenError as error:
            _log_failure(error, use, principal)
            return self._challenge.invalid_token(error, use.request_id)
        except IssuerUnavailableError as error:
            _log_failure(error, use, principal)
            return self._challenge.issuer_unavailable(error, use.request_id)
        except TokenExchangeError as error:
            return Admission(use.feature, principal, error)

    def _scope_refusal(self, use: Use, principal: Principal) -> Response | None:
        missing = self._offer.missing(use.feature, principal.scopes, use.arguments)
        if not missing:
            return None
        feature = use.feature
        log.info(feature.event("refused"), **feature.label, missing=sorted(missing), **principal.log_fields)
        error = InsufficientScopeError(feature.name, granted=principal.scopes, missing=missing)
        return self._challenge.insufficient_scope(error, use.request_id)


def _log_failure(error: NextcloudMCPError, use: Use, principal: Principal) -> None:
    """Log a failure that this module answers; the tool or resource logs other failed exchanges."""
    log.warning(use.feature.event("failed"), **use.feature.label, **principal.log_fields, **error.log_fields)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that first returns the body, which is already read, and then further messages."""
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return pending.pop() if pending else await receive()

    return replay
