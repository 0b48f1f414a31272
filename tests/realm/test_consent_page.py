"""The theme's pages on the real Keycloak: what the consent page says, in both languages, and what no page shows."""

import html
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import httpx
import pytest
from keycloak import KeycloakAdmin

from stack.keycloak import REALM_FILE, THEMES, Keycloak
from tests.realm.clients import Register
from tests.support.administration import client_with, somebody_new
from tests.support.browser import BrowserError, Page
from tests.support.http import patient_client
from tests.support.oauth import CLIENT_ID, LOOPBACK_CALLBACK, Person, metadata
from tests.support.pages import ALL_SCOPES, LINES, Reader, authorize_in, foreign_addresses

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


async def registered(register: Register, **client: Any) -> str:
    """Register a client, and return its id."""
    answer = await register(token_endpoint_auth_method="none", **client)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["client_id"])


@pytest.mark.parametrize("language", LINES)
async def test_consent_page_has_one_line_an_app(keycloak: Keycloak, someone: Person, language: str) -> None:
    """With all scopes, each app has one line in the browser's language, and the server's scope is a plain sentence."""
    browser = Reader(language=language)
    assert "code" in await authorize_in(keycloak, browser, someone, scope=f"nextcloud-mcp:exchange {ALL_SCOPES}")

    assert browser.consents == [LINES[language]]


async def test_pass_through_says_that_the_token_opens_everything(keycloak: Keycloak, someone: Person) -> None:
    """The page says in plain words that a pass-through token is not limited to the list."""
    browser = Reader()
    await authorize_in(
        keycloak, browser, someone, scope="nextcloud-mcp:pass-through calendar:read calendar:write notes:read"
    )

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
        await authorize_in(keycloak, browser, someone, scope="notes:read printing")
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
    await authorize_in(keycloak, browser, someone, client_id=client_id)

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
    await authorize_in(
        keycloak, browser, someone, client_id=client_id, redirect_uri=redirect_uri, state='"ü🔒\\",' + "x" * 500
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
            await authorize_in(keycloak, browser, someone, redirect_uri=redirect_uri, prompt="consent")
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
        await authorize_in(keycloak, browser, someone)
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
            await authorize_in(keycloak, browser, someone, client_id=client_id, prompt="consent")
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
