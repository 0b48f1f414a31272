"""The theme's pages on the real Keycloak: what the consent page says, in both languages, and what no page shows."""

import html
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import httpx
import pytest
from keycloak import KeycloakAdmin

from stack.keycloak import REALM_FILE, THEMES, Keycloak
from tests.realm.clients import LOOPBACK_CALLBACK, Register
from tests.support.administration import client_with, somebody_new
from tests.support.browser import Browser, BrowserError, Page
from tests.support.http import patient_client
from tests.support.oauth import CLIENT_ID, Person, Pkce, authorize, metadata

ALL: Final = (
    "files:read files:write notes:read notes:write calendar:read calendar:write todo:read todo:write contacts:read "
    "contacts:write sharing:write deck:read deck:write tables:read tables:write cookbook:read cookbook:write "
    "activity:read notifications:read notifications:write"
)
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
        "Sie erreicht nur, was hier steht, und nur solange Sie angemeldet sind.",
    ],
}
NAMES: Final = {
    "the cloud's own": ("Nextcloud", "Nextcloud"),
    "right to left": ("\u202eduolctxeN", "duolctxeN"),
    "an isolate that ends early": ("a\u2069\u202eb", "a b"),
    "Arabic": ("مساعد", "مساعد"),
    "markup": ('<a href="https://attacker.example">Nextcloud</a>', '<a href="https://attacker.example">Nextcloud</a>'),
    "lines": ("Nextcloud\n\nEverything is in order", "Nextcloud Everything is in order"),
    "a message of Keycloak's": ("${client_account-console}", "${client_account-console}"),
    "an expression": ("${7*7} {0} [=7*7]", "${7*7} {0} [=7*7]"),
    "an emoji": ("Official 🔒", "Official 🔒"),
    "many accents": ("a" + "\u0301" * 40, "a\u0301\u0301"),
    "invisible": ("\u200b\u200b", None),
    "255 characters": ("x" * 255, "x" * 79 + "…"),
}
REDIRECTS: Final = {
    LOOPBACK_CALLBACK: "this computer",
    "http://127.0.0.1:1/": "this computer",
    "https://claude.ai/api/mcp/auth_callback": "claude.ai",
    "https://vscode.dev/redirect": "vscode.dev",
}
FOREIGN: Final = "https://attacker.example/page"


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


async def shown(keycloak: Keycloak, who: Person, browser: Reader, **parameters: str) -> dict[str, str]:
    """Sign in by a client, and return what the client gets."""
    request = {"scope": "nextcloud-mcp:exchange notes:read", "redirect_uri": LOOPBACK_CALLBACK} | parameters
    return await authorize(keycloak, browser, **who, **request, **Pkce().parameters)


async def registered(register: Register, **client: Any) -> str:
    """Register a client, and return its id."""
    answer = await register(token_endpoint_auth_method="none", **client)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["client_id"])


def foreign_addresses(keycloak: Keycloak, pages: list[str]) -> set[str]:
    """Return the addresses in attributes of the pages that are not Keycloak's."""
    found = {html.unescape(value) for page in pages for value in re.findall(r'(?:src|href|action)="([^"]*)"', page)}
    return {value for value in found if urlsplit(value).netloc not in {"", urlsplit(keycloak.url).netloc}}


@pytest.mark.parametrize("language", LINES)
async def test_consent_page_has_one_line_an_app(keycloak: Keycloak, someone: Person, language: str) -> None:
    """With all scopes, each app has one line in the browser's language, and the server's scope is a plain sentence."""
    browser = Reader(language=language)
    assert "code" in await shown(keycloak, someone, browser, scope=f"nextcloud-mcp:exchange {ALL}")

    assert browser.consents == [LINES[language]]


