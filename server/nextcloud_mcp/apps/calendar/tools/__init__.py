"""The MCP tools for calendars, events and tasks."""

from typing import Final

from nextcloud_mcp.apps.calendar.tools import availability, bulk, calendars, events, tasks
from nextcloud_mcp.boundary.declaration import tools_in

TOOLS: Final = tools_in(calendars, events, availability, bulk, tasks)
