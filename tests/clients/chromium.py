"""A person at Chromium, who signs in at Keycloak and gives consent on its real pages."""

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from playwright.sync_api import Page, sync_playwright

from stack.config import USERS
from tests.support.chromium import EXECUTABLE

MAX_PAGES: Final = 6


@dataclass
class Chromium:
    """The browser of alice, with a fresh profile at each visit.

    Attributes:
        requests: the parameters of each authorization request.
        last_page: the beginning of the page that the last visit ended at.
    """

    requests: list[dict[str, str]] = field(default_factory=list)
    last_page: str = ""

    def visit(self, url: str) -> None:
        """Open an authorization request, sign in, give consent, and follow the redirect to the client."""
        self.requests.append(dict(parse_qsl(urlsplit(url).query)))
        keycloak = urlsplit(url).netloc
        with sync_playwright() as playwright:
            # Chromium's own sandbox needs privileges that containers do not have; the only pages are Keycloak's
            browser = playwright.chromium.launch(executable_path=EXECUTABLE, args=["--no-sandbox"])
            page = browser.new_page()
            page.goto(url)
            for _ in range(MAX_PAGES):
                if urlsplit(page.url).netloc != keycloak or not _answer(page):
                    break
                page.wait_for_load_state()
            self.last_page = " ".join(page.inner_text("body").replace("|", " ").split())[:100]
            browser.close()


def _answer(page: Page) -> bool:
    """Fill in a page of Keycloak's, and return whether it was one to fill in."""
    if page.locator("#password").count():
        page.fill("#username", "alice")
        page.fill("#password", USERS["alice"])
        page.click("#kc-login")
        return True
    if page.locator("[name=accept]").count():
        page.click("[name=accept]")
        return True
    return False
