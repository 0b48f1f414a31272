"""Liveness and readiness, for orchestrators and for people.

Live: the process answers. Ready: it could serve a call now, which needs the issuer's metadata and keys, and a
Nextcloud that is up and not in maintenance. Anybody may ask, so the answer names no address; the log does.
"""

import httpx
import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from nextcloud_mcp.auth.issuer import Issuer
from nextcloud_mcp.errors import IssuerUnavailableError

log = structlog.get_logger()


def health_routes(issuer: Issuer, nextcloud: httpx.AsyncClient) -> list[Route]:
    """Return the routes `/health/live` and `/health/ready`."""

    async def live(_: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    async def ready(_: Request) -> JSONResponse:
        checks = {"issuer": await _issuer(issuer), "nextcloud": await _nextcloud(nextcloud)}
        ok = set(checks.values()) == {"ok"}
        return JSONResponse({"status": "ok" if ok else "unavailable", "checks": checks}, 200 if ok else 503)

    return [Route("/health/live", live), Route("/health/ready", ready)]


async def _issuer(issuer: Issuer) -> str:
    try:
        await issuer.metadata()
    except IssuerUnavailableError:
        return "unavailable"  # the issuer's own event says more
    return "ok"


async def _nextcloud(http: httpx.AsyncClient) -> str:
    """Ask `status.php`, which needs no sign-in and tells of maintenance."""
    try:
        response = await http.get("/status.php")
        status = response.raise_for_status().json()
    except (httpx.HTTPError, ValueError) as error:
        log.warning("health.nextcloud_unavailable", url=str(http.base_url), error=type(error).__name__)
        return "unavailable"
    if not isinstance(status, dict) or status.get("installed") is not True:
        return "not installed"
    return "in maintenance" if status.get("maintenance") else "ok"
