"""The endpoints behind the page `/journey`: the claims of both tokens, and what Nextcloud says to each of them.

They run behind the same checks as a tool: host and origin, the token, the limits of the person, and the admission of
the tool `nc_whoami`, which makes the exchange. No request can name an address, a token or a claim to return: each
endpoint does one fixed thing with the token of its own request. No token is ever part of a response.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol

import httpx
import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from nextcloud_mcp.auth.admission import Admission
from nextcloud_mcp.auth.credentials import claims_of
from nextcloud_mcp.auth.features import Use
from nextcloud_mcp.auth.scopes import Feature
from nextcloud_mcp.auth.verifier import Principal
from nextcloud_mcp.errors import JourneyRefusedError, TokenExchangeError
from nextcloud_mcp.journey import access
from nextcloud_mcp.metrics import UPSTREAM_SECONDS

_ANSWERS: Final = ("tokens", "nextcloud/received", "nextcloud/sent")

SHOWN_CLAIMS: Final = ("iss", "aud", "azp", "sub", "sid", "scope", "typ", "exp", "preferred_username")
"""The claims that are returned, of either token. The name and the e-mail address are not among them."""

USER_PATH: Final = "/ocs/v2.php/cloud/user"
"""What a try asks Nextcloud for: the signed-in user (OCS user API, "Get the current user")."""

WHOAMI: Final = Use(Feature("tool", "nc_whoami"), None)
"""The use that is admitted: a tool that needs no scope and is always offered."""

_NOT_STORED: Final = {"Cache-Control": "no-store"}

log = structlog.get_logger()


def journey_paths(server_path: str) -> list[str]:
    """Return the paths of the endpoints, which are below the MCP endpoint's: another server may have the rest."""
    return [f"{server_path.rstrip('/')}/journey/api/{answer}" for answer in _ANSWERS]


class Decide(Protocol):
    """Admits the use of a tool, as `auth.admission.AdmissionControl.decide`."""

    async def __call__(self, use: Use, principal: Principal) -> Admission | Response:
        """Return the admission with the token for Nextcloud, or the response that refuses it."""
        ...


class Journey:
    """The endpoints; each request has a verified token, and has passed the limits of its person."""

    def __init__(self, *, decide: Decide, nextcloud: httpx.AsyncClient, mode: str) -> None:
        self._decide = decide
        self._nextcloud = nextcloud
        self._mode = mode

    def routes(self, server_path: str) -> list[Route]:
        """Return the routes of a server whose MCP endpoint has this path; POST, as each of them makes an exchange."""
        answers = (self._tokens, self._received, self._sent)
        return [
            Route(path, self._admitted(answer), methods=["POST"])
            for path, answer in zip(journey_paths(server_path), answers, strict=True)
        ]

    def _admitted(self, answer: Callable[[Admission], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        """Return an endpoint that checks the person and admits the request first, as a tool's call is admitted."""

        async def endpoint(request: Request) -> Response:
            principal: Principal = request.state.principal
            try:
                access.check(principal)
                admitted = await self._decide(WHOAMI, principal)
                return admitted if isinstance(admitted, Response) else await answer(admitted)
            except JourneyRefusedError as error:
                log.info("journey.refused", **principal.log_fields, **error.log_fields)
                return _error(403, str(error))
            except TokenExchangeError as error:
                log.warning("journey.failed", **principal.log_fields, **error.log_fields)
                return _error(502, str(error))

        return endpoint

    async def _tokens(self, admission: Admission) -> Response:
        """Return the claims of the token that this server received, and of the one that it sends to Nextcloud."""
        tokens = {"received": _shown(admission.principal.token), "sent": _shown(admission.token())}
        return JSONResponse({"mode": self._mode, **tokens}, headers=_NOT_STORED)

    async def _received(self, admission: Admission) -> Response:
        return await self._ask_nextcloud("received", admission.principal.token, admission)

    async def _sent(self, admission: Admission) -> Response:
        return await self._ask_nextcloud("sent", admission.token(), admission)

    async def _ask_nextcloud(self, which: str, token: str, admission: Admission) -> Response:
        """Ask Nextcloud who the token's user is, and return only the status of its response."""
        try:
            with UPSTREAM_SECONDS.labels("nextcloud").time():
                async with self._nextcloud.stream(
                    "GET", USER_PATH, params={"format": "json"}, headers={"Authorization": f"Bearer {token}"}
                ) as response:
                    status = response.status_code
        except httpx.HTTPError as error:
            log.warning("journey.nextcloud_unavailable", error=type(error).__name__)
            return _error(502, f"Nextcloud does not answer ({type(error).__name__}): try again shortly.")
        log.info("journey.tried", token=which, status=status, **admission.principal.log_fields)
        return JSONResponse({"request": f"GET {USER_PATH}", "status": status}, headers=_NOT_STORED)


def _shown(token: str) -> Mapping[str, Any]:
    claims = claims_of(token)
    return {name: claims[name] for name in SHOWN_CLAIMS if name in claims}


def _error(status: int, message: str) -> JSONResponse:
    return JSONResponse({"error": {"message": message}}, status_code=status, headers=_NOT_STORED)
