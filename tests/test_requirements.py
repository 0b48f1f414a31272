"""Every requirement has a test or a reason, and every marker names a requirement."""

from collections import Counter
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest

from tests.requirements import REQUIREMENTS, SOURCES, Requirement, marked_tests, table
from tests.support.forged import REFUSED

PAGE: Final = Path(__file__).parents[1] / "docs" / "reference" / "requirements.md"


def test_every_marker_names_a_requirement() -> None:
    """Each id in a marker is an existing requirement."""
    assert {name: tests for name, tests in marked_tests().items() if name not in REQUIREMENTS} == {}


def test_requirement_belongs_to_at_most_one_bad_token() -> None:
    """So a deleted bad token leaves its requirement without a test, which fails."""
    shown = Counter(identifier for token in REFUSED.values() for identifier in token.shows)
    assert [identifier for identifier, tokens in shown.items() if tokens > 1] == []


def test_every_requirement_has_a_test_or_a_reason() -> None:
    """Each requirement has a test, or a reason why it has none."""
    shown = marked_tests().keys() | {name for name, requirement in REQUIREMENTS.items() if requirement.divergence}
    assert REQUIREMENTS.keys() - shown == set()


def test_requirements_page_is_up_to_date() -> None:
    """The table in the documentation is the one that `make docs` would write now."""
    assert PAGE.read_text(encoding="utf-8") == table()


def test_markers_are_found_on_all_kinds_of_tests() -> None:
    """The scan finds decorators on synchronous and asynchronous tests, and several ids in one."""
    tests = marked_tests()
    assert "tests/unit/auth/test_challenge.py::test_no_token_is_no_error" in tests["rfc6750-no-error-without-token"]
    assert (
        "tests/unit/auth/test_challenge.py::test_the_well_known_part_goes_before_the_path"
        in (tests["rfc9728-well-known"])
    )


@pytest.mark.parametrize("requirement", REQUIREMENTS.values(), ids=REQUIREMENTS.keys())
def test_requirement_is_well_formed(requirement: Requirement) -> None:
    """Each requirement has a source, a sentence, and links to the exact section."""
    assert requirement.id.partition("-")[0] in SOURCES
    assert requirement.text.endswith(".")
    assert requirement.divergence == "" or requirement.divergence.endswith(".")
    assert requirement.links
    for link in requirement.links:
        parts = urlsplit(link)
        assert (parts.scheme, bool(parts.fragment)) == ("https", True)
