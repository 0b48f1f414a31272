"""`tools.whoami`: who is signed in, and what that allows."""

import json

import pytest

from tests.support.declared import TOOL_SCOPES
from tests.support.issuer import answer
from tests.support.nextcloud import APPS, USER_PATH, ocs_user
from tests.support.server import EVERYTHING, Server, answered


async def test_tells_who_is_signed_in(server: Server) -> None:
    """The person as Nextcloud knows them, the client and the mode, and what the token carries."""
    server.nextcloud.on("GET", USER_PATH, ocs_user("oidc-4f2a", "Alice Liddell"))
    told = await server.use("nc_whoami", scope="openid notes:read")
    assert (told["user_id"], told["display_name"]) == ("oidc-4f2a", "Alice Liddell")
    assert (told["mode"], told["client_id"]) == ("exchange", "mcp-client")
    assert told["granted_scopes"] == ["notes:read", "openid"]


async def test_capabilities(server: Server) -> None:
    """As Nextcloud answers them, OCS envelope included; like the person's name they need no scope."""
    response = await server.read("nc://capabilities", scope="openid")
    (content,) = answered(response)["result"]["contents"]
    told = json.loads(content["text"])
    assert told["ocs"]["meta"]["statuscode"] == 200
    assert told["ocs"]["data"]["capabilities"].keys() == set(APPS)


async def test_tells_the_mode(pass_through_server: Server) -> None:
    """The person can see which way their token goes."""
    assert (await pass_through_server.use("nc_whoami"))["mode"] == "pass-through"


@pytest.mark.parametrize(
    "left_out",
    [
        pytest.param(set(), id="all granted"),
        pytest.param({"files:write"}, id="one missing"),
        pytest.param(set(EVERYTHING.split()), id="none granted"),
    ],
)
async def test_tells_what_is_left_out_and_how_to_get_it(server: Server, left_out: set[str]) -> None:
    """Each tool that the token can't call is named with the scope it needs, and one sentence says what to do."""
    granted = sorted(set(EVERYTHING.split()) - left_out)
    told = await server.use("nc_whoami", scope=" ".join(["openid", *granted]))
    assert told["tools_left_out"] == {
        tool: sorted(needed & left_out) for tool, needed in TOOL_SCOPES.items() if needed & left_out
    }
    assert told["how_to_get_more"] == (f"Sign in again and grant: {' '.join(sorted(left_out))}" if left_out else None)


async def test_a_token_that_nextcloud_refuses_is_explained(server: Server) -> None:
    """Nextcloud does not say whether it trusts the realm, or keeps a local account back: the person reads of both."""
    server.nextcloud.on("GET", USER_PATH, answer(401))
    sentence = await server.misuse("nc_whoami")
    assert "it has a local account of your name, which may not be used through Keycloak" in sentence
    assert "it does not trust this realm's present signing keys" in sentence


async def test_a_disabled_account_is_explained(server: Server) -> None:
    """Nextcloud names the person whom it refuses (measured on 34.0.1), which it does for no other reason."""
    server.nextcloud.on("GET", USER_PATH, answer(401, headers={"X-User-Id": "alice"}))
    assert await server.misuse("nc_whoami") == "Nextcloud has disabled your account: ask its administrator."
