"""What a client is told when it may not pass: RFC 6750 section 3, and RFC 9728 for where to sign in.

Every challenge names the protected resource metadata and the scopes to ask for, so that a client which knows
nothing but this server's URL can sign in by itself.
"""

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.responses import JSONResponse

from nextcloud_mcp.errors import InsufficientScopeError, InvalidTokenError, IssuerUnavailableError

WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"

RETRY_AFTER: Final = 5
"""Seconds after which a client may ask again when Keycloak can't be reached."""


class Challenge:
    """Writes the refusals of one protected resource."""

    def __init__(self, resource: str, *, server_scope: str, tool_scopes: Iterable[str]) -> None:
        """Describe the resource by its URL, the scope that makes a token meant for it, and its tools' scopes."""
        parts = urlsplit(resource)
        self._resource = resource
        self._server_scope = server_scope
        self.scopes: Final = [server_scope, *tool_scopes]
        self.metadata_path: Final = f"{WELL_KNOWN}{parts.path}"
        self.metadata_url: Final = f"{parts.scheme}://{parts.netloc}{self.metadata_path}"

    def metadata(self, issuer: str) -> dict[str, Any]:
        """Return the protected resource metadata document (RFC 9728 section 2)."""
        return {
            "resource": self._resource,
            "resource_name": "Nextcloud",
            "authorization_servers": [issuer],
            "scopes_supported": self.scopes,
            "bearer_methods_supported": ["header"],
        }

    def token_required(self) -> JSONResponse:
        """Answer a request without a bearer token: no error code, for there was no error (RFC 6750 section 3.1)."""
        return self._response(401, {}, self.scopes, "Sign in: this server needs a bearer token.")

    def invalid_token(self, error: InvalidTokenError) -> JSONResponse:
        """Answer a token that is not acceptable."""
        return self._response(401, {"error": "invalid_token"}, self.scopes, str(error))

    def invalid_request(self, description: str) -> JSONResponse:
        """Answer a request that carries credentials in a way that can't be understood."""
        return self._response(400, {"error": "invalid_request"}, self.scopes, description)

    def insufficient_scope(self, error: InsufficientScopeError) -> JSONResponse:
        """Answer a genuine token without the tool's scope; asks for what it holds besides what it lacks.

        A client replaces its token by what it asks for (MCP authorization, "Scope Challenge Handling"), so a
        challenge with the missing scope alone would take the others away.
        """
        scopes = [self._server_scope, *sorted({*error.granted, *error.missing} & {*self.scopes[1:]})]
        return self._response(403, {"error": "insufficient_scope"}, scopes, str(error))

    def issuer_unavailable(self, error: IssuerUnavailableError) -> JSONResponse:
        """Answer when the token can't be checked: 503, for a 401 would make the client throw a good token away."""
        return JSONResponse(
            {"error": "temporarily_unavailable", "error_description": str(error)},
            status_code=503,
            headers={"Retry-After": str(RETRY_AFTER)},
        )

    def _response(self, status: int, error: dict[str, str], scopes: list[str], description: str) -> JSONResponse:
        parameters = dict(error)
        if error:
            parameters["error_description"] = description
        parameters |= {"scope": " ".join(scopes), "resource_metadata": self.metadata_url}
        return JSONResponse(
            {**error, "error_description": description},
            status_code=status,
            headers={"WWW-Authenticate": "Bearer " + ", ".join(f'{k}="{_quotable(v)}"' for k, v in parameters.items())},
        )


def _quotable(text: str) -> str:
    """Reduce text to what RFC 6750 section 3 allows between the quotes of a parameter."""
    return "".join(c for c in text.replace('"', "'").replace("\\", "/") if " " <= c <= "~")
