"""The limits of a token: the other server, Nextcloud, its scopes, and a Keycloak that is down."""

import pytest

from stack.chain import Chain
from stack.config import EXCHANGE_CLIENT_SECRET
from stack.process import free_port
from stack.servers import run_server
from tests.e2e.servers import NextcloudOf, Server, TokenFor
from tests.support.http import patient_client
from tests.support.mcp_http import call_tool, challenge, result
from tests.support.minting import Minter, rsa_key
from tests.support.oauth import claims
from tests.support.proxy import run_proxy
from tests.support.threads import in_thread


@pytest.mark.requirement(
    "mcp-validate-audience",
    "mcp-no-other-token",
    "best-tokens-for-this-server",
    "rfc9068-audience-verified",
    "rfc9068-distinct-audiences",
    "rfc9728-audience-restricted",
)
async def test_token_for_one_server_is_refused_by_the_other(
    server: Server, exchange: Server, pass_through: Server, token_of: TokenFor
) -> None:
    """A server refuses a token that does not have it as audience."""
    other = pass_through if server is exchange else exchange
    response = await call_tool(other.url, "nc_whoami", token=await token_of())

    assert response.status_code == 401
    assert challenge(response)["error"] == "invalid_token"


@pytest.mark.requirement("mcp-no-passthrough", "rfc8707-one-resource")
@pytest.mark.parametrize("server", ["exchange"], indirect=True)
async def test_nextcloud_refuses_exchange_mode_tokens(chain: Chain, token_of: TokenFor) -> None:
    """Nextcloud refuses the token that an MCP client holds in exchange mode."""
    token = await token_of()
    headers = {"Authorization": f"Bearer {token}", "OCS-APIRequest": "true"}
    async with patient_client(headers=headers) as http:
        response = await http.get(f"{chain.nextcloud.url}/ocs/v2.php/cloud/user?format=json")

    assert claims(token)["aud"] == chain.config.exchange_url
    assert response.status_code == 401


@pytest.mark.requirement(
    "mcp-insufficient-scope", "mcp-status-codes", "mcp-step-up-experience", "rfc6750-insufficient-scope"
)
async def test_call_without_the_scope_is_refused_before_it_runs(
    server: Server, token_of: TokenFor, nextcloud_of: NextcloudOf, unique: str
) -> None:
    """A call without its scope gets 403 with all scopes to request, and does not reach Nextcloud."""
    token = await token_of(scope="files:read")
    response = await call_tool(server.url, "nc_webdav_write_file", token=token, path=unique, content="no")
    async with nextcloud_of("alice") as nextcloud:
        seen = await nextcloud.get(f"/remote.php/dav/files/alice/{unique}")

    assert response.status_code == 403
    parameters = challenge(response)
    assert parameters["error"] == "insufficient_scope"
    assert parameters["scope"].split() == [server.scope, "files:read", "files:write"]
    assert "resource_metadata" in parameters
    assert seen.status_code == 404


@pytest.mark.requirement("best-scope-fewer-accepted", "rfc9068-authorization-claims")
async def test_token_with_one_scope_can_use_its_tools(server: Server, token_of: TokenFor) -> None:
    """A token with one scope can use that scope's tools, and nc_whoami lists the missing scopes."""
    token = await token_of(scope="notes:read")
    found = result(await call_tool(server.url, "nc_notes_search_notes", token=token, query=""))
    who = result(await call_tool(server.url, "nc_whoami", token=token))["structuredContent"]

    assert not found.get("isError")
    assert who["tools_left_out"]["nc_webdav_read_file"] == ["files:read"]
    assert "nc_notes_get_note" not in who["tools_left_out"]
    assert "files:read" in who["how_to_get_more"]


async def test_keycloak_down_in_both_modes(chain: Chain, exchange: Server, token_of: TokenFor, server: Server) -> None:
    """Without Keycloak, pass-through works for known keys, an exchange is a tool error, and an unknown key gets 503."""
    token = await token_of()
    unknown_key = Minter(issuer=chain.keycloak.issuer, resource=server.url, key=rsa_key("unknown"))
    settings = {"NEXTCLOUD_HOST": chain.nextcloud.url}
    if server is exchange:
        settings |= {"ENABLE_TOKEN_EXCHANGE": "true", "OIDC_CLIENT_SECRET": EXCHANGE_CLIENT_SECRET}
    public_name = server.origin.removeprefix("http://")
    async with run_proxy(chain.config.keycloak_port) as proxy:
        discovery_url = chain.keycloak.discovery_url.replace(str(chain.config.keycloak_port), str(proxy.port))
        settings["OIDC_DISCOVERY_URL"] = discovery_url
        port = free_port()
        running = run_server(f"cut-{server.mode}", server.url, port, settings, logs=chain.config.state)
        async with in_thread(running) as url:
            before = result(await call_tool(url, "nc_whoami", token=token, host=public_name))
            proxy.cut()
            during = result(await call_tool(url, "nc_whoami", token=token, host=public_name))
            unknown = await call_tool(url, "nc_whoami", token=unknown_key.mint(), host=public_name)
            proxy.mend()
            after = result(await call_tool(url, "nc_whoami", token=token, host=public_name))

    assert not before.get("isError")
    assert not after.get("isError")
    assert unknown.status_code == 503
    assert int(unknown.headers["retry-after"]) > 0
    if server is exchange:
        assert during["isError"]
        assert "Keycloak can't be reached" in during["content"][0]["text"]
    else:
        assert not during.get("isError")
