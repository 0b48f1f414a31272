"""Tables and rows of Nextcloud's app Tables."""

from typing import Final

from nextcloud_mcp.apps.tables import tools
from nextcloud_mcp.boundary.declaration import App, tools_in

APP: Final = App(
    "tables",
    key="tables",
    probe="GET /index.php/apps/tables/api/1/tables",
    tools=tools_in(tools),
)
