"""A real browser, for what only a browser can tell: which parts of a page are in view, and what scripts do.

Playwright drives an installed Chromium: `pip install playwright`, the dependency group `clients`.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
EXECUTABLE: Final = next((path for path in map(shutil.which, NAMES) if path), None)
DESKTOP: Final = (1300, 900)
PHONE: Final = (390, 844)


def missing() -> str:
    """Return what this machine lacks, or an empty string."""
    if EXECUTABLE is None:
        return "no chromium on the PATH"
    return "" if find_spec("playwright") else "no playwright: pip install playwright"


@contextmanager
def run_chromium() -> Iterator[Any]:
    """Run Chromium without a window for the block; yield Playwright's `Browser`."""
    with import_module("playwright.sync_api").sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=EXECUTABLE, args=["--no-sandbox"])  # as root in containers
        yield browser
        browser.close()


def new_page(chromium: Any, size: tuple[int, int], *, language: str = "en", scheme: str = "light") -> Any:
    """Return a page of a new browser profile.

    Args:
        chromium: Playwright's `Browser`.
        size: width and height of the view in CSS pixels.
        language: the preferred language.
        scheme: the preferred color scheme, `light` or `dark`.
    """
    view = {"width": size[0], "height": size[1]}
    return chromium.new_context(viewport=view, locale=language, color_scheme=scheme).new_page()


def sign_in(page: Any, url: str, username: str, password: str) -> None:
    """Open a URL, and fill in the login page that it leads to."""
    page.goto(url)
    page.fill("#username", username)
    page.fill("#password", password)
    page.click("#kc-login")
    page.locator("#password").wait_for(state="detached")  # the next page has a button #kc-login too
    page.wait_for_load_state()
