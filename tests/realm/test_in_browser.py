"""The theme's pages in Chromium: what is in view, what the script shows, and the account console."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from keycloak import KeycloakAdmin

from stack.keycloak import Keycloak
from tests.support.chromium import DESKTOP, PHONE, missing, new_page, run_chromium, sign_in
from tests.support.oauth import CLIENT_ID, LOOPBACK_CALLBACK, Person, Pkce
from tests.support.pages import ALL_SCOPES

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "Chromium is there")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A running Chromium."""
    with run_chromium() as browser:
        yield browser


def request(keycloak: Keycloak, mode: str = "exchange", **parameters: str) -> str:
    """Return the URL of an authorization request for all scopes."""
    return f"{keycloak.issuer}/protocol/openid-connect/auth?" + urlencode(
        {
            "response_type": "code",
            "client_id": CLIENT_ID,
            "redirect_uri": LOOPBACK_CALLBACK,
            "scope": f"nextcloud-mcp:{mode} {ALL_SCOPES}",
            **Pkce().parameters,
            **parameters,
        }
    )


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("mode", ["exchange", "pass-through"])
def test_buttons_are_in_view(
    keycloak: Keycloak, someone: Person, chromium: Any, size: tuple[int, int], language: str, mode: str
) -> None:
    """With all scopes, both buttons and the list are in view without scrolling, and no request leaves Keycloak."""
    page = new_page(chromium, size, language=language)
    addresses: list[str] = []
    page.on("request", lambda sent: addresses.append(sent.url))
    sign_in(page, request(keycloak, mode), **someone)

    boxes = [page.locator(part).bounding_box() for part in ("#kc-login", "#kc-cancel", "#kc-scopes")]
    assert all(box and box["y"] >= 0 and box["y"] + box["height"] <= size[1] for box in boxes), boxes
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert [address for address in addresses if not address.startswith(keycloak.url)] == []


def test_page_says_who_is_signed_in(keycloak: Keycloak, someone: Person, chromium: Any) -> None:
    """The page shows the name that was typed, also in another tab, and forgets it after that."""
    page = new_page(chromium, DESKTOP)
    page.route(f"{LOOPBACK_CALLBACK}*", lambda route: route.fulfill(body=""))
    sign_in(page, request(keycloak), **someone)
    assert page.inner_text("#signed-in-as") == someone["username"]
    page.click("#kc-login")
    page.wait_for_url(f"{LOOPBACK_CALLBACK}*")

    tab = page.context.new_page()
    tab.goto(request(keycloak, prompt="consent"))
    assert tab.inner_text("#signed-in-as") == someone["username"]

    tab.click("#sign-in-as-somebody-else")
    tab.wait_for_selector("#username")
    assert tab.evaluate("localStorage.length") == 0


def test_account_console_ends_what_was_granted(
    keycloak: Keycloak, admin: KeycloakAdmin, someone: Person, chromium: Any
) -> None:
    """People see in the account console what they granted, in words, and end it there; foreign pages are no links."""
    page = new_page(chromium, DESKTOP)
    page.route(f"{LOOPBACK_CALLBACK}*", lambda route: route.fulfill(body=""))
    sign_in(page, request(keycloak), **someone)
    page.click("#kc-login")
    page.wait_for_url(f"{LOOPBACK_CALLBACK}*")
    user = str(admin.get_user_id(someone["username"]))
    assert [consent["clientId"] for consent in admin.user_consents(user)] == [CLIENT_ID]

    page.goto(f"{keycloak.issuer}/account/applications")
    row = page.locator("li", has_text="MCP client")
    row.locator("button[id*=toggle]").first.click()
    assert "Read your notes" in row.inner_text()
    row.get_by_role("button", name="Remove access").click()
    page.get_by_role("dialog").get_by_role("button", name=re.compile("Confirm|Continue|Remove")).first.click()
    page.locator("li", has_text="MCP client").wait_for(state="detached")

    assert admin.user_consents(user) == []
