"""Calendars by the names that people see."""

from collections.abc import Mapping
from typing import Annotated, Any

from nextcloud_mcp.auth.scopes import DECK_CALENDAR
from nextcloud_mcp.boundary.lookup import Named
from nextcloud_mcp.nextcloud import caldav
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.names import Thing


async def _calendars(nextcloud: Nextcloud, _: Mapping[str, Any]) -> list[Thing]:
    """Return the calendars, without the boards of Deck: the scope for those is checked against their own names."""
    found = await caldav.list_calendars(nextcloud, without=DECK_CALENDAR)
    return [Thing(calendar.name, calendar.display_name) for calendar in found]


CalendarName = Annotated[str, Named("calendar", _calendars, scope="calendar:read")]
