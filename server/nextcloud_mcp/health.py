"""Liveness and readiness, for orchestrators and for people.

Live: the process answers. Ready: it can serve a call now. That requires the issuer's metadata and keys, a Nextcloud
that is up and not in maintenance, and in exchange mode a Keycloak that accepts this client. No token is needed, so the
response contains no address; the log does. Requests during a check get its outcome, so Keycloak and Nextcloud get one
request at a time, however many clients there are.
"""

from collections.abc import Awaitable, Callable

import anyio
import httpx
import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from nextcloud_mcp.auth.credentials import CheckedCredentials
from nextcloud_mcp.auth.issuer import Issuer
from nextcloud_mcp.connections import cause_of
from nextcloud_mcp.errors import IssuerUnavailableError, NextcloudMCPError

log = structlog.get_logger()


def health_routes(issuer: Issuer, credentials: CheckedCredentials, nextcloud: httpx.AsyncClient) -> list[Route]:
    """Return the routes `/health/live` and `/health/ready`."""

    async def live(_: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    async def check() -> dict[str, str]:
        return {
            "issuer": await _issuer(issuer),
            "client": await _client(credentials),
            "nextcloud": await _nextcloud(nextcloud),
        }

    shared = _Shared(check)

    async def ready(_: Request) -> JSONResponse:
        checks = await shared.outcome()
        ok = set(checks.values()) == {"ok"}
        return JSONResponse({"status": "ok" if ok else "unavailable", "checks": checks}, 200 if ok else 503)

    return [Route("/health/live", live), Route("/health/ready", ready)]


class _Shared:
    """Runs one check at a time and shares its outcome."""

    def __init__(self, check: Callable[[], Awaitable[dict[str, str]]]) -> None:
        self._check = check
        self._lock = anyio.Lock()
        self._ended = 0
        self._outcome: dict[str, str] = {}

    async def outcome(self) -> dict[str, str]:
        """Return the outcome of the check that is running, or else of a new one."""
        before = self._ended
        async with self._lock:
            if self._ended == before:  # no check has ended meanwhile
                self._outcome = await self._check()
                self._ended += 1
            return self._outcome


async def _issuer(issuer: Issuer) -> str:
    try:
        await issuer.metadata()
    except IssuerUnavailableError:
        return "unavailable"  # the issuer logs the cause
    return "ok"


async def _client(credentials: CheckedCredentials) -> str:
    try:
        await credentials.check()
    except IssuerUnavailableError:
        return "unknown"
    except NextcloudMCPError as error:
        log.warning("health.client_refused", **error.log_fields)
        return "refused"
    return "ok"


async def _nextcloud(http: httpx.AsyncClient) -> str:
    """Request `status.php`, which needs no sign-in and reports maintenance."""
    try:
        response = await http.get("/status.php")
        status = response.raise_for_status().json()
    except (httpx.HTTPError, ValueError) as error:
        url = str(http.base_url)
        log.warning("health.nextcloud_unavailable", url=url, error=type(error).__name__, detail=cause_of(error))
        return "unavailable"
    if not isinstance(status, dict) or status.get("installed") is not True:
        return "not installed"
    return "in maintenance" if status.get("maintenance") else "ok"
