"""What changed, by whom and where (Nextcloud's app Activity)."""

from typing import Final

from nextcloud_mcp.apps.activity import tools
from nextcloud_mcp.boundary.declaration import App, tools_in

APP: Final = App("activity", tools=tools_in(tools))
