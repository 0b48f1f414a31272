"""Liveness and readiness, for orchestrators and for people.

Live: the process answers. Ready: it could serve a call now. That needs the issuer's metadata and keys, a Nextcloud that
is up and not in maintenance, and in exchange mode a Keycloak that accepts this server as a client. Anybody may ask, so
the answer names no address; the log does.
"""

import httpx
import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from nextcloud_mcp.auth.credentials import PassThrough, TokenExchange
from nextcloud_mcp.auth.issuer import Issuer
from nextcloud_mcp.connections import cause_of
from nextcloud_mcp.errors import IssuerUnavailableError, NextcloudMCPError

log = structlog.get_logger()


def health_routes(
    issuer: Issuer, credentials: PassThrough | TokenExchange, nextcloud: httpx.AsyncClient
) -> list[Route]:
    """Return the routes `/health/live` and `/health/ready`."""

    async def live(_: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    async def ready(_: Request) -> JSONResponse:
        checks = {
            "issuer": await _issuer(issuer),
            "client": await _client(credentials),
            "nextcloud": await _nextcloud(nextcloud),
        }
        ok = set(checks.values()) == {"ok"}
        return JSONResponse({"status": "ok" if ok else "unavailable", "checks": checks}, 200 if ok else 503)

    return [Route("/health/live", live), Route("/health/ready", ready)]


async def _issuer(issuer: Issuer) -> str:
    try:
        await issuer.metadata()
    except IssuerUnavailableError:
        return "unavailable"  # the issuer's own event says more
    return "ok"


async def _client(credentials: PassThrough | TokenExchange) -> str:
    try:
        await credentials.check()
    except IssuerUnavailableError:
        return "unknown"
    except NextcloudMCPError as error:
        log.warning("health.client_refused", code=error.code, reason=error.reason)
        return "refused"
    return "ok"


async def _nextcloud(http: httpx.AsyncClient) -> str:
    """Ask `status.php`, which needs no sign-in and tells of maintenance."""
    try:
        response = await http.get("/status.php")
        status = response.raise_for_status().json()
    except (httpx.HTTPError, ValueError) as error:
        url = str(http.base_url)
        log.warning("health.nextcloud_unavailable", url=url, error=type(error).__name__, cause=cause_of(error))
        return "unavailable"
    if not isinstance(status, dict) or status.get("installed") is not True:
        return "not installed"
    return "in maintenance" if status.get("maintenance") else "ok"
