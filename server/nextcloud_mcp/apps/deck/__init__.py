"""Boards and cards of Nextcloud's app Deck."""

from typing import Final

from nextcloud_mcp.apps.deck import tools
from nextcloud_mcp.boundary.declaration import App, tools_in

APP: Final = App(
    "deck",
    key="deck",
    probe="GET /index.php/apps/deck/api/v1.1/boards",
    tools=tools_in(tools),
    resources=tools.RESOURCES,
)
