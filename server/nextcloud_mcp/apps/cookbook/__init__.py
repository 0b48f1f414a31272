"""Recipes of Nextcloud's app Cookbook."""

from typing import Final

from nextcloud_mcp.apps.cookbook import tools
from nextcloud_mcp.boundary.declaration import App, tools_in

APP: Final = App(
    "cookbook",
    key="cookbook",
    probe="GET /index.php/apps/cookbook/api/v1/config",
    tools=tools_in(tools),
    resources=tools.RESOURCES,
)
