"""What a client is shown: the tools whose apps this very Nextcloud has."""

from nextcloud_mcp.catalogue import APPS
from tests.e2e.servers import Connect, NextcloudOf
from tests.support.declared import TOOL_SCOPES


async def test_tools_of_the_apps_that_are_there(connect: Connect, nextcloud_of: NextcloudOf) -> None:
    """Each tool whose app Nextcloud announces to the person, and no other."""
    async with nextcloud_of("alice") as nextcloud, connect("alice") as client:
        answer = await nextcloud.get("/ocs/v2.php/cloud/capabilities", params={"format": "json"})
        announced = answer.json()["ocs"]["data"]["capabilities"].keys()
        shown = {tool.name for tool in (await client.list_tools()).tools}

    there = {tool.name for app in APPS if app.key in announced for tool in app.tools}
    assert "nc_notes_get_note" in there
    assert shown == there <= TOOL_SCOPES.keys()
