"""Calendars and tasks: iCalendar (RFC 5545) over CalDAV (RFC 4791)."""

from typing import Final

from nextcloud_mcp.apps.calendar import tools
from nextcloud_mcp.boundary.declaration import App

APP: Final = App(
    "calendar",
    key="dav",
    probe="PROPFIND /remote.php/dav/calendars/{user}/",
    tools=tools.TOOLS,
)
