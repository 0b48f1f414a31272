"""`auth.challenge`: `WWW-Authenticate` and the protected resource metadata (RFC 6750 section 3, RFC 9728)."""

import httpx
import pytest

from nextcloud_mcp.auth.challenge import Challenge
from nextcloud_mcp.errors import InvalidTokenError
from tests.support.issuer import ISSUER, SERVER_SCOPE, SERVER_URL
from tests.support.server import EVERYTHING, EXCHANGE, Server, challenge, serving

METADATA_URL = "http://localhost:8000/.well-known/oauth-protected-resource/mcp"


@pytest.mark.requirement(
    "mcp-every-request",
    "best-verify-all-requests",
    "best-local-server-needs-token",
    "transport-authentication",
    "rfc6750-challenge",
    "rfc6750-no-error-without-token",
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PUT", "HEAD", "OPTIONS"])
async def test_no_token_is_no_error(server: Server, method: str) -> None:
    """A request without a token gets 401 with metadata URL and scope, and no error code."""
    response = await server.http.request(method, "/mcp")
    assert response.status_code == 401
    assert challenge(response) == {
        "resource_metadata": METADATA_URL,
        "scope": f"{SERVER_SCOPE['exchange']} {EVERYTHING}",
    }


@pytest.mark.requirement("rfc6750-error-with-token", "rfc6750-invalid-token")
async def test_challenge_for_invalid_token_has_reason(server: Server) -> None:
    """The 401 has `invalid_token`, the reason, metadata URL and scope, in the body as well."""
    response = await server.request("tools/list", token=server.keycloak.mint(aud="account"))
    assert response.status_code == 401
    parameters = challenge(response)
    assert parameters["error"] == "invalid_token"
    assert parameters["resource_metadata"] == METADATA_URL
    assert parameters["scope"] == f"{SERVER_SCOPE['exchange']} {EVERYTHING}"
    assert response.json()["error"] == {
        "code": -32050,
        "message": parameters["error_description"],
        "data": {"error": "invalid_token"},
    }
    assert "not meant for this server" in parameters["error_description"]


async def test_challenge_starts_with_scope_of_auth_mode(pass_through_server: Server) -> None:
    """The first scope of a challenge is the one that adds this server to `aud`."""
    response = await pass_through_server.request("tools/list", token=None)
    assert challenge(response)["scope"].split()[0] == SERVER_SCOPE["pass-through"]


async def test_audience_scope_is_configurable() -> None:
    """The client scope can have another name in another realm."""
    async with serving({**EXCHANGE, "OIDC_SERVER_SCOPE": "cloud"}) as server:
        response = await server.request("tools/list", token=None)
        assert challenge(response)["scope"] == f"cloud {EVERYTHING}"


async def test_outage_is_503_without_challenge(server: Server) -> None:
    """While Keycloak is unreachable the answer is 503 with `Retry-After`: the token may be valid."""
    server.keycloak.down()
    response = await server.request("tools/list", token=server.keycloak.mint())
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert "WWW-Authenticate" not in response.headers
    assert response.json()["error"]["data"] == {"error": "temporarily_unavailable"}


@pytest.mark.requirement(
    "mcp26-no-offline-access",
    "rfc9728-resource",
    "rfc9728-resource-name",
    "rfc9728-scopes-supported",
    "rfc9728-response",
    "rfc9728-no-empty-parameters",
)
async def test_challenge_leads_to_metadata(server: Server) -> None:
    """A client that knows only the URL finds the protected resource metadata (RFC 9728 section 2)."""
    url = challenge(await server.http.post("/mcp"))["resource_metadata"]
    response = await server.http.get(url)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    assert response.json() == {
        "resource": SERVER_URL,
        "resource_name": "Nextcloud",
        "authorization_servers": [ISSUER],
        "scopes_supported": [SERVER_SCOPE["exchange"], *EVERYTHING.split()],
        "bearer_methods_supported": ["header"],
    }


async def test_metadata_without_issuer_is_503(server: Server) -> None:
    """While Keycloak is unreachable the issuer is unknown: 503 with `Retry-After`, not an empty document."""
    server.keycloak.down()
    response = await server.http.get(METADATA_URL)
    assert response.status_code == 503
    assert "Retry-After" in response.headers


@pytest.mark.requirement("rfc9728-well-known", "rfc9728-no-terminating-slash")
@pytest.mark.parametrize(
    ("resource", "metadata_url"),
    [
        pytest.param(
            "https://mcp.example.org/mcp",
            "https://mcp.example.org/.well-known/oauth-protected-resource/mcp",
            id="path",
        ),
        pytest.param(
            "https://mcp.example.org", "https://mcp.example.org/.well-known/oauth-protected-resource", id="no path"
        ),
        pytest.param(
            "http://[::1]:8000/a/b", "http://[::1]:8000/.well-known/oauth-protected-resource/a/b", id="IPv6, two levels"
        ),
    ],
)
def test_the_well_known_part_goes_before_the_path(resource: str, metadata_url: str) -> None:
    """RFC 9728 section 3.1 inserts the well-known string between host and path."""
    described = Challenge(resource, server_scope="s", tool_scopes=[], first_scopes=[])
    assert described.metadata_url == metadata_url
    assert described.metadata_path == httpx.URL(metadata_url).path


@pytest.mark.requirement("rfc6750-bearer-scheme", "rfc6750-parameters-once", "rfc6750-parameter-characters")
@pytest.mark.parametrize(
    "reason",
    [
        pytest.param('it says "no"', id="quotes"),
        pytest.param("a\\b", id="backslash"),
        pytest.param("one\r\nSet-Cookie: a=b", id="line break"),
        pytest.param("schlüssel ✗", id="not ASCII"),
    ],
)
def test_reason_is_quoted_safely(reason: str) -> None:
    """Whatever the reason contains, the header stays one bearer challenge."""
    described = Challenge(SERVER_URL, server_scope="s", tool_scopes=["t"], first_scopes=["t"])
    response = described.invalid_token(InvalidTokenError("{reason}", "sign in again", reason=reason))
    parameters = challenge(httpx.Response(401, headers=response.headers.items()))
    assert parameters.keys() == {"error", "error_description", "scope", "resource_metadata"}


async def test_initial_scopes_are_configurable() -> None:
    """The first challenge has the operator's scopes; the metadata lists all, for step-up."""
    async with serving({**EXCHANGE, "MCP_FIRST_SCOPES": "notes:read files:read"}) as server:
        no_token = await server.request("tools/list", token=None)
        assert challenge(no_token)["scope"] == f"{SERVER_SCOPE['exchange']} files:read notes:read"
        metadata = (await server.http.get(METADATA_URL)).json()
        assert metadata["scopes_supported"] == [SERVER_SCOPE["exchange"], *EVERYTHING.split()]
