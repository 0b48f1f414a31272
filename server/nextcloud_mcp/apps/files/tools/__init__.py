"""The tools for files, search, uploads and the trash bin."""

from typing import Final

from nextcloud_mcp.apps.files.tools import files, search, trash, upload
from nextcloud_mcp.boundary.declaration import tools_in

TOOLS: Final = tools_in(files, search, upload, trash)
RESOURCES: Final = files.RESOURCES
