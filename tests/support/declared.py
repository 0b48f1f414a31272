"""The tools, resources and scopes that the apps declare."""

from typing import Final

from nextcloud_mcp.catalogue import APPS, offer

OFFER: Final = offer()

EVERYTHING: Final = " ".join(OFFER.scopes())
"""All scopes of the tools and resources, as the value of a `scope` parameter."""

TOOLS: Final = {tool.name: tool for app in APPS for tool in app.tools}
TOOL_SCOPES: Final = OFFER.tools
RESOURCE_SCOPES: Final = OFFER.resources
