"""The documents with which a client discovers where to sign in, at every address where clients look for them.

RFC 9728 section 3.1 has one address for the resource metadata: the well-known path before the resource's path. MCP
clients also try it without the resource's path ("Protected Resource Metadata Discovery Requirements", 2025-11-25).

Clients of MCP 2025-03-26 know no resource metadata. They look for the authorization server's metadata (RFC 8414) at the
resource itself, so those addresses redirect to the issuer's own document. It cannot be copied from the cache: this
server may know Keycloak by an internal address, and then its copy has internal endpoints.
"""

from collections.abc import Iterable

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from nextcloud_mcp.auth.challenge import WELL_KNOWN, Challenge
from nextcloud_mcp.auth.issuer import Issuer
from nextcloud_mcp.errors import IssuerUnavailableError

log = structlog.get_logger()

_OAUTH = "/.well-known/oauth-authorization-server"
_OPENID = "/.well-known/openid-configuration"


def with_trailing_slash(path: str) -> list[str]:
    """Return the path, and the path with a slash at its end; the server serves both.

    A redirect does not work: several clients drop the body or the token when they follow it.
    """
    return [path] if path.endswith("/") else [path, f"{path}/"]


def well_known_routes(path: str, challenge: Challenge, issuer: Issuer) -> list[Route]:
    """Return the routes of a resource that is served at `path`; none of them needs a token."""
    resource = _unique(each for known in (challenge.metadata_path, WELL_KNOWN) for each in with_trailing_slash(known))
    suffix = path.rstrip("/")
    redirected = _unique((f"{_OAUTH}{suffix}", _OAUTH, f"{_OPENID}{suffix}", _OPENID, f"{suffix}{_OPENID}"))

    async def metadata(_: Request) -> Response:
        try:
            return JSONResponse(challenge.metadata((await issuer.metadata()).issuer))
        except IssuerUnavailableError as error:
            return _unavailable(challenge, error)

    async def redirect(_: Request) -> Response:
        try:
            return RedirectResponse(f"{(await issuer.metadata()).issuer.rstrip('/')}{_OPENID}")
        except IssuerUnavailableError as error:
            return _unavailable(challenge, error)

    return [
        *(Route(address, metadata) for address in resource),
        *(Route(address, redirect) for address in redirected),
    ]


def _unique(paths: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(paths))


def _unavailable(challenge: Challenge, error: IssuerUnavailableError) -> JSONResponse:
    log.warning("metadata.failed", **error.log_fields)
    return challenge.issuer_unavailable(error)
