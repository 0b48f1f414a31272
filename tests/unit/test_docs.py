"""The pages of `docs/` that are generated from the code, and the links between pages."""

import re
from pathlib import Path

import pytest

from docs.generate import NOTE, PAGES, REFERENCE
from tests.clients import results

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")


def pages() -> list[Path]:
    """Return every page of ours."""
    return sorted(
        {*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/README.md"), *ROOT.glob("deploy/**/README.md")}
    )


@pytest.mark.parametrize("name", PAGES)
def test_reference_pages_are_up_to_date(name: str) -> None:
    """Each reference page equals the output of `make docs`."""
    assert (REFERENCE / name).read_text(encoding="utf-8") == NOTE + PAGES[name]()


def test_clients_page_follows_from_the_results() -> None:
    """The page of the clients has the results of their last runs, and nobody has edited it."""
    assert results.PAGE.read_text(encoding="utf-8") == results.page(results.known())


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_existing_files(page: Path) -> None:
    """A link to another page of this project leads to an existing file."""
    targets = [target for target in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in target]
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert missing == []
