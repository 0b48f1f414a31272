"""A real browser, for what only a browser can tell: which parts of a page are in view, and what scripts do.

Playwright drives an installed Chromium, such as that of Debian's package `chromium`.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
EXECUTABLE: Final = next((path for path in map(shutil.which, NAMES) if path), None)
DESKTOP: Final = (1300, 900)
PHONE: Final = (390, 844)
SMALL_PHONE: Final = (360, 780)

TIMEOUT: Final = 120_000
"""Milliseconds to wait for what must happen, on a busy machine."""

expect.set_options(timeout=TIMEOUT)

_WCAG: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
"""The rules of axe for WCAG 2.2 AA; by default axe does not run the rules that WCAG 2.2 added."""


def missing() -> str:
    """Return what this machine lacks, or an empty string."""
    return "" if EXECUTABLE else "no chromium on the PATH: apt-get install chromium"


@contextmanager
def run_chromium() -> Iterator[Browser]:
    """Run Chromium without a window for the block.

    Playwright occupies the thread's event loop until the end of the block, so no asynchronous test can run in it.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=EXECUTABLE, args=["--no-sandbox"])  # as root in containers
        yield browser
        browser.close()


def new_page(
    chromium: Browser,
    size: tuple[int, int],
    *,
    language: str = "en",
    scheme: Literal["light", "dark"] = "light",
    **options: Any,
) -> Page:
    """Return a page of a new browser profile.

    Args:
        chromium: the browser.
        size: width and height of the view in CSS pixels.
        language: the preferred language.
        scheme: the preferred color scheme.
        options: further options of Playwright's `new_context`.
    """
    view: ViewportSize = {"width": size[0], "height": size[1]}
    context = chromium.new_context(viewport=view, locale=language, color_scheme=scheme, **options)
    context.set_default_timeout(TIMEOUT)
    return context.new_page()


@dataclass
class Watch:
    """What a page did that people do not see.

    Attributes:
        messages: what it wrote to the console, and its errors.
        requests: the URLs that it requested.
    """

    messages: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    @classmethod
    def over(cls, page: Page) -> "Watch":
        """Watch a page from now on."""
        watch = cls()
        page.on("console", lambda message: watch.messages.append(message.text))
        page.on("pageerror", lambda error: watch.messages.append(str(error)))
        page.on("request", lambda request: watch.requests.append(request.url))
        return watch


def barriers(page: Page) -> list[str]:
    """Return what keeps people with impairments from using the page: the violations of WCAG 2.2 AA that axe finds."""
    found = Axe().run(page, options={"runOnly": list(_WCAG)}).response["violations"]
    return [f"{each['id']}: {each['help']}: {node['html'][:200]}" for each in found for node in each["nodes"]]


def sign_in(page: Page, url: str, username: str, password: str) -> None:
    """Open a URL, and fill in the login page that it leads to."""
    page.goto(url)
    page.fill("#username", username)
    page.fill("#password", password)
    page.click("#kc-login")
    page.locator("#password").wait_for(state="detached")  # the next page has a button #kc-login too
    page.wait_for_load_state()
