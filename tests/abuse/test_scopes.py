"""No app gives access to another app's data beyond the token's scopes."""

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
async def test_call_that_needs_another_apps_scope_is_403(
    limited: LimitedServer, chain: Chain, granted: str, tool: str, arguments: dict[str, object], missing: set[str]
) -> None:
    """In both modes the call gets HTTP 403, and the challenge names the missing scope."""
    tokens = await sign_in(chain.keycloak, **PEOPLE["alice"], scope=f"{limited.scope} {granted}")
    request = tool_request(tool, arguments, token=tokens["access_token"], Host=limited.host)
    async with patient_client() as http:
        response = await http.post(limited.url, **request)
    assert response.status_code == 403
    asked_for = challenge(response)
    assert asked_for["error"] == "insufficient_scope"
    assert set(asked_for["scope"].split()) == {limited.scope, *granted.split(), *missing}
