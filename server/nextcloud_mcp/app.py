"""`create_app(settings)` builds the server from its parts.

Every request:     RequestId -> CORS -> router
a browser:         PublicHost -> page
the MCP endpoint:  CountResponses -> PublicHost -> BearerAuth -> FairShare -> AdmissionControl -> MCP SDK
                   -> tool or resource -> Nextcloud
without a token:   /.well-known/…, /health/live, /health/ready
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import httpx
from mcp.server.streamable_http_manager import StreamableHTTPASGIApp
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Router
from starlette.types import ASGIApp

from nextcloud_mcp import catalogue
from nextcloud_mcp.auth.admission import AdmissionControl
from nextcloud_mcp.auth.bearer import BearerAuth
from nextcloud_mcp.auth.challenge import Challenge
from nextcloud_mcp.auth.client import ClientAuthentication, ClientKey, ClientSecret
from nextcloud_mcp.auth.credentials import CheckedCredentials, PassThrough, TokenExchange
from nextcloud_mcp.auth.exchange_cache import ExchangeCache
from nextcloud_mcp.auth.fair_share import FairShare
from nextcloud_mcp.auth.issuer import Issuer
from nextcloud_mcp.auth.scopes import Offer, app_of
from nextcloud_mcp.auth.verifier import TokenVerifier
from nextcloud_mcp.boundary.call import Services
from nextcloud_mcp.connections import ExclusiveConnections
from nextcloud_mcp.errors import SettingsError
from nextcloud_mcp.health import health_routes
from nextcloud_mcp.host import PublicHost
from nextcloud_mcp.journey.endpoint import Journey
from nextcloud_mcp.logs import RequestId
from nextcloud_mcp.metrics import CountResponses, preregister_series
from nextcloud_mcp.nextcloud.account_cache import AccountCache
from nextcloud_mcp.nextcloud.client import http_client
from nextcloud_mcp.pages.routes import routes_with_pages
from nextcloud_mcp.settings import Settings
from nextcloud_mcp.well_known import well_known_routes

KEYCLOAK_TIMEOUT = httpx.Timeout(10.0, connect=3.0)
"""Seconds. Keycloak normally answers within tens of milliseconds."""

_SDK_HOST_CHECK_OFF = TransportSecuritySettings(enable_dns_rebinding_protection=False)
"""`PublicHost` checks the host and the origin before the SDK sees the request."""


def create_app(
    settings: Settings,
    *,
    keycloak_transport: httpx.AsyncBaseTransport | None = None,
    nextcloud_transport: httpx.AsyncBaseTransport | None = None,
) -> Starlette:
    """Return the ASGI application; its lifespan closes its HTTP clients.

    Tests pass transports; None means the network.
    """
    keycloak = httpx.AsyncClient(timeout=KEYCLOAK_TIMEOUT, transport=keycloak_transport or ExclusiveConnections())
    nextcloud = http_client(settings.nextcloud_url, transport=nextcloud_transport)
    issuer = Issuer(keycloak, settings.discovery_url)
    offer = offered(settings)
    tokens = credentials(settings, keycloak, issuer)
    challenge = _challenge(settings, offer)
    preregister_series([*(("tool", name) for name in offer.tools), *(("resource", uri) for uri in offer.resources)])
    addresses = tuple(url for url in (settings.nextcloud_url, settings.public_nextcloud_url) if url)
    services = Services(nextcloud, AccountCache(), tokens, settings.mode, offer, addresses)

    server = catalogue.create_server(services, output_schemas=settings.output_schemas == "full")
    server.streamable_http_app(stateless_http=True, transport_security=_SDK_HOST_CHECK_OFF)
    endpoint = _with_middleware(StreamableHTTPASGIApp(server.session_manager), services, challenge, issuer, settings)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with keycloak, nextcloud, server.session_manager.run(), anyio.create_task_group() as start:
            if keycloak_transport is None:  # tests count the requests to their issuer
                start.start_soon(issuer.fetch_until_success)
            yield
            start.cancel_scope.cancel()

    app = Starlette(
        routes=[
            *routes_with_pages(endpoint, settings, offer, issuer),
            *well_known_routes(settings.path, challenge, issuer),
            *health_routes(issuer, tokens, nextcloud),
        ],
        middleware=[Middleware(RequestId), _cors()],
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # behind a proxy that terminates TLS, it would send tokens over HTTP
    return app


def _with_middleware(
    endpoint: ASGIApp, services: Services, challenge: Challenge, issuer: Issuer, settings: Settings
) -> ASGIApp:
    """Wrap the SDK's endpoint in the middleware; the outermost one is added last."""
    offer = services.offer
    admission = AdmissionControl(endpoint, offer=offer, credentials=services.credentials, challenge=challenge)
    endpoint = FairShare(
        _with_journey(admission, services, settings) if settings.journey else admission,
        challenge=challenge,
        calls_per_minute=settings.calls_per_minute,
        tool_scopes=frozenset(offer.scopes()),
    )
    endpoint = BearerAuth(endpoint, verifier=verifier(settings, issuer), challenge=challenge)
    endpoint = PublicHost(endpoint, url=settings.server_url, origins=settings.page_origins)
    return CountResponses(endpoint)


