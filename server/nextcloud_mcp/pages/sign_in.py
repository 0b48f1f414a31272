"""The pages on which a person signs in: the token journey, and the connections.

A page is the same for everybody. Its script signs the person in as a public client with PKCE (RFC 7636), in a second
window, and holds the token in a variable until the page is closed. So no server and no storage of the browser ever has
it, except where the script sends it: to Keycloak and to the servers that the Content Security Policy names.
"""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from nextcloud_mcp.auth.issuer import Issuer
from nextcloud_mcp.auth.scopes import Offer
from nextcloud_mcp.pages.journey import cache_seconds, journey_values
from nextcloud_mcp.pages.rendering import Renderer
from nextcloud_mcp.settings import Settings, origin_of

CALLBACK: Final = "callback"
"""The name of the page to which Keycloak sends the second window back."""


def access_ends(settings: Settings) -> list[dict[str, Any]]:
    """Return when ended access ends at this server, and at the other one: names of texts, and the seconds in them."""
    seconds = {"exchange": cache_seconds(settings), "pass-through": 0}
    modes = [settings.mode] if settings.other_server_url is None else list(seconds)
    return [{"text": "exchange_cached" if seconds[mode] else mode, "seconds": seconds[mode]} for mode in modes]


class SignInPages:
    """One of the pages, and its callback."""

    def __init__(self, name: str, renderer: Renderer, settings: Settings, offer: Offer, issuer: Issuer) -> None:
        self._name = name
        self._renderer = renderer
        self._settings = settings
        self._issuer = issuer
        self._other = settings.other_server_url if name == "journey" else None
        self._values = journey_values(settings, offer) if name == "journey" else {"ends": access_ends(settings)}

    async def page(self, request: Request) -> Response:
        """Return the page; before the issuer's metadata is known, it says so in place of the sign-in."""
        known = self._issuer.known_metadata
        issuer = None if known is None else known.issuer
        origins = [origin_of(url) for url in (issuer, self._other) if url]
        return self._renderer.respond(
            self._name,
            request,
            policy={"connect-src": " ".join(["'self'", *origins])},
            is_personal=True,
            issuer=issuer,
            has_journey=self._settings.journey,
            has_connections=self._settings.connections,
            **self._values,
        )

    async def callback(self, request: Request) -> Response:
        """Return the page that hands Keycloak's answer, the query of its own address, to the page that waits for it."""
        return self._renderer.respond(CALLBACK, request, is_personal=True, channel=self._name)

    async def redirect(self, _: Request) -> Response:
        """Redirect from the address without the path of the MCP endpoint, without a query."""
        return RedirectResponse(f"{self._settings.server_url}/{self._name}", 307)
