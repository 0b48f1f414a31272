"""Requirements and tests belong together: no marker without its requirement, and no new gap."""

from typing import Final
from urllib.parse import urlsplit

import pytest

from tests.requirements import REQUIREMENTS, SOURCES, Requirement, marked_tests

OPEN: Final = frozenset(
    {
        "mcp-cimd",
        "mcp-cimd-cache",
        "mcp-cimd-client-id-matches",
        "mcp-cimd-localhost-warning",
        "mcp-cimd-redirect-uris",
        "mcp-cimd-shows-redirect-host",
        "mcp-cimd-ssrf",
        "mcp-cimd-structure",
        "rfc9068-audience-is-resource",
    }
)
"""Still without a test or a reason; this list only ever gets shorter."""


def test_every_marker_names_a_requirement() -> None:
    """What a test claims to show can be looked up."""
    assert {name: tests for name, tests in marked_tests().items() if name not in REQUIREMENTS} == {}


def test_every_requirement_has_a_test_or_a_reason() -> None:
    """Nothing that a specification asks for is passed over in silence."""
    shown = marked_tests().keys() | {name for name, requirement in REQUIREMENTS.items() if requirement.divergence}
    assert REQUIREMENTS.keys() - shown <= OPEN


def test_markers_are_found() -> None:
    """The scan that the others rely on sees decorators on tests of either kind, and several ids in one."""
    tests = marked_tests()
    assert "tests/unit/auth/test_challenge.py::test_no_token_is_no_error" in tests["rfc6750-no-error-without-token"]
    assert (
        "tests/unit/auth/test_challenge.py::test_the_well_known_part_goes_before_the_path"
        in (tests["rfc9728-well-known"])
    )


@pytest.mark.parametrize("requirement", REQUIREMENTS.values(), ids=REQUIREMENTS.keys())
def test_a_requirement_is_well_formed(requirement: Requirement) -> None:
    """Each has a source, a sentence, and links that lead to the very section."""
    assert requirement.id.partition("-")[0] in SOURCES
    assert requirement.text.endswith(".")
    assert requirement.divergence == "" or requirement.divergence.endswith(".")
    assert requirement.links
    for link in requirement.links:
        parts = urlsplit(link)
        assert (parts.scheme, bool(parts.fragment)) == ("https", True)
