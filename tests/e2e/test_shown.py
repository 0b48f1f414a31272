"""What a client is shown: the tools whose apps this very Nextcloud has."""

from nextcloud_mcp.auth.scopes import TOOL_SCOPES
from nextcloud_mcp.tools.server import MODULES
from tests.e2e.conftest import Connect, NextcloudOf


async def test_tools_of_the_apps_that_are_there(connect: Connect, nextcloud_of: NextcloudOf) -> None:
    """Each tool whose app Nextcloud announces to the person, and no other."""
    async with nextcloud_of("alice") as nextcloud, connect("alice") as client:
        answer = await nextcloud.get("/ocs/v2.php/cloud/capabilities", params={"format": "json"})
        announced = answer.json()["ocs"]["data"]["capabilities"].keys()
        shown = {tool.name for tool in (await client.list_tools()).tools}

    there = {tool.name for module in MODULES if module.APP in announced for tool in module.TOOLS}
    assert "nc_notes_get_note" in there
    assert shown == there <= TOOL_SCOPES.keys()
