"""Error responses for refused requests: RFC 6750 section 3, and RFC 9728 for where to sign in.

Every challenge contains the URL of the protected resource metadata and the scopes to request. So a client that knows
only this server's URL can sign in. The bodies are JSON-RPC errors: OAuth clients read the headers, and MCP clients show
the body to people and models.
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
"""Seconds after which a client may retry when Keycloak is unreachable."""

ERROR_CODE: Final = -32050
"""A code from the range for implementation-defined server errors (JSON-RPC 2.0 section 5.1)."""

RequestId = str | int | None
"""The `id` of the JSON-RPC request; None if the body has not been read."""


class Challenge:
    """Builds the error responses of one protected resource."""

    def __init__(
        self, resource: str, *, server_scope: str, tool_scopes: Iterable[str], first_scopes: Iterable[str]
    ) -> None:
        """Describe the resource.

        Args:
            resource: its URL.
            server_scope: the client scope that adds this server to `aud`.
            tool_scopes: all scopes of its tools.
            first_scopes: the tool scopes that a client requests when it first signs in.
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
        """Return 401 without an error code for a request without a bearer token (RFC 6750 section 3.1)."""
        return self._response(401, None, self._first_scopes, "Sign in: this server needs a bearer token.")

    def invalid_token(self, error: InvalidTokenError, request_id: RequestId = None) -> JSONResponse:
        """Return 401 for a token that is not acceptable."""
        return self._response(401, "invalid_token", self._first_scopes, str(error), request_id)

    def invalid_request(self, description: str, request_id: RequestId = None) -> JSONResponse:
        """Return 400 for a malformed request."""
        return self._response(400, "invalid_request", self._first_scopes, description, request_id)

    def insufficient_scope(self, error: InsufficientScopeError, request_id: RequestId = None) -> JSONResponse:
        """Return 403 for a valid token that lacks scopes; the challenge lists the granted and the missing scopes.

        A client replaces its token with one for the challenged scopes (MCP authorization, "Scope Challenge Handling"),
        so a challenge with only the missing scopes would remove the granted ones.
        """
        scopes = ({*error.granted} & self._tool_scopes) | {*error.missing}
        return self._response(403, "insufficient_scope", scopes, str(error), request_id)

    def issuer_unavailable(self, error: IssuerUnavailableError, request_id: RequestId = None) -> JSONResponse:
        """Return 503 if the token can't be checked, because a 401 would make the client discard a valid token."""
        return JSONResponse(
            _body(str(error), "temporarily_unavailable", request_id),
            status_code=503,
            headers={"Retry-After": str(RETRY_AFTER)},
        )

    def limit_exceeded(self, error: TooManyCallsError | OverloadedError) -> JSONResponse:
        """Return 429 for a request beyond the user's limits (RFC 6585), or 503 beyond the server's (RFC 9110)."""
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
    """Return a JSON-RPC error (JSON-RPC 2.0 section 5.1) with the OAuth error code in `data`."""
    data = {"data": {"error": error}} if error else {}
    return {"jsonrpc": "2.0", "id": request_id, "error": {"code": ERROR_CODE, "message": message, **data}}


def _quotable(text: str) -> str:
    """Replace or remove characters that RFC 6750 section 3 does not allow in a quoted parameter value."""
    return "".join(c for c in text.replace('"', "'").replace("\\", "/") if " " <= c <= "~")
