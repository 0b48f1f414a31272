"""The page /connections in Chromium, with a real Keycloak: what a person granted is listed and ended."""

import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import pytest
from keycloak import KeycloakAdmin
from playwright.sync_api import Browser, Page, Request, expect

from stack.chain import Chain
from stack.keycloak import Keycloak
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


def show(page: Page, chain: Chain, count: int) -> None:
    """Open the page in a browser that is signed in at Keycloak, and show the connections."""
    page.goto(f"{chain.config.exchange_url}/connections")
    window = complete(page, page.locator("#sign-in").click)
    expect(page.locator("#list > li")).to_have_count(count, timeout=WAIT)
    wait_until_closed(window, page)


def origin(request: Request) -> str:
    """Return the origin of a request's URL."""
    return "{0.scheme}://{0.netloc}".format(urlsplit(request.url))


def test_connection_is_listed_and_ended(
    chromium: Browser, chain: Chain, keycloak: Keycloak, admin: KeycloakAdmin, person: Person, client_id: str
) -> None:
    """A client is listed with name, dates and rights in words; its end withdraws the consent and ends its sessions."""
    page = new_page(chromium, DESKTOP)
    grant(page, keycloak, client_id, person, "nextcloud-mcp:exchange notes:read")
    assert user_consents(admin, person) == [client_id]
    watch, requests = Watch.over(page), list[Request]()
    page.context.on("request", lambda sent: requests.append(sent))  # noqa: PLW0108 - Playwright marks it
    show(page, chain, 1)

    row = page.locator("#list > li")
    expect(row.locator("h2")).to_have_text(HOSTILE)
    expect(row).to_contain_text("nobody has checked the name")
    expect(row).to_contain_text("Read your notes")
    for part in ("since", "used"):
        expect(row.locator(f"[data-{part}]")).to_have_text(re.compile(r"\d{4}.*\d:\d\d"))
    assert barriers(page) == []

    row.get_by_role("button", name="End", exact=True).click()
    expect(row.locator("[data-no]")).to_be_focused()  # Enter by mistake ends nothing
    assert barriers(page) == []
    row.get_by_role("button", name="Keep it").click()
    assert user_consents(admin, person) == [client_id]
    row.get_by_role("button", name="End", exact=True).click()
    row.get_by_role("button", name="End it").click()
    expect(row).to_have_count(0, timeout=WAIT)
    expect(page.locator("#state")).to_have_text(f"The connection to “{HOSTILE}” is ended.")

    assert user_consents(admin, person) == []
    sessions: list[dict[str, Any]] = admin.get_sessions(str(admin.get_user_id(person["username"])))
    assert client_id not in {name for session in sessions for name in session["clients"].values()}
    assert page.locator("main img").count() == 0
    assert "broken" not in page.title()
    assert leaks(page) == []
    assert watch.messages == []
    with_token = [each for each in requests if "authorization" in each.headers]
    assert {origin(each) for each in with_token} == {keycloak.url}
    assert {origin(each) for each in requests} == {keycloak.url, chain.config.exchange_url.removesuffix("/mcp")}


def test_what_is_not_for_the_servers_is_left_out(
    chromium: Browser, chain: Chain, keycloak: Keycloak, person: Person, client_id: str
) -> None:
    """A consent without a server's scope is not listed; the page says what that means, also in German, on a phone."""
    page = new_page(chromium, PHONE, language="de")
    grant(page, keycloak, client_id, person, "notes:read")
    show(page, chain, 0)
    expect(page.locator("#state")).to_contain_text("Kein Programm hat Zugriff.", timeout=WAIT)
    assert barriers(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]


def test_failure_is_told(chromium: Browser, chain: Chain, keycloak: Keycloak, person: Person, client_id: str) -> None:
    """If Keycloak refuses to end a connection, the page says so, and the connection stays listed."""
    page = new_page(chromium, DESKTOP)
    grant(page, keycloak, client_id, person, "nextcloud-mcp:exchange")
    show(page, chain, 1)
    page.route(
        "**/consent", lambda route: route.fulfill(status=500) if route.request.method == "DELETE" else route.continue_()
    )
    row = page.locator("#list > li")
    row.get_by_role("button", name="End", exact=True).click()
    row.get_by_role("button", name="End it").click()
    expect(page.locator("#state")).to_contain_text("That failed", timeout=WAIT)
    expect(row).to_have_count(1)
