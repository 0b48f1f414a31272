"""The pages of `docs/` that follow from the code, and the links between pages."""

import re
from pathlib import Path

import pytest

from docs.generate import NOTE, PAGES, REFERENCE

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")


def pages() -> list[Path]:
    """Return every page of ours."""
    return sorted(
        {*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/README.md"), *ROOT.glob("deploy/**/README.md")}
    )


@pytest.mark.parametrize("name", PAGES)
def test_reference_page_is_what_the_code_says(name: str) -> None:
    """A reference page is the one that `make docs` would write now."""
    assert (REFERENCE / name).read_text(encoding="utf-8") == NOTE + PAGES[name]()


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """A link to another page of ours leads to a file that is there."""
    targets = [target for target in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in target]
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert missing == []
