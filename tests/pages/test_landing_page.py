"""The page at the server's address, in Chromium."""

from typing import Final, Literal

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from nextcloud_mcp.pages.negotiation import LANGUAGES
from nextcloud_mcp.pages.rendering import messages
from tests.support.chromium import DESKTOP, SMALL_PHONE, Watch, barriers, new_page

VIEWS: Final = {
    "desktop": (DESKTOP, "en", "light"),
    "desktop, dark, German": (DESKTOP, "de", "dark"),
    "phone, German": (SMALL_PHONE, "de", "light"),
    "phone, dark": (SMALL_PHONE, "en", "dark"),
}

FIRST_VIEW: Final = ("header p", "h1", ".lead", ".hero pre", ".hero button", ".steps")
"""Whose server it is, what it is for, the address with its button, and the three steps."""

CLIENTS: Final = ["Claude Desktop", "Claude Code", "VS Code", "Cursor", "Codex", "Gemini CLI", "MCP Inspector"]


def open_all(page: Page) -> None:
    """Open the steps of all clients; by themselves, only one is open at a time."""
    page.evaluate("for (const each of document.querySelectorAll('details')) { each.name = ''; each.open = true; }")


def reading_page(chromium: Browser, url: str) -> Page:
    """Return the open page of a browser that lets it use the clipboard."""
    page = new_page(chromium, DESKTOP, permissions=["clipboard-read", "clipboard-write"])
    page.goto(url)
    return page


def clipboard(page: Page) -> str:
    """Return the text in the clipboard."""
    return str(page.evaluate("navigator.clipboard.readText()"))


@pytest.mark.parametrize(("size", "language", "scheme"), VIEWS.values(), ids=VIEWS.keys())
def test_page_is_usable_in_every_view(
    chromium: Browser, server_url: str, size: tuple[int, int], language: str, scheme: Literal["light", "dark"]
) -> None:
    """What to do is in view without scrolling, nobody meets a barrier, and nothing comes from another host."""
    page = new_page(chromium, size, language=language, scheme=scheme)
    watch = Watch.over(page)
    page.goto(server_url)
    boxes = [page.locator(part).bounding_box() for part in FIRST_VIEW]
    assert all(box and box["y"] >= 0 and box["y"] + box["height"] <= size[1] for box in boxes), boxes
    assert page.locator("header img").evaluate("image => image.complete && image.naturalWidth > 0")
    assert barriers(page) == []
    open_all(page)
    assert barriers(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert watch.messages == []
    assert {httpx.URL(each).copy_with(raw_path=b"/mcp") for each in watch.requests} == {httpx.URL(server_url)}


@pytest.mark.parametrize("language", LANGUAGES)
def test_structure(chromium: Browser, server_url: str, language: str) -> None:
    """The roles and names that assistive technology gets, in their order."""
    text = messages("common", language) | messages("landing", language)
    page = new_page(chromium, DESKTOP, language=language)
    page.goto(server_url)
    open_all(page)
    assert page.get_by_role("heading", level=1).all_inner_texts() == [text["title"]]
    assert page.get_by_role("heading", level=2).all_inner_texts() == [
        text["connect"],
        text["offered"],
        text["privacy"],
    ]
    assert page.locator("summary").all_inner_texts() == [*CLIENTS, text["other"]["name"]]
    labels = [text["address"], *(text["code_for"].format(client=client) for client in CLIENTS)]
    assert [" ".join(each.split()) for each in page.get_by_role("button").all_inner_texts()] == [
        f"{text['copy']} {label}" for label in labels
    ]
    assert page.get_by_role("link").all_inner_texts() == [
        "English",
        "Deutsch",
        text["clients"]["vs-code"]["link"],
        text["clients"]["cursor"]["link"],
        text["account"],
    ]
    expect(page.get_by_role("navigation")).to_have_accessible_name(text["languages"])
    expect(page.get_by_role("banner")).to_contain_text("Example Ltd")


def test_buttons_copy_what_they_stand_beside(chromium: Browser, server_url: str) -> None:
    """Each button puts its text in the clipboard, and says so, also to screen readers."""
    page = reading_page(chromium, server_url)
    open_all(page)
    boxes = page.locator(".copyable").all()
    for box, label in zip(boxes, ["Address", *(f"for {client}" for client in CLIENTS)], strict=True):
        box.get_by_role("button").click()
        expect(page.get_by_role("status")).to_have_text(f"Copied: {label}")
        assert clipboard(page) == box.locator("code").inner_text()
        expect(page.get_by_role("button", name="Copied")).to_have_count(1)
        expect(box.get_by_role("button")).to_have_accessible_name(f"Copied {label}")


def test_address_is_copied_by_keyboard(chromium: Browser, server_url: str) -> None:
    """Without a mouse, the button of the address comes after the choice of the language."""
    page = reading_page(chromium, server_url)
    for _ in range(3):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("Copied: Address")
    assert clipboard(page) == server_url


def test_buttons_work_without_the_clipboard_api(chromium: Browser, server_url: str) -> None:
    """On a server without HTTPS, browsers have no `navigator.clipboard`; the older way copies too."""
    page = new_page(chromium, DESKTOP)
    page.add_init_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    page.goto(server_url)
    page.get_by_role("button", name="Address").click()
    expect(page.get_by_role("status")).to_have_text("Copied: Address")
    page.evaluate("document.querySelector('main').append(document.createElement('textarea'))")
    page.locator("textarea").press("Control+V")
    expect(page.locator("textarea")).to_have_value(server_url)


def test_page_needs_no_javascript(chromium: Browser, server_url: str) -> None:
    """Without JavaScript everything can be read and opened, and there are no buttons that do nothing."""
    page = new_page(chromium, DESKTOP, java_script_enabled=False)
    page.goto(server_url)
    page.get_by_text("Codex", exact=True).click()
    expect(page.locator("#codex pre")).to_have_text(f"codex mcp add nextcloud --url {server_url}")
    expect(page.locator("#codex pre")).to_be_visible()
    assert page.locator("button:visible").count() == 0


def test_language_can_be_chosen(chromium: Browser, server_url: str) -> None:
    """A person whose browser prefers another language reads German after one click."""
    page = new_page(chromium, DESKTOP, language="fr")
    page.goto(server_url)
    page.get_by_role("link", name="Deutsch").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(messages("landing", "de")["title"])
    expect(page.get_by_role("link", name="Deutsch")).to_have_attribute("aria-current", "true")
