"""`apps.account.tools`: the signed-in user and what their token allows."""

import json

import pytest

from tests.support.declared import TOOL_SCOPES
from tests.support.issuer import answer
from tests.support.nextcloud import APPS, USER_PATH, ocs_user
from tests.support.server import EVERYTHING, Server, answered


async def test_returns_user_client_mode_and_token_claims(server: Server) -> None:
    """The result has the Nextcloud user, the client, the auth mode and the token's claims."""
    server.nextcloud.on("GET", USER_PATH, ocs_user("oidc-4f2a", "Alice Liddell"))
    told = await server.use("nc_whoami", scope="openid notes:read")
    assert (told["user_id"], told["display_name"]) == ("oidc-4f2a", "Alice Liddell")
    assert (told["mode"], told["client_id"]) == ("exchange", "mcp-client")
    assert told["granted_scopes"] == ["notes:read", "openid"]


async def test_capabilities(server: Server) -> None:
    """Returns Nextcloud's capabilities with the OCS envelope; like the user's name, they need no scope."""
    response = await server.read("nc://capabilities", scope="openid")
    (content,) = answered(response)["result"]["contents"]
    told = json.loads(content["text"])
    assert told["ocs"]["meta"]["statuscode"] == 200
    assert told["ocs"]["data"]["capabilities"].keys() == set(APPS)


async def test_returns_auth_mode(pass_through_server: Server) -> None:
    """The result says whether tokens are exchanged or passed through."""
    assert (await pass_through_server.use("nc_whoami"))["mode"] == "pass-through"


@pytest.mark.parametrize(
    "left_out",
    [
        pytest.param(set(), id="all granted"),
        pytest.param({"files:write"}, id="one missing"),
        pytest.param(set(EVERYTHING.split()), id="none granted"),
    ],
)
async def test_lists_unavailable_tools_with_required_scopes(server: Server, left_out: set[str]) -> None:
    """Each tool that the token can't call is listed with its scope, and one sentence says how to get it."""
    granted = sorted(set(EVERYTHING.split()) - left_out)
    told = await server.use("nc_whoami", scope=" ".join(["openid", *granted]))
    assert told["tools_left_out"] == {
        tool: sorted(needed & left_out) for tool, needed in TOOL_SCOPES.items() if needed & left_out
    }
    assert told["how_to_get_more"] == (f"Sign in again and grant: {' '.join(sorted(left_out))}" if left_out else None)


async def test_refused_token_error_names_possible_causes(server: Server) -> None:
    """Nextcloud gives no reason for the 401: the error names an untrusted realm and a local account."""
    server.nextcloud.on("GET", USER_PATH, answer(401))
    sentence = await server.misuse("nc_whoami")
    assert "it has a local account of your name, which may not be used through Keycloak" in sentence
    assert "it does not trust this realm's present signing keys" in sentence


async def test_disabled_account_is_reported_as_disabled(server: Server) -> None:
    """Nextcloud names the user only if the account is disabled (measured on 34.0.1)."""
    server.nextcloud.on("GET", USER_PATH, answer(401, headers={"X-User-Id": "alice"}))
    assert await server.misuse("nc_whoami") == "Nextcloud has disabled your account: ask its administrator."
