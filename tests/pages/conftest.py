"""A browser, and a server with pages."""

import socket
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser

from nextcloud_mcp.app import create_app
from nextcloud_mcp.settings import load_settings
from stack.process import LOOPBACK
from tests.support.chromium import missing, run_chromium
from tests.support.issuer import FakeIssuer
from tests.support.nextcloud import FakeNextcloud
from tests.support.served import served
from tests.support.server import EXCHANGE


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A running Chromium; not longer than a module, because it occupies the event loop."""
    if reason := missing():
        pytest.skip(reason)
    with run_chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """The URL of a server in exchange mode, which knows its issuer."""
    listener = socket.create_server((LOOPBACK, 0))
    origin = f"http://localhost:{listener.getsockname()[1]}"
    settings = {**EXCHANGE, "NEXTCLOUD_MCP_SERVER_URL": f"{origin}/mcp", "ORGANISATION_NAME": "Example Ltd"}
    app = create_app(
        load_settings(settings),
        keycloak_transport=FakeIssuer().transport,
        nextcloud_transport=FakeNextcloud().transport,
    )
    with served(app, listener):
        httpx.get(f"{origin}/.well-known/oauth-protected-resource/mcp", trust_env=False).raise_for_status()
        yield f"{origin}/mcp"
