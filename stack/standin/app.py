"""The stand-in as one ASGI app, with the parts of Nextcloud's web server, user_oidc and apps."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from a2wsgi import WSGIMiddleware
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stack.standin import (
    activity,
    caldav,
    calendars,
    contacts,
    cookbook,
    deck,
    notes,
    notifications,
    ocs,
    search,
    shares,
    tables,
    trash,
    uploads,
    webdav,
)
from stack.standin.gate import AppPasswords, Gate
from stack.standin.keys import CachedRealmKeys
from stack.standin.releases import NEXTCLOUD_34, Release
from stack.standin.shared_collections import ADDRESS_BOOKS, CALENDARS, SharedCollections
from stack.standin.storage import Storage, create_storage
from stack.standin.tree import Tree

HEADER = "X-Nextcloud-Stand-In"


@dataclass(frozen=True)
class Options:
    """The options of the stand-in.

    Attributes:
        data: Folder of the users' data; created if it does not exist.
        discovery_url: URL of the realm's OpenID Connect discovery document.
        client_id: The client id that a token's `aud` must contain.
        jwks_ttl: Seconds for which the realm's keys are cached.
        realm_transport: Replaces the network to the realm, for tests.
        release: The release of Nextcloud to play.
    """

    data: Path
    discovery_url: str
    client_id: str = "nextcloud"
    jwks_ttl: float = 3600
    realm_transport: httpx.AsyncBaseTransport | None = None
    release: Release = NEXTCLOUD_34


def create_app(options: Options) -> Starlette:
    """Return the whole stand-in as one ASGI app."""
    options.data.mkdir(parents=True, exist_ok=True)
    tree = Tree(options.data)
    storage = create_storage(tree, options.data, options.release)
    app_passwords = AppPasswords(options.data / "app-passwords")
    log = activity.Log()
    keys = CachedRealmKeys(options.discovery_url, ttl=options.jwks_ttl, transport=options.realm_transport)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        del app
        yield
        tree.close()

    return Starlette(
        routes=[*_routes(options.data, storage, app_passwords, log), *_mounts(options.data, storage)],
        middleware=[
            Middleware(_MarkerHeader),
            Middleware(
                Gate,
                keys=keys,
                client_id=options.client_id,
                tree=tree,
                app_passwords=app_passwords,
                release=options.release,
            ),
            Middleware(activity.Recorder, log=log, tree=tree),
        ],
        lifespan=lifespan,
    )


def _routes(data: Path, storage: Storage, app_passwords: AppPasswords, log: activity.Log) -> list[Route]:
    tree = storage.tree
    # the routes of the apps come first, because OCS answers every other path below /ocs
    return [
        *shares.routes(storage),
        *tables.routes(data / "tables"),
        *activity.routes(log),
        *notifications.routes(),
        *ocs.routes(tree, app_passwords, storage.release),
        *notes.routes(storage),
        *search.routes(storage),
        *trash.routes(tree, storage.mounts),
        *uploads.routes(storage, data / "uploads"),
        *deck.routes(storage.release),
        *cookbook.routes(storage.mounts),
    ]


def _mounts(data: Path, storage: Storage) -> list[Mount]:
    own_calendars = calendars.create_calendars_app(data / "calendars")
    own_books = contacts.create_contacts_app(data / "addressbooks")
    return [
        _mount(webdav.MOUNT, webdav.create_files_app(storage)),
        _mount(
            caldav.CALENDARS,
            _decoded(SharedCollections(own_calendars, CALENDARS, data / "shared-calendars.json", storage.tree)),
        ),
        _mount(caldav.PRINCIPALS, _decoded(caldav.create_principals_app())),
        _mount(
            calendars.ADDRESS_BOOKS,
            _decoded(SharedCollections(own_books, ADDRESS_BOOKS, data / "shared-books.json", storage.tree)),
        ),
    ]


def _decoded(wsgi_app: Any) -> Any:
    """Decode the path as UTF-8, as Radicale's own server does, instead of Latin-1 (PEP 3333)."""

    def app(environ: Any, start_response: Any) -> Any:
        environ["PATH_INFO"] = environ["PATH_INFO"].encode("latin-1").decode(errors="replace")
        return wsgi_app(environ, start_response)

    return app


def _mount(path: str, wsgi_app: Any) -> Mount:
    # a2wsgi has its own protocols for WSGI and ASGI, which are wider than the usual ones
    server: Any = WSGIMiddleware(wsgi_app)
    return Mount(path, server)


class _MarkerHeader:
    """ASGI middleware that marks every response as the stand-in's."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def told_apart(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = "1"
            await send(message)

        await self._app(scope, receive, told_apart)
