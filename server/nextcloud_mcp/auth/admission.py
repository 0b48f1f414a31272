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
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nextcloud_mcp.auth.challenge import Challenge
from nextcloud_mcp.auth.credentials import Credentials
from nextcloud_mcp.auth.scopes import TOOL_SCOPES, missing_scopes
from nextcloud_mcp.auth.verifier import Principal
from nextcloud_mcp.errors import (
    InsufficientScopeError,
    IssuerUnavailableError,
    SubjectTokenRefusedError,
    TokenExchangeError,
)

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


class AdmissionControl:
    """Admits calls of tools; all else that MCP knows passes untouched, for it reaches no Nextcloud."""

    def __init__(self, app: ASGIApp, *, credentials: Credentials, challenge: Challenge) -> None:
        self._app = app
        self._credentials = credentials
        self._challenge = challenge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, a tool call with its admission, or refuse it."""
        request = Request(scope, receive)
        body = await request.body()
        tool = _called_tool(body)
        if tool is not None:
            answer = await self._admit(tool, request.state.principal)
            if isinstance(answer, Response):
                await answer(scope, receive, send)
                return
            request.state.admission = answer
        await self._app(scope, _replayed(body, receive), send)

    async def _admit(self, tool: str, principal: Principal) -> Admission | Response:
        """Check the scope first, so that a call which must not run costs Keycloak nothing."""
        missing = missing_scopes(tool, principal.scopes)
        if missing:
            log.info("tool.refused", tool=tool, missing=sorted(missing), client=principal.client_id)
            return self._challenge.insufficient_scope(
                InsufficientScopeError(tool, granted=principal.scopes, missing=missing)
            )
        try:
            return Admission(tool, principal, await self._credentials.for_nextcloud(principal))
        except SubjectTokenRefusedError as error:
            return self._challenge.invalid_token(error)
        except IssuerUnavailableError as error:
            return self._challenge.issuer_unavailable(error)
        except TokenExchangeError as error:
            return Admission(tool, principal, error)


def _called_tool(body: bytes) -> str | None:
    """Return the name of the tool that a JSON-RPC body calls, if it is one of ours."""
    try:
        message: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None  # the SDK answers what is not JSON
    if not isinstance(message, Mapping) or message.get("method") != "tools/call":
        return None
    params = message.get("params")
    name = params.get("name") if isinstance(params, Mapping) else None
    return name if isinstance(name, str) and name in TOOL_SCOPES else None


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Hand the body that was read here on to the next application, then whatever else comes."""
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return pending.pop() if pending else await receive()

    return replay
