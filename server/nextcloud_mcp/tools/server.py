"""What this server offers: all tools, resources and prompts, behind the one boundary."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from mcp.server.lowlevel import Server

from nextcloud_mcp.boundary import server
from nextcloud_mcp.boundary.call import Services
from nextcloud_mcp.tools import (
    calendar,
    contacts,
    cookbook,
    deck,
    notes,
    search,
    sharing,
    tables,
    todo,
    trash,
    upload,
    webdav,
    whoami,
)
from nextcloud_mcp.tools.prompts import PROMPTS

MODULES: Final = (
    whoami,
    notes,
    webdav,
    search,
    upload,
    trash,
    sharing,
    calendar,
    todo,
    contacts,
    deck,
    cookbook,
    tables,
)
"""Where tools and resources are declared; `boundary.declaration` says how."""

INSTRUCTIONS: Final = (
    "Works on the signed-in person's own Nextcloud: files, shares, notes, calendars, tasks, contacts, boards, tables "
    "and recipes, as far as it has them and the token allows. Paths start at their root folder. "
    "Changes that could overwrite somebody's work need the ETag from reading first. "
    "nc_whoami tells who is signed in and which tools the granted scopes leave out."
)


def create_server(services: Services) -> Server[Services]:
    """Return the server with what is in the offer of `services`, which belong to the caller and are not closed."""

    @asynccontextmanager
    async def lifespan(_: Server[Services]) -> AsyncIterator[Services]:
        yield services

    return server.create_server(
        services.offer,
        MODULES,
        PROMPTS,
        lifespan=lifespan,
        title="Nextcloud",
        instructions=INSTRUCTIONS,
    )
