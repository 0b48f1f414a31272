"""Calendars by the names that people see."""

from collections.abc import Mapping
from typing import Annotated, Any

from nextcloud_mcp.auth.scopes import DECK_CALENDAR
from nextcloud_mcp.boundary.lookup import Named
from nextcloud_mcp.nextcloud import caldav
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.names import Thing


async def _calendars(nextcloud: Nextcloud, arguments: Mapping[str, Any]) -> list[Thing]:
    """Return the calendars; a Deck board is among them only if the call names it.

    For their own names the scope is checked; by their titles they would be found without it.
    """
    named = {str(value) for name, value in arguments.items() if "calendar" in name}
    found = await caldav.list_calendars(nextcloud)
    return [
        Thing(each.name, each.display_name) for each in found if DECK_CALENDAR not in each.name or each.name in named
    ]


CalendarName = Annotated[str, Named("calendar", _calendars, scope="calendar:read")]
