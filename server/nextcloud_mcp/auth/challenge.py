"""What a client is told when it may not pass: RFC 6750 section 3, and RFC 9728 for where to sign in.

Every challenge names the protected resource metadata and the scopes to ask for, so that a client which knows
nothing but this server's URL can sign in by itself. The bodies are JSON-RPC errors: what OAuth needs is in the
headers, and the body is what MCP clients show to people and models.
"""

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.responses import JSONResponse

from nextcloud_mcp.errors import (
    InsufficientScopeError,
    InvalidTokenError,
    IssuerUnavailableError,
    OverloadedError,
    TooManyCallsError,
)

WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"

RETRY_AFTER: Final = 5
"""Seconds after which a client may ask again when Keycloak can't be reached."""

ERROR_CODE: Final = -32050
"""Of the range that JSON-RPC leaves to servers (JSON-RPC 2.0 section 5.1)."""

RequestId = str | int | None
"""The `id` of the JSON-RPC request that is answered; None where it has not been read."""


class Challenge:
    """Writes the refusals of one protected resource."""

    def __init__(
        self, resource: str, *, server_scope: str, tool_scopes: Iterable[str], first_scopes: Iterable[str]
    ) -> None:
        """Describe the resource.

        Args:
            resource: its URL.
            server_scope: the scope that makes a token meant for it.
            tool_scopes: all scopes of its tools.
            first_scopes: those of them that a client is to ask for when it first signs in.
        """
        parts = urlsplit(resource)
        self._resource = resource
        self._server_scope = server_scope
        self._tool_scopes = frozenset(tool_scopes)
        self._first_scopes = frozenset(first_scopes)
        self.metadata_path: Final = f"{WELL_KNOWN}{parts.path}"
        self.metadata_url: Final = f"{parts.scheme}://{parts.netloc}{self.metadata_path}"

    def metadata(self, issuer: str) -> dict[str, Any]:
        """Return the protected resource metadata document (RFC 9728 section 2)."""
        return {
            "resource": self._resource,
            "resource_name": "Nextcloud",
            "authorization_servers": [issuer],
            "scopes_supported": self._scopes(self._tool_scopes),
            "bearer_methods_supported": ["header"],
        }

    def token_required(self) -> JSONResponse:
        """Answer a request without a bearer token: no error code, for there was no error (RFC 6750 section 3.1)."""
        return self._response(401, None, self._first_scopes, "Sign in: this server needs a bearer token.")

    def invalid_token(self, error: InvalidTokenError, request_id: RequestId = None) -> JSONResponse:
        """Answer a token that is not acceptable."""
        return self._response(401, "invalid_token", self._first_scopes, str(error), request_id)

    def invalid_request(self, description: str, request_id: RequestId = None) -> JSONResponse:
        """Answer a request that contradicts itself."""
        return self._response(400, "invalid_request", self._first_scopes, description, request_id)

    def insufficient_scope(self, error: InsufficientScopeError, request_id: RequestId = None) -> JSONResponse:
        """Answer a genuine token without the tool's scope; asks for what it holds besides what it lacks.

        A client replaces its token by what it asks for (MCP authorization, "Scope Challenge Handling"), so a
        challenge with the missing scope alone would take the others away.
        """
        scopes = ({*error.granted} & self._tool_scopes) | {*error.missing}
        return self._response(403, "insufficient_scope", scopes, str(error), request_id)

    def issuer_unavailable(self, error: IssuerUnavailableError, request_id: RequestId = None) -> JSONResponse:
        """Answer when the token can't be checked: 503, for a 401 would make the client throw a good token away."""
        return JSONResponse(
            _body(str(error), "temporarily_unavailable", request_id),
            status_code=503,
            headers={"Retry-After": str(RETRY_AFTER)},
        )

    def try_later(self, error: TooManyCallsError | OverloadedError) -> JSONResponse:
        """Answer a request beyond a limit: 429 for the person's own, 503 for everybody's (RFC 6585, RFC 9110)."""
        return JSONResponse(
            _body(str(error), "temporarily_unavailable", None),
            status_code=429 if isinstance(error, TooManyCallsError) else 503,
            headers={"Retry-After": str(error.retry_after)},
        )

    def _scopes(self, tool_scopes: Iterable[str]) -> list[str]:
        return [self._server_scope, *sorted(tool_scopes)]

    def _response(
        self,
        status: int,
        error: str | None,
        tool_scopes: Iterable[str],
        description: str,
        request_id: RequestId = None,
    ) -> JSONResponse:
        parameters = {"error": error, "error_description": description} if error else {}
        parameters |= {"scope": " ".join(self._scopes(tool_scopes)), "resource_metadata": self.metadata_url}
        challenge = ", ".join(f'{name}="{_quotable(value)}"' for name, value in parameters.items())
        return JSONResponse(
            _body(description, error, request_id),
            status_code=status,
            headers={"WWW-Authenticate": f"Bearer {challenge}"},
        )


def _body(message: str, error: str | None, request_id: RequestId) -> dict[str, Any]:
    """Return a JSON-RPC error (JSON-RPC 2.0 section 5.1) with the OAuth error code as its data."""
    data = {"data": {"error": error}} if error else {}
    return {"jsonrpc": "2.0", "id": request_id, "error": {"code": ERROR_CODE, "message": message, **data}}


def _quotable(text: str) -> str:
    """Reduce text to what RFC 6750 section 3 allows between the quotes of a parameter."""
    return "".join(c for c in text.replace('"', "'").replace("\\", "/") if " " <= c <= "~")
