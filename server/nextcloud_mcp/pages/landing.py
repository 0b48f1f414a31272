"""The page at this server's address: what it is, how to connect, what it offers, and what happens with data."""

from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from nextcloud_mcp.auth.issuer import Issuer
from nextcloud_mcp.auth.scopes import Offer
from nextcloud_mcp.pages.clients import connections
from nextcloud_mcp.pages.negotiation import LANGUAGES
from nextcloud_mcp.pages.rendering import Renderer
from nextcloud_mcp.settings import Settings

NAME = "landing"


def landing_page(renderer: Renderer, settings: Settings, offer: Offer, issuer: Issuer) -> Callable[[Request], Response]:
    """Return the function that answers with the page."""
    apps = {language: offered_apps(offer, renderer.texts(NAME, language)) for language in LANGUAGES}
    writes = any(scope.endswith(":write") for scope in offer.scopes())
    scopes = [settings.server_scope, *(settings.first_scopes or offer.scopes())]
    # among all scopes that the realm lists is the server's in exchange mode, but not its own in pass-through mode
    clients = connections(settings.server_url, () if settings.mode == "exchange" else scopes)

    def respond(request: Request) -> Response:
        known = issuer.known_metadata
        return renderer.respond(
            NAME,
            request,
            apps=apps,
            writes=writes,
            clients=clients,
            account=None if known is None else f"{known.issuer.rstrip('/')}/account/applications",
        )

    return respond


def offered_apps(offer: Offer, texts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the name of each app that the offer's scopes reach, and the rights, both in plain words; sorted."""
    rights: dict[str, list[str]] = {}
    for scope in offer.scopes():
        app, _, right = scope.partition(":")
        rights.setdefault(app, []).append(right)
    return sorted(
        (texts["apps"].get(app, app), texts["special"].get(f"{app}.{key}") or texts["rights"][key])
        for app, key in ((app, ".".join(each)) for app, each in rights.items())
    )
