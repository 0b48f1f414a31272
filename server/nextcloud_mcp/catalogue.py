"""All apps and prompts of this server."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Final

from mcp.server.lowlevel import Server

from nextcloud_mcp.apps import (
    account,
    activity,
    calendar,
    contacts,
    cookbook,
    deck,
    files,
    notes,
    notifications,
    sharing,
    tables,
)
from nextcloud_mcp.auth.scopes import Offer, Requirement
from nextcloud_mcp.boundary import server
from nextcloud_mcp.boundary.call import Services
from nextcloud_mcp.prompts import PROMPTS

APPS: Final = tuple(
    each.APP
    for each in (
        account,
        notes,
        files,
        sharing,
        calendar,
        contacts,
        deck,
        cookbook,
        tables,
        activity,
        notifications,
    )
)
"""All apps, in the order in which clients see them."""

REQUIREMENTS: Final[tuple[Requirement, ...]] = tuple(each for app in APPS for each in app.requirements)

INSTRUCTIONS: Final = (
    "Works on the signed-in person's own Nextcloud: files, shares, notes, calendars, tasks, contacts, boards, tables, "
    "recipes, activities and notifications, as far as it has them and the token allows. "
    "Paths start at their root folder. Changes that could overwrite somebody's work need the ETag from reading first. "
    "Omit arguments that are not needed. "
    "nc_whoami shows who is signed in and which tools the token's scopes do not allow."
)


def offer(*, read_only: bool = False, apps: Collection[str] = ()) -> Offer:
    """Return an offer of all features; the arguments of `Offer` restrict it."""
    return Offer(REQUIREMENTS, read_only=read_only, apps=apps)


def app_names() -> list[str]:
    """Return all apps that scopes name, sorted."""
    return sorted({app for each in REQUIREMENTS for app in each.apps})


def scopes_of(app: str) -> list[str]:
    """Return all scopes that features of `app` need, also those of other apps, sorted."""
    return sorted({scope for each in REQUIREMENTS if app in each.apps for scope in each.scopes})


def create_server(services: Services, *, output_schemas: bool = True) -> Server[Services]:
    """Return the server with the offer of `services`; the caller owns `services` and closes them.

    Without `output_schemas`, tools are listed without the schemas of their results, which stay the same.
    """

    @asynccontextmanager
    async def lifespan(_: Server[Services]) -> AsyncIterator[Services]:
        yield services

    return server.create_server(
        services.offer,
        APPS,
        PROMPTS,
        output_schemas=output_schemas,
        lifespan=lifespan,
        title="Nextcloud",
        instructions=INSTRUCTIONS,
    )
