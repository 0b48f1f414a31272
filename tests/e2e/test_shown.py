"""Tool lists show only the tools of the apps that this Nextcloud has."""

from nextcloud_mcp.catalogue import APPS
from tests.e2e.servers import Connect, NextcloudOf
from tests.support.declared import TOOL_SCOPES


async def test_tools_of_available_apps_are_listed(connect: Connect, nextcloud_of: NextcloudOf) -> None:
    """The list has each tool whose app Nextcloud announces to the user, and no other tool."""
    async with nextcloud_of("alice") as nextcloud, connect("alice") as client:
        answer = await nextcloud.get("/ocs/v2.php/cloud/capabilities", params={"format": "json"})
        announced = answer.json()["ocs"]["data"]["capabilities"].keys()
        shown = {tool.name for tool in (await client.list_tools()).tools}

    there = {tool.name for app in APPS if app.key in announced for tool in app.tools}
    assert "nc_notes_get_note" in there
    assert shown == there <= TOOL_SCOPES.keys()
