"""Client registration by hand and by metadata document, each with a complete sign-in; and the parameter `resource`.

Registration by the client itself is in `test_sign_in`. Every MCP client sends `resource` (RFC 8707): Keycloak ignores
it by default, and applies it with the feature `resource-indicators`, which the second chain has.
"""

from typing import Any

import pytest

from stack.chain import Chain
from tests.e2e.servers import Server
from tests.support.browser import Browser
from tests.support.documents import CLAUDE_CODE, CLAUDE_DESKTOP, JWT_BEARER, VS_CODE, Documents
from tests.support.featured import registration_open
from tests.support.mcp_client import McpUser, Tokens, connected, registered_by_hand
from tests.support.mcp_http import call_tool, challenge, result
from tests.support.oauth import ALICE, CLIENT_ID, REDIRECT_URI, Pkce, authorize, claims, sign_in, token_request

# What Claude Desktop's document lacks here: Keycloak 26.7 takes no public client with that grant (see tests/realm).
CLAUDE_DESKTOP_FOR_26_7 = CLAUDE_DESKTOP | {
    "grant_types": [grant for grant in CLAUDE_DESKTOP["grant_types"] if grant != JWT_BEARER]
}


@pytest.fixture
def featured_exchange(featured: Chain) -> Server:
    """The second chain's server in exchange mode."""
    return Server("exchange", featured.config.exchange_url)


@pytest.fixture
def featured_pass_through(featured: Chain) -> Server:
    """The second chain's server in pass-through mode."""
    return Server("pass-through", featured.config.pass_through_url)


async def whoami(url: str, tokens: Tokens, **client: Any) -> tuple[dict[str, Any], McpUser]:
    """Sign alice in, and let Nextcloud say who she is; also return what her browser saw."""
    person = McpUser(**ALICE)
    async with connected(url, person, tokens, **client) as mcp:
        listing = await mcp.call_tool("nc_webdav_list_directory", {})
        who = await mcp.call_tool("nc_whoami", {})
    assert not listing.is_error
    assert (who.structured_content["user_id"], person.sign_ins) == ("alice", 1)
    return who.structured_content, person


@pytest.mark.parametrize("protocol", ["auto", "legacy"])
async def test_preregistered_client_signs_in(server: Server, protocol: str) -> None:
    """A client needs only the URL and the realm's client id; it registers nothing."""
    tokens = registered_by_hand()
    who, _ = await whoami(server.url, tokens, mode=protocol)

    assert who["client_id"] == CLIENT_ID
    assert tokens.client is not None
    assert tokens.client.client_id == CLIENT_ID


@pytest.mark.requirement("mcp-cimd", "mcp-consent-per-client")
@pytest.mark.parametrize(
    ("document", "redirect_uri"),
    [
        (CLAUDE_CODE, "http://localhost:51234/callback"),
        (CLAUDE_CODE, "http://127.0.0.1:51234/callback"),
        (CLAUDE_DESKTOP_FOR_26_7, "https://claude.ai/api/mcp/auth_callback"),
        (VS_CODE, "http://127.0.0.1:33418/"),
        (VS_CODE, "https://vscode.dev/redirect"),
    ],
    ids=["Claude Code", "Claude Code at 127.0.0.1", "Claude Desktop", "VS Code", "VS Code in the browser"],
)
async def test_client_id_metadata_document_signs_in(
    featured_exchange: Server, documents: Documents, document: dict[str, Any], redirect_uri: str
) -> None:
    """The client id is the URL of a document, which Keycloak fetches over TLS; Keycloak asks the user for consent."""
    url = documents.publish(document)
    who, person = await whoami(featured_exchange.url, Tokens(), document=url, redirect_uri=redirect_uri)

    assert who["client_id"] == url
    assert "Notes: read and change" in person.browser.consents[0]


async def test_client_id_metadata_document_in_pass_through_mode(
    featured: Chain, featured_pass_through: Server, documents: Documents
) -> None:
    """A client with a metadata document gets a pass-through token if Keycloak does not limit tokens to `resource`."""
    client_id, server = documents.publish(CLAUDE_CODE), featured_pass_through
    redirect_uri = "http://localhost:51234/callback"
    tokens = await sign_in(
        featured.keycloak, **ALICE, scope=server.scope, client_id=client_id, redirect_uri=redirect_uri
    )
    who = result(await call_tool(server.url, "nc_whoami", token=tokens["access_token"]))

    assert who["structuredContent"]["user_id"] == "alice"
    assert who["structuredContent"]["client_id"] == client_id


async def test_stock_keycloak_ignores_resource_parameter(server: Server) -> None:
    """The client sends `resource` (RFC 8707 section 2), and stock Keycloak ignores it."""
    _, person = await whoami(server.url, registered_by_hand())

    assert [request["resource"] for request in person.requests] == [server.url]


@pytest.mark.requirement("rfc8707-audience-restricted", "rfc9068-audience-is-resource")
@pytest.mark.parametrize("way", ["by hand", "by registration"])
async def test_resource_indicators_set_the_token_audience(featured: Chain, featured_exchange: Server, way: str) -> None:
    """With the feature, the token's audience is the requested resource, the server's URL, and the exchange works."""
    tokens = registered_by_hand() if way == "by hand" else Tokens()
    with registration_open(featured.keycloak):
        _, person = await whoami(featured_exchange.url, tokens)

    assert [request["resource"] for request in person.requests] == [featured_exchange.url]
    assert tokens.tokens is not None
    assert claims(tokens.tokens.access_token)["aud"] == featured_exchange.url


async def test_resource_indicators_break_pass_through_with_an_error(
    featured: Chain, featured_pass_through: Server
) -> None:
    """With the feature, the token lacks the audience `nextcloud`, and the server itself reports this."""
    server = featured_pass_through
    tokens = await sign_in(featured.keycloak, **ALICE, scope=server.scope, resource=server.url)
    refused = await call_tool(server.url, "nc_whoami", token=tokens["access_token"])

    assert claims(tokens["access_token"])["aud"] == server.url
    assert refused.status_code == 401
    assert challenge(refused)["error"] == "invalid_token"
    assert "does not name nextcloud as audience" in challenge(refused)["error_description"]


@pytest.mark.requirement("rfc8707-invalid-target")
@pytest.mark.parametrize("resource", ["http://localhost/elsewhere", "not a URL"])
async def test_resource_indicators_refuse_unknown_resource(
    featured: Chain, featured_exchange: Server, resource: str
) -> None:
    """With the feature, Keycloak issues no token for a resource that the realm does not know."""
    client, pkce = {"client_id": CLIENT_ID, "redirect_uri": REDIRECT_URI, "resource": resource}, Pkce()
    scope = featured_exchange.scope
    answer = await authorize(featured.keycloak, Browser(), **ALICE, scope=scope, **client, **pkce.parameters)
    if "code" in answer:
        form = {"grant_type": "authorization_code", "code": answer["code"], "code_verifier": pkce.verifier}
        answer = (await token_request(featured.keycloak, client | form)).json()

    assert answer["error"] == "invalid_target"
