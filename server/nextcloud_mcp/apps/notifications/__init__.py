"""Notifications (Nextcloud's app Notifications)."""

from typing import Final

from nextcloud_mcp.apps.notifications import tools
from nextcloud_mcp.boundary.declaration import App, tools_in

APP: Final = App(
    "notifications",
    key="notifications",
    probe="GET /ocs/v2.php/apps/notifications/api/v2/notifications?format=json",
    tools=tools_in(tools),
)
