"""`doctor.page_clients`: what a deployment without the pages, or with one server, may leave out."""

import json
from collections.abc import Mapping
from typing import Any, Final

import pytest

from nextcloud_mcp.doctor import drift, page_clients, realm_file
from nextcloud_mcp.doctor.deployment import Deployment, Options
from nextcloud_mcp.doctor.finding import Problem
from nextcloud_mcp.settings import load_settings
from tests.support.http import patient_client
from tests.support.server import EXCHANGE

SERVER: Final = "https://mcp.example.org/mcp"
OTHER: Final = "https://mcp.example.org/pass-through/mcp"
LOOPBACK: Final = "http://localhost:8001/mcp"
ON: Final = {"MCP_CONNECTIONS": "true"}
OFF: Final[Mapping[str, str]] = {}


async def problems(
    pages: Mapping[str, str], *, redirects: list[str] | None, enabled: bool = True, server: str = SERVER
) -> list[Problem]:
    """Compare the file's client `connections` with a live one, which has these servers' callbacks, or with none."""
    async with patient_client() as http:
        environ = {**EXCHANGE, "NEXTCLOUD_MCP_SERVER_URL": server, **pages}
        deployment = Deployment(load_settings(environ), Options(), http, http)
    deployment.metadata = {"issuer": "https://id.example.org/realms/cloud"}
    (shipped,) = [each for each in realm_file.read(None)["clients"] if each["clientId"] == "connections"]
    deployment.shipped = {"clients": [shipped]}
    deployment.comparison.values |= {"MCP_EXCHANGE_URL": server, "MCP_PASS_THROUGH_URL": OTHER}
    callbacks = [f"{url}/connections/callback" for url in redirects or []]
    live = shipped | {"id": "7", "enabled": enabled, "redirectUris": callbacks}
    deployment.live = {"clientScopes": [], "clients": [] if redirects is None else [live]}
    return list((await drift.clients(deployment)).problems)


@pytest.mark.parametrize(
    ("pages", "redirects", "enabled"),
    [
        pytest.param(OFF, None, True, id="page off, no client"),
        pytest.param({**ON, "MCP_PAGES": "false"}, None, True, id="all pages off, no client"),
        pytest.param(OFF, [], False, id="page off, no address"),
        pytest.param(OFF, [SERVER, OTHER], False, id="page off, client disabled"),
        pytest.param(OFF, [OTHER], True, id="page on at the other server alone"),
        pytest.param(ON, [SERVER], True, id="page on, one server"),
        pytest.param(ON, [OTHER, SERVER], True, id="page on, two servers"),
    ],
)
async def test_deployment_needs_only_what_it_uses(
    pages: Mapping[str, str], redirects: list[str] | None, *, enabled: bool
) -> None:
    """A client may be missing or disabled while its page is off, and have only its own server's address."""
    assert await problems(pages, redirects=redirects, enabled=enabled) == []


@pytest.mark.parametrize(
    ("pages", "redirects", "enabled", "cause", "fix"),
    [
        pytest.param(ON, None, True, "The client connections is missing", "Import client", id="missing"),
        pytest.param(ON, [SERVER], False, "The client connections is disabled", "-s enabled=true", id="disabled"),
        pytest.param(ON, [OTHER], True, f"lacks {SERVER}/connections/callback", f"{SERVER}/conn", id="no own address"),
        pytest.param(OFF, ["https://old.example.org"], True, "has https://old.example.org/conn", "[]", id="foreign"),
    ],
)
async def test_what_a_page_needs_is_reported(
    pages: Mapping[str, str], redirects: list[str] | None, *, enabled: bool, cause: str, fix: str
) -> None:
    """A page that is on needs its client, enabled, with the server's address; and no client has a foreign one."""
    (problem,) = await problems(pages, redirects=redirects, enabled=enabled)
    assert cause in problem.cause
    assert fix in problem.fix


@pytest.mark.parametrize("pages", [ON, OFF], ids=["on", "off"])
async def test_loopback_address_at_a_public_server_is_reported(pages: Mapping[str, str]) -> None:
    """Any program on a person's computer could get the tokens; the command leaves the other addresses."""
    (problem,) = await problems(pages, redirects=[SERVER, LOOPBACK], enabled=pages is ON)
    assert f"on loopback ({LOOPBACK}/connections/callback)" in problem.cause
    kept = json.dumps([f"{SERVER}/connections/callback"])
    assert problem.fix == f"kcadm.sh update clients/7 -r cloud -s 'redirectUris={kept}'"


async def test_loopback_address_of_a_demo_is_in_order() -> None:
    """A server on loopback has its pages there."""
    server = "http://localhost:8000/mcp"
    assert await problems(ON, redirects=[server], server=server) == []


def test_pages_are_those_of_the_realm_file() -> None:
    """The file has a client for each page."""
    clients: list[dict[str, Any]] = realm_file.read(None)["clients"]
    assert {each["clientId"] for each in clients} >= page_clients.PAGES
