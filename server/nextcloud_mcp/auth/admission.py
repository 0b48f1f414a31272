"""ASGI middleware: may this principal call this tool, and with which token does the call go on to Nextcloud?

Both questions are answered before the MCP SDK sees the request, because only then can the HTTP status still be
chosen: 403 `insufficient_scope` lets a client step up, and 401 lets it sign in again when Keycloak no longer
honours its token. Any other failed exchange is kept for the tool to report, as MCP clients show tool errors.

What was decided travels in the request's state as an `Admission`, and a tool runs only under an admission that
names it: a request that the SDK understood otherwise than we did here could not slip past.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from mcp.server.transport_security import DEFAULT_MAX_REQUEST_BODY_SIZE, RequestBodyLimitMiddleware
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nextcloud_mcp.auth.challenge import Challenge, RequestId
from nextcloud_mcp.auth.credentials import Credentials
from nextcloud_mcp.auth.scopes import TOOL_SCOPES, missing_scopes
from nextcloud_mcp.auth.verifier import Principal
from nextcloud_mcp.errors import (
    InsufficientScopeError,
    InvalidTokenError,
    IssuerUnavailableError,
    NextcloudMCPError,
    TokenExchangeError,
)

_POST_ALONE: Final = Response(status_code=405, headers={"Allow": "POST"})
"""There is no stream to open and no session to end (MCP, "Streamable HTTP"): a GET would wait for nothing, and
outlive its token."""

log = structlog.get_logger()


@dataclass(frozen=True)
class Admission:
    """One call of one tool by one principal, and the token for Nextcloud: or why there is none."""

    tool: str
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


@dataclass(frozen=True)
class _Call:
    """A call of one of our tools, as a JSON-RPC body says it."""

    tool: str
    request_id: RequestId


class AdmissionControl:
    """Admits calls of tools; all else that MCP knows passes untouched, for it reaches no Nextcloud."""

    def __init__(self, app: ASGIApp, *, credentials: Credentials, challenge: Challenge) -> None:
        self._app = app
        self._credentials = credentials
        self._challenge = challenge
        self._with_body = RequestBodyLimitMiddleware(self._admit, DEFAULT_MAX_REQUEST_BODY_SIZE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, a tool call with its admission, or refuse it."""
        if scope["method"] != "POST":
            await _POST_ALONE(scope, receive, send)
            return
        named = _tool_in_headers(Headers(scope=scope))
        refusal = self._scope_refusal(_Call(named, None), scope["state"]["principal"]) if named else None
        await (refusal or self._with_body)(scope, receive, send)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Look at the body, which alone decides which tool runs."""
        request = Request(scope, receive)
        try:
            body = await request.body()
        except ClientDisconnect:
            return  # nobody is left to answer
        call = _tool_call(body)
        named = _tool_in_headers(request.headers)
        answer: Admission | Response | None = None
        if named and (call is None or call.tool != named):
            answer = self._challenge.invalid_request(f"The header Mcp-Name says {named}, and the body does not.")
        elif call is not None:
            answer = await self._decide(call, request.state.principal)
        if isinstance(answer, Response):
            await answer(scope, receive, send)
            return
        if answer is not None and await request.is_disconnected():  # while Keycloak was asked
            log.info("tool.cancelled", tool=answer.tool, client=answer.principal.client_id)
            return
        request.state.admission = answer
        try:
            await self._app(scope, _replayed(body, receive), send)
        finally:
            del request.state.admission  # the web server keeps the state until the connection's next request

    async def _decide(self, call: _Call, principal: Principal) -> Admission | Response:
        """Check the scope first, so that a call which must not run costs Keycloak nothing."""
        refusal = self._scope_refusal(call, principal)
        if refusal is not None:
            return refusal
        try:
            return Admission(call.tool, principal, await self._credentials.for_nextcloud(principal))
        except InvalidTokenError as error:
            _log_failure(error, call, principal)
            return self._challenge.invalid_token(error, call.request_id)
        except IssuerUnavailableError as error:
            _log_failure(error, call, principal)
            return self._challenge.issuer_unavailable(error, call.request_id)
        except TokenExchangeError as error:
            return Admission(call.tool, principal, error)

    def _scope_refusal(self, call: _Call, principal: Principal) -> Response | None:
        missing = missing_scopes(call.tool, principal.scopes)
        if not missing:
            return None
        log.info("tool.refused", tool=call.tool, missing=sorted(missing), client=principal.client_id)
        error = InsufficientScopeError(call.tool, granted=principal.scopes, missing=missing)
        return self._challenge.insufficient_scope(error, call.request_id)


def _log_failure(error: NextcloudMCPError, call: _Call, principal: Principal) -> None:
    """Log why a call ends here; any other failed exchange is logged where the tool reports it."""
    log.warning(
        "tool.failed",
        tool=call.tool,
        client=principal.client_id,
        subject=principal.subject,
        code=error.code,
        reason=str(error),
    )


def _tool_in_headers(headers: Headers) -> str | None:
    """Return the tool of ours that the headers name, as MCP 2026-07-28 has it ("Standard Request Headers")."""
    name = headers.get("mcp-name")
    return name if headers.get("mcp-method") == "tools/call" and name in TOOL_SCOPES else None


def _tool_call(body: bytes) -> _Call | None:
    """Return the call of a tool of ours that a JSON-RPC body makes, if it makes one."""
    try:
        message: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None  # the SDK answers what is not JSON
    if not isinstance(message, Mapping) or message.get("method") != "tools/call":
        return None
    params, request_id = message.get("params"), message.get("id")
    name = params.get("name") if isinstance(params, Mapping) else None
    if not isinstance(name, str) or name not in TOOL_SCOPES:
        return None
    return _Call(name, request_id if isinstance(request_id, str | int) else None)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Hand the body that was read here on to the next application, then whatever else comes."""
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return pending.pop() if pending else await receive()

    return replay