def _with_journey(admission: AdmissionControl, services: Services, settings: Settings) -> ASGIApp:
    """Put the journey's endpoints beside the MCP endpoint, so that both share the checks and a person's limits."""
    journey = Journey(decide=admission.decide, nextcloud=services.http, mode=services.mode)
    return Router(journey.routes(settings.path), redirect_slashes=False, default=admission)


def offered(settings: Settings) -> Offer:
    """Return what this server offers.

    Raises:
        SettingsError: MCP_APPS names an unknown app, or an app of which nothing would be offered.
    """
    there = catalogue.app_names()
    if unknown := sorted(set(settings.apps) - set(there)):
        raise SettingsError("MCP_APPS", f"there is no app {unknown[0]}; there are {' '.join(there)}")
    offer = catalogue.offer(read_only=settings.read_only, apps=settings.apps)
    left = {app_of(scope) for scope in offer.scopes()}
    for app in settings.apps:
        if app not in left:
            needed = ", ".join(catalogue.scopes_of(app))
            raise SettingsError(
                "MCP_APPS",
                f"nothing of {app} is left, for its tools need {needed}; name those apps as well, leave {app} out, or "
                "see MCP_READ_ONLY",
            )
    return offer


def _challenge(settings: Settings, offer: Offer) -> Challenge:
    """Return the challenge; on first sign-in clients request the scopes of MCP_FIRST_SCOPES, or all.

    Raises:
        SettingsError: the setting has a scope that no tool needs.
    """
    unknown = sorted(set(settings.first_scopes) - set(offer.scopes()))
    if unknown:
        raise SettingsError("MCP_FIRST_SCOPES", f"no tool needs {unknown[0]}; there are {' '.join(offer.scopes())}")
    return Challenge(
        settings.server_url,
        server_scope=settings.server_scope,
        tool_scopes=offer.scopes(),
        first_scopes=list(settings.first_scopes) or offer.scopes(),
    )


def verifier(settings: Settings, issuer: Issuer) -> TokenVerifier:
    """Accept this server's URL or client id as audience; in pass-through mode, require Nextcloud's as well."""
    return TokenVerifier(
        issuer,
        audiences=frozenset({settings.server_url, settings.client_id}),
        server_scope=settings.server_scope,
        also_required=None if settings.enable_token_exchange else settings.nextcloud_audience,
    )


def credentials(settings: Settings, http: httpx.AsyncClient, issuer: Issuer) -> CheckedCredentials:
    """Return the source of tokens for Nextcloud in the configured mode."""
    if not settings.enable_token_exchange:
        return PassThrough()
    exchange = TokenExchange(
        http,
        issuer,
        client_id=settings.client_id,
        client=client_authentication(settings),
        audience=settings.nextcloud_audience,
    )
    seconds = settings.exchange_cache_seconds
    return ExchangeCache(exchange, seconds=seconds) if seconds else exchange


def client_authentication(settings: Settings) -> ClientAuthentication:
    """Return how this server authenticates to Keycloak.

    Raises:
        SettingsError: the private key can't be used, or there is neither key nor secret.
    """
    if settings.client_private_key_file is not None:
        return ClientKey.read(settings.client_private_key_file)
    if settings.client_secret is not None:
        return ClientSecret(settings.client_secret, settings.client_secret_file)
    raise SettingsError("OIDC_CLIENT_SECRET", "is needed with ENABLE_TOKEN_EXCHANGE=true")


def _cors() -> Middleware:
    """Let pages of all origins read responses; `PublicHost` decides which of them may call the MCP endpoint."""
    return Middleware(
        CORSMiddleware,
        allow_origins=["*"],
        allow_methods=["GET", "POST", "DELETE"],
        allow_headers=["*"],
        expose_headers=["WWW-Authenticate", "Mcp-Session-Id", "X-Request-Id"],
    )
