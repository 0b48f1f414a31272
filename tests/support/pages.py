"""What Keycloak's pages show a person, and the texts that the theme has for the scopes."""

import html
import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import httpx

from stack.keycloak import Keycloak
from tests.support.browser import Browser, Page
from tests.support.oauth import LOOPBACK_CALLBACK, Person, Pkce, authorize

ALL_SCOPES: Final = (
    "files:read files:write notes:read notes:write calendar:read calendar:write todo:read todo:write contacts:read "
    "contacts:write sharing:write deck:read deck:write tables:read tables:write cookbook:read cookbook:write "
    "activity:read notifications:read notifications:write"
)
"""The scopes of all apps."""

LINES: Final = {
    "en": [
        "Files: read and change, also notes and recipes",
        "Notes: read and change",
        "Calendar: read and change",
        "Tasks: read and change",
        "Contacts: read and change",
        "Sharing: share files with others, end shares",
        "Deck boards: read and change",
        "Tables: read and change",
        "Recipes: read and change",
        "Activity: see what changed in all apps, and by whom",
        "Notifications: read and dismiss",
        "It reaches only what is listed here, and only while you are signed in.",
    ],
    "de": [
        "Dateien: lesen und ändern, auch Notizen und Rezepte",
        "Notizen: lesen und ändern",
        "Kalender: lesen und ändern",
        "Aufgaben: lesen und ändern",
        "Kontakte: lesen und ändern",
        "Teilen: Dateien mit anderen teilen, Freigaben beenden",
        "Deck-Boards: lesen und ändern",
        "Tabellen: lesen und ändern",
        "Rezepte: lesen und ändern",
        "Aktivitäten: sehen, wer was in allen Apps geändert hat",
        "Benachrichtigungen: lesen und verwerfen",
        "Die App erreicht nur, was hier steht, und nur, solange Sie angemeldet sind.",
    ],
}
"""The consent page's lines for these scopes and the exchange server's, by language."""


@dataclass
class Reader(Browser):
    """A browser with a preferred language that keeps the pages it was shown."""

    language: str = "en"
    pages: list[str] = field(default_factory=list)

    async def _send(
        self, http: httpx.AsyncClient, method: str, url: str, data: dict[str, str] | None = None
    ) -> httpx.Response:
        http.headers["accept-language"] = self.language
        response = await super()._send(http, method, url, data)
        self.pages.append(response.text)
        return response

    @property
    def consent_page(self) -> Page:
        """The consent page that was shown."""
        (page,) = [page for page in map(Page, self.pages) if "accept" in page.fields]
        return page


async def authorize_in(keycloak: Keycloak, browser: Reader, who: Person, **parameters: str) -> dict[str, str]:
    """Sign in by a client, and return what the client gets."""
    request = {"scope": "nextcloud-mcp:exchange notes:read", "redirect_uri": LOOPBACK_CALLBACK} | parameters
    return await authorize(keycloak, browser, **who, **request, **Pkce().parameters)


def foreign_addresses(keycloak: Keycloak, pages: list[str]) -> set[str]:
    """Return the addresses in attributes of the pages that are not Keycloak's."""
    found = {html.unescape(value) for page in pages for value in re.findall(r'(?:src|href|action)="([^"]*)"', page)}
    return {value for value in found if urlsplit(value).netloc not in {"", urlsplit(keycloak.url).netloc}}
