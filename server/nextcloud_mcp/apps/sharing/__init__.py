"""Shares of files and folders (Nextcloud's Share API)."""

from typing import Final

from nextcloud_mcp.apps.sharing import tools
from nextcloud_mcp.boundary.declaration import App, tools_in

APP: Final = App("files_sharing", tools=tools_in(tools))
