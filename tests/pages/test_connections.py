"""The page /connections in Chromium, with a real Keycloak: it lists who has access; the account console ends it."""

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Final
from urllib.parse import urlencode, urlsplit

import pytest
from keycloak import KeycloakAdmin
from playwright.sync_api import Browser, Error, Page, Request, expect

from stack.chain import Chain
from stack.keycloak import Keycloak
from tests.support.administration import client_with
from tests.support.chromium import DESKTOP, PHONE, Watch, barriers, new_page, sign_in
from tests.support.oauth import LOOPBACK_CALLBACK, Person, Pkce
from tests.support.second_window import WAIT, complete, leaks, user_consents, visitor, wait_until_closed

HOSTILE: Final = "<img src=x onerror=\"document.title='broken'\">"
"""The name of a client that attacks pages which show it."""


@pytest.fixture(scope="module")
def admin(keycloak: Keycloak) -> KeycloakAdmin:
    """Keycloak's administration API."""
    return keycloak.admin()


@pytest.fixture(scope="module")
def client_id(admin: KeycloakAdmin) -> Iterator[str]:
    """A client with a hostile name, as anyone can register one."""
    made = admin.create_client(
        {
            "clientId": "made-by-the-tests",
            "name": HOSTILE,
            "publicClient": True,
            "consentRequired": True,
            "fullScopeAllowed": False,
            "redirectUris": [LOOPBACK_CALLBACK],
        }
    )
    yield "made-by-the-tests"
    admin.delete_client(made)


@pytest.fixture
def person(keycloak: Keycloak) -> Iterator[Person]:
    """A person for this test alone."""
    with visitor(keycloak) as person:
        yield person


def grant(page: Page, keycloak: Keycloak, client_id: str, person: Person, scope: str) -> None:
    """Sign in to a client in the browser, and consent."""
    page.route(f"{LOOPBACK_CALLBACK}*", lambda route: route.fulfill(body=""))
    request = {"response_type": "code", "client_id": client_id, "redirect_uri": LOOPBACK_CALLBACK, "scope": scope}
    sign_in(page, f"{keycloak.issuer}/protocol/openid-connect/auth?{urlencode(request | Pkce().parameters)}", **person)
    page.locator("#kc-cancel").wait_for(timeout=WAIT)
    page.click("#kc-login")
    page.wait_for_url(f"{LOOPBACK_CALLBACK}*")


def without_question(page: Page, keycloak: Keycloak, client_id: str) -> None:
    """Sign in to a client in a browser that is signed in, to one that asks for no consent."""
    request = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": LOOPBACK_CALLBACK,
        "scope": "notes:read",
    }
    window = page.context.new_page()
    with suppress(Error):  # nothing listens at the client's address
        window.goto(f"{keycloak.issuer}/protocol/openid-connect/auth?{urlencode(request | Pkce().parameters)}")
    window.close()


def show(page: Page, chain: Chain, count: int) -> None:
    """Open the page in a browser that is signed in at Keycloak, and show the connections."""
    page.goto(f"{chain.config.exchange_url}/connections")
    window = complete(page, page.locator("#sign-in").click)
    expect(page.locator("#list > li")).to_have_count(count, timeout=WAIT)
    wait_until_closed(window, page)


def origin(request: Request) -> str:
    """Return the origin of a request's URL."""
    return "{0.scheme}://{0.netloc}".format(urlsplit(request.url))


def reload(page: Page, count: int) -> None:
    """Load the list again, and wait until it has so many entries."""
    window = complete(page, page.get_by_role("button", name="Reload the list").click)
    expect(page.locator("#list > li")).to_have_count(count, timeout=WAIT)
    wait_until_closed(window, page)