async def test_pass_through_says_that_the_token_opens_everything(keycloak: Keycloak, someone: Person) -> None:
    """The page says in plain words that a pass-through token is not limited to the list."""
    browser = Reader()
    await shown(keycloak, someone, browser, scope="nextcloud-mcp:pass-through calendar:read calendar:write notes:read")

    *apps, server = browser.consents[0]
    assert sorted(apps) == ["Calendar: read and change", "Notes: read"]
    assert server == (
        "Caution: the key that it gets opens everything that you have in Nextcloud, even what is not listed here."
    )


async def test_consent_text_of_another_scope_is_its_own_line(
    keycloak: Keycloak, admin: KeycloakAdmin, someone: Person
) -> None:
    """A scope that an organisation adds has the text that its administrator wrote."""
    scope = admin.create_client_scope(
        {
            "name": "printing",
            "protocol": "openid-connect",
            "attributes": {"display.on.consent.screen": "true", "consent.screen.text": "Print <b>for you</b>"},
        }
    )
    admin.add_client_optional_client_scope(str(admin.get_client_id(CLIENT_ID)), scope, {})
    try:
        browser = Reader()
        await shown(keycloak, someone, browser, scope="notes:read printing")
    finally:
        admin.delete_client_scope(scope)

    assert browser.consents == [["Notes: read", "Print <b>for you</b>"]]


@pytest.mark.parametrize(("name", "text"), NAMES.values(), ids=NAMES)
async def test_name_is_shown_as_an_unverified_claim(
    keycloak: Keycloak, register: Register, someone: Person, name: str, text: str | None
) -> None:
    """The page shows a client's name as text that cannot reverse, end or fill it, and says that nobody checked it.

    Keycloak 26.7 has no policy for names.
    """
    browser = Reader()
    client_id = await registered(register, client_name=name)
    await shown(keycloak, someone, browser, client_id=client_id)

    assert browser.consent_page.texts["client-name"] == (text or client_id)
    (page,) = [each for each in browser.pages if 'name="accept"' in each]
    assert "Calls itself" in page
    assert "Nobody has checked this name." in page
    assert foreign_addresses(keycloak, browser.pages) == set()


@pytest.mark.parametrize(("redirect_uri", "text"), REDIRECTS.items(), ids=REDIRECTS.values())
async def test_page_names_the_host_that_gets_the_code(
    keycloak: Keycloak, register: Register, someone: Person, redirect_uri: str, text: str
) -> None:
    """The page names the host of the redirect URI of this request, also with a long state that is not ASCII."""
    browser = Reader()
    client_id = await registered(register, redirect_uris=[LOOPBACK_CALLBACK, redirect_uri])
    await shown(
        keycloak, someone, browser, client_id=client_id, redirect_uri=redirect_uri, state='"ü🔒\\",' + "x" * 500
    )

    assert browser.consent_page.texts["returns-to"] == text


async def test_redirect_to_an_app_names_its_scheme(keycloak: Keycloak, admin: KeycloakAdmin, someone: Person) -> None:
    """A redirect to an app's scheme names the scheme, and one with deceptive parts the host that gets the code."""
    cases = {
        "cursor://anysphere.cursor-mcp/oauth": "an app on this device, through cursor:",
        "com.example.app:/callback": "an app on this device, through com.example.app:",
        "https://claude.ai@attacker.example/x": "attacker.example",
        "https://localhost.attacker.example/x": "localhost.attacker.example",
    }
    with client_with(admin, CLIENT_ID, redirectUris=list(cases)):
        found = {}
        for redirect_uri in cases:
            browser = Reader()
            await shown(keycloak, someone, browser, redirect_uri=redirect_uri, prompt="consent")
            found[redirect_uri] = browser.consent_page.texts["returns-to"]

    assert found == cases


@dataclass
class Undecided(Reader):
    """A browser whose user reads the first consent page and does not answer it."""

    def _fill_in(self, response: httpx.Response, username: str, password: str) -> tuple[str, dict[str, str]]:
        if "accept" in Page(response.text).fields and self.grant:
            raise BrowserError("undecided")
        return super()._fill_in(response, username, password)


