"""Resolving calendar names in tool arguments, and the additional scopes for the calendars of Deck boards."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any, Final

from nextcloud_mcp.apps.calendar.caldav import calendars
from nextcloud_mcp.auth.admission import Admission
from nextcloud_mcp.boundary import declaration
from nextcloud_mcp.boundary.addresses import accepts_collection
from nextcloud_mcp.boundary.call import Call
from nextcloud_mcp.boundary.lookup import Named, Translated
from nextcloud_mcp.boundary.schemas import described
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.names import Thing

DECK_CALENDAR: Final = "app-generated--deck--"
"""Part of the name of each calendar that Nextcloud generates from a Deck board; its tasks are the board's cards."""


def _with_deck(access: str) -> Callable[[Mapping[str, Any]], frozenset[str]]:
    def more_scopes(arguments: Mapping[str, Any]) -> frozenset[str]:
        named = (str(value).casefold() for name, value in arguments.items() if "calendar" in name)
        return frozenset({f"deck:{access}"} if any(DECK_CALENDAR in each for each in named) else ())

    return more_scopes


reads: Final = partial(declaration.reads, more_scopes=_with_deck("read"))
"""Declares a tool that changes nothing; for the calendar of a Deck board it also requires `deck:read`."""

writes: Final = partial(declaration.writes, more_scopes=_with_deck("write"))
"""Declares a tool that changes something; for the calendar of a Deck board it also requires `deck:write`."""


def hidden_calendars(admission: Admission) -> str | None:
    """Return the text that marks names of calendars to hide: `DECK_CALENDAR` if the token lacks `deck:read`."""
    return None if "deck:read" in admission.principal.scopes else DECK_CALENDAR


async def _calendars(nextcloud: Nextcloud, arguments: Mapping[str, Any]) -> list[Thing]:
    """Return the user's calendars; the calendar of a Deck board only if the call passes its name.

    The Deck scope is checked by name. A lookup by title would bypass that check.
    """
    named = {str(value) for name, value in arguments.items() if "calendar" in name}
    found = await calendars.list_calendars(nextcloud)
    return [
        Thing(each.name, each.display_name) for each in found if DECK_CALENDAR not in each.name or each.name in named
    ]


_URL: Final = accepts_collection(r"/remote\.php/dav/calendars/(?P<owner>[^/]+)/([^/]+)/?")


async def _by_url(call: Call, given: str, arguments: Mapping[str, Any]) -> str:
    """Return the name of a calendar of the user, given its URL or its name with a trailing slash; else return `given`.

    A URL that hides the name of a Deck calendar by percent-encoding is not resolved, because the check of the Deck
    scope reads `given`.
    """
    name = await _URL.translate(call, given, arguments)
    hides_deck = DECK_CALENDAR in name.casefold() and DECK_CALENDAR not in given.casefold()
    return given if hides_deck else name


CalendarName = Annotated[str, Translated(_by_url), Named("calendar", _calendars, scope="calendar:read")]

Priority = Annotated[int, described("1 (highest) to 9; 0: none")]
"""The priority of an event or a task (RFC 5545 section 3.8.1.9)."""
