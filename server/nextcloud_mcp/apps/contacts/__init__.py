"""Contacts: vCards (RFC 6350) over CardDAV (RFC 6352)."""

from typing import Final

from nextcloud_mcp.apps.contacts import tools
from nextcloud_mcp.boundary.declaration import App, tools_in

APP: Final = App(
    "contacts",
    key="dav",
    probe="PROPFIND /remote.php/dav/addressbooks/users/{user}/",
    tools=tools_in(tools),
)
