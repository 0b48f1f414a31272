"""The signed-in user, and the capabilities of their Nextcloud."""

from typing import Final

from nextcloud_mcp.apps.account import tools
from nextcloud_mcp.boundary.declaration import App, tools_in

APP: Final = App("account", key="core", tools=tools_in(tools), resources=tools.RESOURCES)
