"""A person at the pages with a sign-in: what happens in the second window, and what must never leave memory."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from keycloak import KeycloakAdmin
from playwright.sync_api import Error, Page

from stack.keycloak import Keycloak
from tests.support.administration import somebody_new
from tests.support.oauth import Person

WAIT: Final = 60_000
"""Milliseconds for which to wait for what a page shows."""

JWT: Final = re.compile(r"eyJ[\w-]{10,}\.eyJ")
"""The beginning of a JWT, with or without its signature: header and claims, each the base64url of `{"…`."""


@contextmanager
def visitor(keycloak: Keycloak, *roles: str) -> Iterator[Person]:
    """Create a user with these realm roles for the block."""
    admin = keycloak.admin()
    with somebody_new(admin) as (user_id, person):
        admin.assign_realm_roles(user_id, [admin.get_realm_role(role) for role in roles])
        yield person


def user_consents(admin: KeycloakAdmin, person: Person) -> list[str]:
    """Return the client ids of a person's consents."""
    return [each["clientId"] for each in admin.user_consents(str(admin.get_user_id(person["username"])))]


def complete(page: Page, click: Callable[[], None], person: Person | None = None, *, consents: bool = False) -> Page:
    """Let a click open the second window, and sign in or consent there; return the window.

    Args:
        page: the page with the button.
        click: the click.
        person: who signs in; None if the browser is signed in.
        consents: whether Keycloak asks for consent.
    """
    with page.expect_popup() as opened:
        click()
    window = opened.value
    with suppress(Error):  # the window closes by itself, maybe before the last click has returned
        if person is not None:
            window.fill("#username", person["username"], timeout=WAIT)
            window.fill("#password", person["password"])
            window.click("#kc-login")
        if consents:
            window.locator("#kc-cancel").wait_for(timeout=WAIT)
            window.click("#kc-login")
    return window


def wait_until_closed(window: Page, page: Page) -> None:
    """Wait until the second window has closed itself."""
    last = time.monotonic() + WAIT / 1000
    while not window.is_closed():
        assert time.monotonic() < last, f"the window is still open, at {window.url}"
        page.wait_for_timeout(50)


def leaks(page: Page) -> list[str]:
    """Return where a JWT can be found outside the memory of the page's script."""
    places = {
        "document": page.content(),
        "text": page.inner_text("body"),
        "address": page.url,
        "localStorage": page.evaluate("JSON.stringify(localStorage)"),
        "sessionStorage": page.evaluate("JSON.stringify(sessionStorage)"),
        "window": page.evaluate(
            "JSON.stringify(Object.entries(window).filter(([, each]) => typeof each === 'string'))"
        ),
        "history": page.evaluate("JSON.stringify(history.state)"),
        "databases": page.evaluate("indexedDB.databases().then(JSON.stringify)"),
        "caches": page.evaluate("caches.keys().then(JSON.stringify)"),
        "cookies": page.evaluate("document.cookie"),
    }
    return [name for name, content in places.items() if content and JWT.search(content)]
