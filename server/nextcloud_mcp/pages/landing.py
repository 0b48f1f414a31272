"""The page at this server's address: what it is, how to connect, what it offers, and what happens with data."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from nextcloud_mcp.auth.issuer import Issuer
from nextcloud_mcp.auth.scopes import Offer, app_of
from nextcloud_mcp.pages.clients import connections
from nextcloud_mcp.pages.negotiation import LANGUAGES
from nextcloud_mcp.pages.rendering import Renderer
from nextcloud_mcp.settings import Settings

NAME = "landing"


def landing_page(renderer: Renderer, settings: Settings, offer: Offer, issuer: Issuer) -> Callable[[Request], Response]:
    """Return the function that answers with the page."""
    apps = {language: offered_apps(offer, renderer.texts(NAME, language)) for language in LANGUAGES}
    scopes = [settings.server_scope, *(settings.first_scopes or offer.scopes())]
    # the realm's list has the scope of the server in exchange mode, but not that of another server
    clients = connections(settings.server_url, () if settings.mode == "exchange" else scopes)

    def respond(request: Request) -> Response:
        known = issuer.known_metadata
        return renderer.respond(
            NAME,
            request,
            apps=apps,
            clients=clients,
            account=None if known is None else f"{known.issuer.rstrip('/')}/account",
        )

    return respond


def offered_apps(offer: Offer, texts: dict[str, Any]) -> list[tuple[str, str, list[str]]]:
    """Return name, rights in plain words, and scopes of each app that the offer reaches, by name."""
    scopes: dict[str, list[str]] = {}
    for scope in offer.scopes():
        scopes.setdefault(app_of(scope), []).append(scope)
    described = []
    for app, each in scopes.items():
        name = texts["apps"].get(app, app)
        rights = ".".join(scope.partition(":")[2] for scope in each)
        special = texts["special"].get(f"{app}.{rights}")
        described.append((name, special or texts["rights"].get(rights, rights), each))
    return sorted(described)
