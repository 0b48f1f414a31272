"""Notes (Nextcloud's app Notes)."""

from typing import Final

from nextcloud_mcp.apps.notes import tools
from nextcloud_mcp.boundary.declaration import App, tools_in

APP: Final = App(
    "notes",
    key="notes",
    probe="GET /index.php/apps/notes/api/v1/notes?exclude=title,content",
    tools=tools_in(tools),
    resources=tools.RESOURCES,
)
