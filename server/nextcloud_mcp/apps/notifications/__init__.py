"""Notifications (Nextcloud's app Notifications)."""

from typing import Final

from nextcloud_mcp.apps.notifications import tools
from nextcloud_mcp.boundary.declaration import App, tools_in

APP: Final = App("notifications", tools=tools_in(tools))
