"""`well_known`: where clients look for the documents of a sign-in, and what they find there."""

from typing import Final

import pytest

from tests.support.issuer import ISSUER
from tests.support.server import PASS_THROUGH, Server, serving

RESOURCE: Final = "/.well-known/oauth-protected-resource"
OAUTH: Final = "/.well-known/oauth-authorization-server"
OPENID: Final = "/.well-known/openid-configuration"


@pytest.mark.requirement("rfc9728-well-known", "mcp-prm-discovery")
@pytest.mark.parametrize("address", [f"{RESOURCE}/mcp", f"{RESOURCE}/mcp/", RESOURCE, f"{RESOURCE}/"])
async def test_resource_metadata_is_at_every_address_where_clients_look(server: Server, address: str) -> None:
    """MCP clients ask with the path of the resource, and without it; the document names the same resource."""
    response = await server.http.get(address, follow_redirects=False)
    assert response.status_code == 200
    assert response.json()["resource"] == "http://localhost:8000/mcp"


@pytest.mark.parametrize("address", [OAUTH, f"{OAUTH}/mcp", OPENID, f"{OPENID}/mcp", f"/mcp{OPENID}"])
async def test_authorization_server_metadata_is_the_issuers(server: Server, address: str) -> None:
    """Clients of MCP 2025-03-26 ask the resource: it redirects to the public address of the issuer's document."""
    response = await server.http.get(address, follow_redirects=False, headers={"Origin": "http://localhost:6274"})
    assert response.status_code == 307
    assert response.headers["Location"] == f"{ISSUER}{OPENID}"
    assert response.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("address", [RESOURCE, f"{RESOURCE}/mcp", OAUTH, OPENID])
async def test_documents_need_a_reachable_issuer(server: Server, address: str) -> None:
    """While Keycloak is unreachable the answer is 503 with a time to wait, and not a document without an issuer."""
    server.keycloak.down()
    response = await server.http.get(address, follow_redirects=False)
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0


@pytest.mark.parametrize("address", [RESOURCE, OAUTH, OPENID])
async def test_documents_can_only_be_read(server: Server, address: str) -> None:
    """Other methods get 405 with the allowed ones, and HEAD is as GET without the body."""
    refused = await server.http.post(address)
    assert refused.status_code == 405
    assert set(refused.headers["Allow"].split(", ")) == {"GET", "HEAD"}
    head = await server.http.head(address, follow_redirects=False)
    assert head.status_code in {200, 307}
    assert head.content == b""


@pytest.mark.parametrize(
    ("url", "addresses"),
    [
        pytest.param("https://mcp.example.org", [RESOURCE, OAUTH, OPENID], id="no path"),
        pytest.param(
            "https://mcp.example.org/a/b",
            [RESOURCE, f"{RESOURCE}/a/b", OAUTH, f"{OAUTH}/a/b", f"{OPENID}/a/b", f"/a/b{OPENID}"],
            id="two levels",
        ),
    ],
)
async def test_addresses_follow_the_servers_path(url: str, addresses: list[str]) -> None:
    """The addresses with a path have that of the server's public URL."""
    async with serving({**PASS_THROUGH, "NEXTCLOUD_MCP_SERVER_URL": url}) as server:
        statuses = [(await server.http.get(address, follow_redirects=False)).status_code for address in addresses]
    assert set(statuses) <= {200, 307}
