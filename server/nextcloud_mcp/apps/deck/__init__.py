"""Boards with cards (Nextcloud's app Deck)."""

from typing import Final

from nextcloud_mcp.apps.deck import tools
from nextcloud_mcp.boundary.declaration import App, tools_in

APP: Final = App("deck", tools=tools_in(tools), resources=tools.RESOURCES)