async def test_person_can_become_somebody_else(keycloak: Keycloak, admin: KeycloakAdmin, someone: Person) -> None:
    """The link on the consent page ends the session, and leads to the login page of the same request."""
    browser = Undecided()
    with pytest.raises(BrowserError, match="undecided"):
        await shown(keycloak, someone, browser)
    link = html.unescape(re.findall(r'id="sign-in-as-somebody-else" href="([^"]*)"', browser.pages[-1])[0])
    browser.pages.clear()
    browser.grant = False

    with somebody_new(admin) as (_, other):  # who has consented to nothing, so the consent page is shown
        answer = await browser.authorize(f"{keycloak.url}{link}", **other)

    assert "error=access_denied" in answer
    assert "password" in Page(next(page for page in browser.pages if page)).fields


async def test_no_page_shows_a_client_s_own_addresses(
    keycloak: Keycloak, admin: KeycloakAdmin, register: Register, someone: Person
) -> None:
    """Login, consent, error and logout pages have no logo, policy, terms or home page of a client."""
    client_id = await registered(register)
    attributes = {"logoUri": FOREIGN, "policyUri": FOREIGN, "tosUri": FOREIGN}
    parameters = {"client_id": client_id, "redirect_uri": LOOPBACK_CALLBACK, "response_type": "code"}
    document = await metadata(keycloak)
    for language in LINES:
        browser = Reader(language=language)
        with client_with(admin, client_id, baseUrl=FOREIGN, attributes=attributes):
            await shown(keycloak, someone, browser, client_id=client_id, prompt="consent")
            async with patient_client() as http:
                headers = {"accept-language": language}
                for url in (
                    f"{document['authorization_endpoint']}?{urlencode(parameters | {'redirect_uri': FOREIGN})}",
                    f"{document['authorization_endpoint']}?{urlencode(parameters | {'client_id': 'nobody'})}",
                    f"{document['end_session_endpoint']}?{urlencode({'client_id': client_id})}",
                ):
                    page = await http.get(url, headers=headers, follow_redirects=True)
                    browser.pages.append(page.text)
        titles = [Page(page).title for page in browser.pages if page]
        assert (
            titles[-3:]
            == {
                "en": ["This did not work", "This did not work", "Logging out"],
                "de": ["Das hat nicht geklappt", "Das hat nicht geklappt", "Abmelden"],
            }[language]
        )
        assert not any("attacker.example" in page for page in browser.pages)
        assert foreign_addresses(keycloak, browser.pages) == set()


async def test_browser_may_load_images_only_from_keycloak(keycloak: Keycloak) -> None:
    """The content security policy keeps a client's logo from loading under any theme, also in the account console."""
    async with patient_client() as http:
        page = await http.get(f"{keycloak.issuer}/account/", follow_redirects=True)

    assert "img-src 'self' data:;" in page.headers["content-security-policy"]


@pytest.mark.parametrize("language", LINES)
def test_account_console_has_the_realm_s_texts(language: str) -> None:
    """The account console, which does not use the realm's texts for scopes, has the same in its theme."""
    file = Path(THEMES) / "nextcloud-mcp" / "account" / "messages" / f"messages_{language}.properties"
    messages = dict(line.split("=", 1) for line in file.read_text().splitlines() if not line.startswith("#"))
    texts = json.loads(REALM_FILE.read_text())["localizationTexts"][language]

    assert messages == {key: text for key, text in texts.items() if key.startswith("consent")}


def test_both_languages_have_the_same_messages() -> None:
    """Every message of the theme is there in English and in German."""
    folder = Path(THEMES) / "nextcloud-mcp" / "login" / "messages"
    english, german = (
        [line.split("=")[0] for line in (folder / f"messages_{language}.properties").read_text().splitlines()]
        for language in ("en", "de")
    )
    assert english == german
