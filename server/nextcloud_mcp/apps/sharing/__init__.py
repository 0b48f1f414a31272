"""Shares of files and folders, through Nextcloud's OCS Share API."""

from typing import Final

from nextcloud_mcp.apps.sharing import tools
from nextcloud_mcp.boundary.declaration import App, tools_in

APP: Final = App(
    "sharing",
    key="files_sharing",
    probe="GET /ocs/v2.php/apps/files_sharing/api/v1/shares?format=json",
    tools=tools_in(tools),
)
