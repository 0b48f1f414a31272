"""The pages of the docs: generated content, links, length, place in the index; and the drawings."""

import re
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET  # our own files

import pytest

from docs import drawings, site
from docs.generate import NOTE, PAGES, REFERENCE
from tests.clients import results

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\]\(([^)#]*)(?:#([^)]*))?\)")
FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
GENERATED = re.compile("<!-- (written|Generated) by ")
MAX_LINES = 120
MAX_WORDS = 980
"""A hand-written page has two screens at most."""


def pages() -> list[Path]:
    """Return every page of ours."""
    return sorted(
        {
            *ROOT.glob("*.md"),
            *ROOT.glob("docs/**/*.md"),
            *ROOT.glob("[a-z]*/README.md"),
            *ROOT.glob("deploy/**/README.md"),
        }
    )


@pytest.mark.parametrize("name", PAGES)
def test_reference_pages_are_up_to_date(name: str) -> None:
    """Each reference page equals the output of `make docs`."""
    assert (REFERENCE / name).read_text(encoding="utf-8") == NOTE + PAGES[name]()


def test_clients_page_follows_from_the_results() -> None:
    """The page of the clients has the results of their last runs, and nobody has edited it."""
    assert results.PAGE.read_text(encoding="utf-8") == results.page(results.known())


def name(page: Path) -> str:
    """Return a page's path, for the test's name."""
    return str(page.relative_to(ROOT))


def links(page: Path) -> list[tuple[str, str]]:
    """Return the targets and anchors of a page's links and pictures; either may be empty."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    return LINK.findall(text) + [(picture, "") for picture in re.findall(r'\bsrc(?:set)?="([^"]+)"', text)]


@cache
def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    texts = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings]
    return {re.sub(r"[^\w\- ]", "", text).replace(" ", "-") for text in texts}


@pytest.mark.parametrize("page", pages(), ids=name)
def test_links_lead_to_existing_files_and_headings(page: Path) -> None:
    """A link to another page of this project, or to a heading, leads to an existing one."""
    missing = []
    for target, anchor in links(page):
        file = page if not target else page.parent / target
        if "://" not in target and not (file.exists() and (not anchor or anchor in anchors(file.resolve()))):
            missing.append(f"{target}#{anchor}")
    assert missing == []


@pytest.mark.parametrize("page", pages(), ids=name)
def test_links_to_other_sites_are_well_formed(page: Path) -> None:
    """A link to another site is an address with HTTPS and a host, or one of this machine; nothing is fetched here."""
    for target, _ in links(page):
        if "://" in target:
            parts = urlsplit(target)
            assert parts.hostname, target
            assert parts.scheme == "https" or parts.hostname == "localhost", target


@pytest.mark.parametrize("page", [*sorted(ROOT.glob("docs/**/*.md")), ROOT / "README.md"], ids=name)
def test_pages_have_two_screens_at_most(page: Path) -> None:
    """A page that people write is short; pages that are generated from the code may be longer."""
    text = page.read_text(encoding="utf-8")
    if not GENERATED.search(text):
        assert text.count("\n") <= MAX_LINES
        assert sum(1 for word in text.split() if re.search(r"\w", word)) <= MAX_WORDS


def test_index_lists_every_page_once() -> None:
    """docs/README.md, from which the site has its navigation, lists each page of docs/ once, and the other pages."""
    listed = site.pages()
    assert len(listed) == len(set(listed))
    assert {ROOT / page for page in listed} == set(pages())


@pytest.mark.parametrize("file", drawings.files())
def test_drawings_are_up_to_date(file: str) -> None:
    """Each drawing equals the output of docs/drawings.py."""
    assert (drawings.IMAGES / file).read_text(encoding="utf-8") == drawings.files()[file]


@pytest.mark.parametrize("file", sorted(drawings.IMAGES.glob("*.svg")), ids=name)
def test_drawings_can_be_read_without_seeing_them(file: Path) -> None:
    """Each SVG has a title, a description and its text as text, and loads nothing."""
    text = file.read_text(encoding="utf-8")
    svg = ET.fromstring(text)  # noqa: S314 - our own file
    space = "{http://www.w3.org/2000/svg}"
    for part in ("title", "desc"):
        assert svg.findtext(f"{space}{part}")
    assert len(svg.findall(f"{space}text")) > 5
    assert set(re.findall(r"https?://www[^\s\"']*", text)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"href=|url\((?!#)|@import|@font-face|<script", text)


def test_lists_keep_their_levels_on_the_site() -> None:
    """Lists and code below them keep their levels when the site indents them by four spaces."""
    page = "Do:\n1. **One.** First\n   line.\n\n       code\n\n   - inner\n   - more\n\n2. Two\n\nEnd\n"
    assert site.indented(page) == (
        "Do:\n\n1. **One.** First\n    line.\n\n        code\n\n    - inner\n    - more\n\n2. Two\n\nEnd\n"
    )
    assert site.indented("```sh\na\n- b\n```\n") == "```sh\na\n- b\n```\n"


def test_site_has_no_links_to_source_code() -> None:
    """On the site, a link to a file that is not a page becomes its text; links to pages stay."""
    adapted = site.adapted(Path("docs/how-to/add-an-app.md"))
    assert "server/nextcloud_mcp/apps/notes)" not in adapted
    assert "`apps/notes`" in adapted
    assert "(find-faults.md)" in adapted
