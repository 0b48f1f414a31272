"""A token does through one app no more than its scopes allow in another."""

import pytest

from stack.chain import Chain
from tests.abuse.limited_server import LimitedServer
from tests.support.http import patient_client
from tests.support.mcp_http import challenge, tool_request
from tests.support.oauth import sign_in
from tests.support.run import PEOPLE

LINK = {"path": "/", "share_with": "", "share_type": 3}


@pytest.mark.parametrize(
    ("granted", "tool", "arguments", "missing"),
    [
        ("sharing:write", "nc_share_create", LINK | {"permissions": 31}, {"files:read", "files:write"}),
        ("sharing:write", "nc_share_create", LINK, {"files:read"}),
        ("sharing:write", "nc_share_list", {}, {"files:read"}),
        ("sharing:write files:read", "nc_share_create", LINK | {"permissions": "31"}, {"files:write"}),
        ("sharing:write files:read", "nc_share_update", {"share_id": 1, "permissions": 3}, {"files:write"}),
        ("files:write notes:read", "nc_webdav_copy_resource", {}, {"files:read"}),
        ("files:write notes:read", "nc_webdav_move_resource", {}, {"files:read"}),
        ("cookbook:write", "nc_cookbook_set_config", {"folder": "/"}, {"files:read", "files:write"}),
        (
            "calendar:read todo:read",
            "nc_calendar_list_todos",
            {"calendar_name": "app-generated--deck--board-1"},
            {"deck:read"},
        ),
    ],
)
async def test_one_scope_does_not_give_what_another_guards(
    limited: LimitedServer, chain: Chain, granted: str, tool: str, arguments: dict[str, object], missing: set[str]
) -> None:
    """In both modes the call is refused with HTTP 403, and the challenge names what is missing."""
    tokens = await sign_in(chain.keycloak, **PEOPLE["alice"], scope=f"{limited.scope} {granted}")
    request = tool_request(tool, arguments, token=tokens["access_token"], Host=limited.host)
    async with patient_client() as http:
        response = await http.post(limited.url, **request)
    assert response.status_code == 403
    asked_for = challenge(response)
    assert asked_for["error"] == "insufficient_scope"
    assert set(asked_for["scope"].split()) == {limited.scope, *granted.split(), *missing}
