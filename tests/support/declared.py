"""What the apps declare, as tests ask for it."""

from typing import Final

from nextcloud_mcp.catalogue import APPS, offer

OFFER: Final = offer()

EVERYTHING: Final = " ".join(OFFER.scopes())
"""Every scope that something needs, as a client asks for them."""

TOOLS: Final = {tool.name: tool for app in APPS for tool in app.tools}
TOOL_SCOPES: Final = OFFER.tools
RESOURCE_SCOPES: Final = OFFER.resources
