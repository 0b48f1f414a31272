"""One tool an app, called by a client that became known to Keycloak in one of the ways."""

from typing import Any, Final

from mcp.client import Client

from tests.e2e.journeys import JOURNEYS
from tests.support.mcp_client import text_of

TOOLS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    **{app: module.GLANCE for app, module in JOURNEYS.items()},
    "activity": ("nc_activity_list", {"limit": 1}),
    "notifications": ("nc_notifications_list", {"limit": 1}),
}
"""A reading tool of each app with its arguments."""


async def call_every_app(client: Client) -> None:
    """Call the tool of each app; all must succeed."""
    failed = {}
    for app, (tool, arguments) in TOOLS.items():
        answer = await client.call_tool(tool, arguments)
        if answer.is_error:
            failed[app] = text_of(answer)
    assert not failed
