"""Mounts the pages.

Pages come before the authentication. They have the limits of the connection (`protocol.py`) and the check of the host
(`host.py`); they cause no request to Keycloak or Nextcloud, and a page depends on nothing of the request except its
language. The files are below the path of the MCP endpoint, because the rest of the host may belong to other servers.
"""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import Route, request_response
from starlette.types import ASGIApp, Receive, Scope, Send

from nextcloud_mcp.auth.issuer import Issuer
from nextcloud_mcp.auth.scopes import Offer
from nextcloud_mcp.host import PublicHost
from nextcloud_mcp.journey.endpoint import journey_paths
from nextcloud_mcp.pages.files import Files
from nextcloud_mcp.pages.landing import landing_page
from nextcloud_mcp.pages.negotiation import wants_page
from nextcloud_mcp.pages.rendering import Renderer
from nextcloud_mcp.pages.sign_in import SignInPages
from nextcloud_mcp.settings import Settings
from nextcloud_mcp.well_known import with_trailing_slash


def routes_with_pages(endpoint: ASGIApp, settings: Settings, offer: Offer, issuer: Issuer) -> list[Route]:
    """Return the routes of the MCP endpoint and of all pages; of the endpoint alone if the pages are turned off."""
    addresses = with_trailing_slash(settings.path)
    if not settings.pages:
        return [Route(address, endpoint) for address in addresses]
    base = settings.path.rstrip("/")
    files = Files(settings.organisation_logo)
    renderer = Renderer(
        {
            "organisation": settings.organisation_name,
            "logo": f"{base}/assets/{files.logo}",
            "assets": f"{base}/assets",
            "url": settings.server_url,
            "mode": settings.mode,
            "help_url": settings.help_url,
        }
    )
    landing = landing_page(renderer, settings, offer, issuer)

    async def show_landing(scope: Scope, receive: Receive, send: Send) -> None:
        await landing(Request(scope))(scope, receive, send)

    page = _behind_host(show_landing, settings)
    return [
        *(Route(address, PageForBrowsers(page, endpoint)) for address in addresses),
        *([] if "/" in addresses else [Route("/", PageForBrowsers(page, _not_found))]),
        Route(f"{base}/assets/{{name}}", _behind_host(request_response(files.respond), settings), methods=["GET"]),
        *_sign_in_routes(endpoint, renderer, settings, offer, issuer),
    ]


def _sign_in_routes(
    endpoint: ASGIApp, renderer: Renderer, settings: Settings, offer: Offer, issuer: Issuer
) -> list[Route]:
    """Return the routes of the pages on which people sign in, and of the journey's endpoints, which need a token."""
    base = settings.path.rstrip("/")
    names = [name for name, is_on in (("journey", settings.journey), ("connections", settings.connections)) if is_on]
    routes = []
    for name in names:
        pages = SignInPages(name, renderer, settings, offer, issuer)
        for path, respond in ((f"{base}/{name}", pages.page), (f"{base}/{name}/callback", pages.callback)):
            routes.append(Route(path, _behind_host(request_response(respond), settings), methods=["GET"]))
        if base:
            routes.append(Route(f"/{name}", pages.redirect, methods=["GET"]))
    if settings.journey:
        routes += [Route(path, endpoint, methods=["POST"]) for path in journey_paths(settings.path)]
    return routes


class PageForBrowsers:
    """ASGI application: the page for browsers; everybody else gets exactly what the address had without the page."""

    def __init__(self, page: ASGIApp, otherwise: ASGIApp) -> None:
        self._page = page
        self._otherwise = otherwise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await (self._page if wants_page(scope) else self._otherwise)(scope, receive, send)


def _behind_host(app: ASGIApp, settings: Settings) -> ASGIApp:
    return PublicHost(app, url=settings.server_url, origins=settings.allowed_origins)


async def _not_found(_: Scope, __: Receive, ___: Send) -> None:
    """Refuse as the router does for an unknown path."""
    raise HTTPException(404)
