"""Files over WebDAV, with search, large uploads and the trash bin."""

from typing import Final

from nextcloud_mcp.apps.files import tools
from nextcloud_mcp.boundary.declaration import App

APP: Final = App(
    "files",
    key="files",
    probe="PROPFIND /remote.php/dav/files/{user}/",
    tools=tools.TOOLS,
    resources=tools.RESOURCES,
)
