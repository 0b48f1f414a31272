"""Which pictures the docs have: the page, what a person does on it, and how the browser is set."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from playwright.sync_api import FloatRect

from tests.support.chromium import DESKTOP, PHONE
from tests.support.oauth import ALICE
from tests.support.second_window import complete

MARGIN: Final = 24
"""CSS pixels around what a picture is cropped to."""

LOGIN_PAGE: Final = "#kc-header, .pf-v5-c-login__main"
"""What Keycloak's login pages show: the organisation's name, and the box."""

Step = Callable[[Any], None]
"""What a person does on the page, Playwright's `Page`."""


@dataclass(frozen=True)
class Picture:
    """A picture of a page.

    Attributes:
        name: the file in docs/images, without `.png`.
        address: where the page is; a name in braces is a key of what `addresses` in `__main__` returns.
        steps: what a person does after opening it.
        size: width and height of the browser's view in CSS pixels.
        scheme: the preferred color scheme.
        language: the preferred language.
        is_whole: take the whole page, not what is in view.
        parts: a CSS selector of parts that are in view; the picture is cropped to them. Empty: no crop.
        setting: the server's setting that turns the page on, if it may be missing; its picture is then skipped.
    """

    name: str
    address: str
    steps: tuple[Step, ...] = ()
    size: tuple[int, int] = DESKTOP
    scheme: Literal["light", "dark"] = "light"
    language: str = "en"
    is_whole: bool = False
    parts: str = ""
    setting: str = ""


def crop(boxes: Iterable[FloatRect | None], size: tuple[int, int]) -> FloatRect:
    """Return the rectangle around boxes, with a margin, as far as it is in view.

    Args:
        boxes: boxes as Playwright's `bounding_box` returns them, in CSS pixels; None for a hidden part.
        size: width and height of the view in CSS pixels.

    Raises:
        ValueError: no part is visible.
    """
    seen = [box for box in boxes if box]
    if not seen:
        msg = "No part of the picture is visible: the selector in `parts` finds nothing on the page."
        raise ValueError(msg)
    left = max(0.0, min(box["x"] for box in seen) - MARGIN)
    top = max(0.0, min(box["y"] for box in seen) - MARGIN)
    right = min(size[0], max(box["x"] + box["width"] for box in seen) + MARGIN)
    bottom = min(size[1], max(box["y"] + box["height"] for box in seen) + MARGIN)
    return {"x": left, "y": top, "width": right - left, "height": bottom - top}


def sign_in(page: Any) -> None:
    """Sign in as alice on Keycloak's page."""
    page.fill("#username", ALICE["username"])
    page.fill("#password", ALICE["password"])
    page.click("#kc-login")
    page.locator("#password").wait_for(state="detached")  # the next page has a button #kc-login too
    page.wait_for_load_state()


def show_claude(page: Any) -> None:
    """Open Claude Code's entry in the account console's list of applications."""
    item = page.get_by_role("listitem").filter(has_text="Claude Code").first
    item.get_by_role("button").first.click()
    item.get_by_role("button", name="Remove access").wait_for()


def sign_in_to(mode: str, *, is_first: bool) -> Step:
    """Return the step that signs in and consents on the page of the journey, in the window that opens for it."""

    def step(page: Any) -> None:
        here = page.locator(f'.mode[data-mode="{mode}"]')
        complete(page, here.locator("[data-sign-in]").click, ALICE if is_first else None, consents=True)
        here.locator("[data-server-result]").first.filter(has_text="passed").wait_for()

    return step


PICTURES: Final = (
    Picture("sign-in", "{request}", parts=LOGIN_PAGE),
    Picture("consent", "{request}", (sign_in,)),
    Picture("consent-phone", "{other_request}", (sign_in,), size=PHONE, scheme="dark", language="de"),
    Picture("error-phone", "{unknown_request}", size=PHONE, parts=LOGIN_PAGE),
    Picture(
        "account",
        "{issuer}/account/applications",
        (sign_in, show_claude),
        size=(DESKTOP[0], 1600),  # the console scrolls inside the page
        parts="header, button:has-text('Remove access')",
    ),
    Picture("landing", "{exchange}/", setting="MCP_PAGES"),
    Picture("landing-dark", "{exchange}/", scheme="dark", setting="MCP_PAGES"),
    Picture(
        "journey",
        "{exchange}/journey",
        (sign_in_to("exchange", is_first=True), sign_in_to("pass-through", is_first=False)),
        is_whole=True,
        setting="MCP_JOURNEY",
    ),
)
"""All pictures of pages, in the order in which they are taken."""