def test_connection_is_listed_with_the_link_that_ends_it(
    chromium: Browser, chain: Chain, keycloak: Keycloak, admin: KeycloakAdmin, person: Person, client_id: str
) -> None:
    """A client is listed with name, dates and rights in words; after its end in the account console it is gone."""
    page = new_page(chromium, DESKTOP)
    grant(page, keycloak, client_id, person, "nextcloud-mcp:exchange notes:read")
    watch, requests = Watch.over(page), list[Request]()
    page.context.on("request", lambda sent: requests.append(sent))  # noqa: PLW0108 - Playwright marks it
    show(page, chain, 1)

    row = page.locator("#list > li")
    expect(row.locator("h2 bdi")).to_have_text(HOSTILE)
    expect(row).to_contain_text("nobody has checked the name")
    expect(row.locator("bdi", has_text="Read your notes")).to_be_visible()
    for part in ("since", "used"):
        expect(row.locator(f"[data-{part}]")).to_have_text(re.compile(r"\d{4}.*\d:\d\d"))
    expect(page.locator("main")).to_contain_text("At a server that exchanges tokens: at its next call.")
    assert barriers(page) == []
    assert page.locator("main img").count() == 0
    assert "broken" not in page.title()
    assert leaks(page) == []
    assert watch.messages == []
    with_token = [each for each in requests if "authorization" in each.headers]
    assert {origin(each) for each in with_token} == {keycloak.url}
    assert {each.method for each in with_token} == {"GET"}
    assert {origin(each) for each in requests} == {keycloak.url, chain.config.exchange_url.removesuffix("/mcp")}

    with page.context.expect_page() as opened:
        row.get_by_role("link", name="End", exact=True).click()
    end_in_console(opened.value, client_id)
    assert user_consents(admin, person) == []
    reload(page, 0)
    expect(page.locator("#state")).to_contain_text("No program has access.")


def end_in_console(console: Page, client_id: str) -> None:
    """Remove a client's access, as the page's sentence says."""
    entry = console.locator("li", has=console.locator(f'[id*="{client_id}"]'))
    entry.locator("button[id*=toggle]").first.click()
    assert console.evaluate("window.opener") is None
    entry.get_by_role("button", name="Remove access").click()
    console.get_by_role("dialog").get_by_role("button", name=re.compile("Confirm|Continue|Remove")).first.click()
    entry.wait_for(state="detached")


def test_every_client_with_access_is_listed(
    chromium: Browser, chain: Chain, keycloak: Keycloak, admin: KeycloakAdmin, person: Person, client_id: str
) -> None:
    """A consent without a server's scope is listed, and so is a session without a consent; the pages are not."""
    page = new_page(chromium, PHONE, language="de")
    grant(page, keycloak, client_id, person, "notes:read")
    show(page, chain, 1)
    expect(page.locator("#list")).to_contain_text("„Zugriff entfernen“")
    admin.revoke_consent(str(admin.get_user_id(person["username"])), client_id)
    with client_with(admin, client_id, consentRequired=False):
        without_question(page, keycloak, client_id)
        show(page, chain, 1)
        expect(page.locator("#list [data-since]")).to_have_text("angemeldet, ohne Sie zu fragen")
        expect(page.locator("#list")).to_contain_text("„Geräteaktivität“")
        expect(page.locator("#state")).to_have_text("Programme mit Zugriff: 1.", timeout=WAIT)
        assert barriers(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]


def test_without_programs_the_page_says_so(chromium: Browser, chain: Chain, person: Person) -> None:
    """A person who has only used the page itself has no connection."""
    page = new_page(chromium, DESKTOP)
    page.goto(f"{chain.config.exchange_url}/connections")
    complete(page, page.locator("#sign-in").click, person)
    expect(page.locator("#state")).to_contain_text("No program has access.", timeout=WAIT)


def test_failure_is_told(chromium: Browser, chain: Chain, keycloak: Keycloak, person: Person, client_id: str) -> None:
    """If Keycloak does not return the list, the page says so; the next attempt works."""
    page = new_page(chromium, DESKTOP)
    grant(page, keycloak, client_id, person, "nextcloud-mcp:exchange")
    page.route("**/account/sessions", lambda route: route.fulfill(status=500))
    page.goto(f"{chain.config.exchange_url}/connections")
    window = complete(page, page.locator("#sign-in").click)
    expect(page.locator("#state")).to_contain_text("That failed", timeout=WAIT)
    wait_until_closed(window, page)
    page.unroute("**/account/sessions")
    complete(page, page.locator("#sign-in").click)
    expect(page.locator("#list > li")).to_have_count(1, timeout=WAIT)
