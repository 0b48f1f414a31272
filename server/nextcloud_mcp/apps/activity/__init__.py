"""What changed, by whom and where (Nextcloud's app Activity)."""

from typing import Final

from nextcloud_mcp.apps.activity import tools
from nextcloud_mcp.boundary.declaration import App, tools_in

APP: Final = App(
    "activity",
    key="activity",
    probe="GET /ocs/v2.php/apps/activity/api/v2/activity/filters?format=json",
    tools=tools_in(tools),
)
