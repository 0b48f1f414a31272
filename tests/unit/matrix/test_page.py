"""The page and the README say what compatibility.json has, and a run replaces only what it ran."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from tests.matrix import page, results
from tests.matrix.known import Reason
from tests.matrix.plan import NotRun
from tests.matrix.results import Results, Row
from tests.matrix.suites import Outcome

PASSED: Final = Outcome("tests/doctor/test_healthy.py::test_x[exchange]", "doctor", "exchange", "", "passed")
FAILED: Final = replace(PASSED, result="failed")
DESCRIBED: Final[dict[str, Any]] = {"nextcloud": "34.0.1", "user_oidc": "8.10.1", "database": "SQLite"}
REASON: Final = Reason("*test_healthy*", "the doctor is ill", "https://example.org/1", user_oidc="8.10")


@pytest.fixture
def row() -> Row:
    """A combination that never ran."""
    return Results([], []).row("34", "8.10.1", DESCRIBED)


def test_page_and_readme_come_from_the_json() -> None:
    """The committed page and the paragraph in the README are what the committed JSON gives."""
    found = results.load()
    assert page.PAGE.read_text(encoding="utf-8") == page.page(found)
    assert page.readme_line(found) in page.README.read_text(encoding="utf-8")


def test_committed_page_names_no_path_of_a_machine() -> None:
    """The page and the JSON have neither folders nor addresses of the machine of the run."""
    for path in (page.PAGE, results.DATA):
        text = path.read_text(encoding="utf-8")
        assert not [word for word in ("/work", "/home", "/tmp", "/root", "localhost:") if word in text]  # noqa: S108


def test_committed_failures_are_explained() -> None:
    """Every failure has a reason."""
    assert [test for row in results.load().rows for test in row.unexplained()] == []


def test_results_survive_being_saved(row: Row, tmp_path: Path) -> None:
    """What is written is read again."""
    row.record([PASSED, FAILED], [REASON], "2026-01-01")
    found = Results([row], [NotRun("33", "not at hand")])
    results.save(found, tmp_path / "results.json")
    assert results.load(tmp_path / "results.json") == found


def test_later_run_replaces_the_same_check_only(row: Row) -> None:
    """Another run of a check replaces its results, and keeps those of other checks."""
    other = replace(PASSED, check="tokens", mode="")
    row.record([FAILED, other], [], "2026-01-01")
    row.record([PASSED], [], "2026-01-02")
    assert [(each.check, each.date, each.passed, each.failed) for each in row.checks] == [
        ("doctor", "2026-01-02", 1, []),
        ("tokens", "2026-01-01", 1, []),
    ]


@pytest.mark.parametrize(
    ("reason", "explained"),
    [
        (REASON, True),
        (replace(REASON, user_oidc="8.6"), False),
        (replace(REASON, nextcloud="32"), False),
        (replace(REASON, test="*test_healthy.py::test_x[pass-through]"), False),
        (replace(REASON, test="tests/doctor/test_healthy.py::test_x[exchange]"), True),
    ],
)
def test_failure_is_explained_by_a_reason_for_its_versions(row: Row, reason: Reason, *, explained: bool) -> None:
    """A reason is about a test in some versions; any other failure is unexplained."""
    row.record([FAILED], [reason], "2026-01-01")
    assert row.unexplained() == ([] if explained else [FAILED.test])
    text = page.page(Results([row], []))
    assert ("the doctor is ill ([link](https://example.org/1))" in text) == explained
    assert "**1 failed**" in text


def test_rows_of_a_call_are_shown_by_mode(row: Row) -> None:
    """What the test measured is in the row of its mode, and is no test that passed."""
    measured = {"keycloak": "26.7.3", "oc_authtoken": "1", "oc_addressbookchanges": "0.5"}
    row.record([replace(PASSED, check="rows", properties=measured)], [], "2026-01-01")
    lines = page.page(Results([row], [])).splitlines()
    (exchange,) = [line for line in lines if "| exchange |" in line]
    (pass_through,) = [line for line in lines if "| pass-through |" in line]
    assert exchange.endswith("| 1 | 0.5 |")
    assert pass_through.endswith("| not measured | not measured |")
    assert row.checks == []


def test_what_concerns_no_mode_is_counted_once(row: Row) -> None:
    """Tests without a mode have a row for each version, and are not repeated in the rows of the modes."""
    tokens = replace(PASSED, check="tokens", mode="")
    row.record([PASSED, replace(PASSED, mode="pass-through"), tokens, tokens], [], "2026-01-01")
    lines = page.page(Results([row], [])).splitlines()
    assert [line for line in lines if "2 passed" in line] == ["| 34 | 8.10.1 | 2026-01-01 | not run | 2 passed |"]
    assert len([line for line in lines if "| 1 passed |" in line]) == 2


def test_readme_names_what_ran_in_both_modes_and_what_did_not(row: Row) -> None:
    """The paragraph names a check once it ran in both modes, and a suite until it ran on every Nextcloud."""
    row.record([PASSED], [], "2026-01-01")
    text = " ".join(page.readme_line(Results([row], [])).split())
    assert "In both modes" not in text
    assert "Not run: the other contract tests, the doctor's diagnosis of faults, clients with a metadata" in text
    row.record([replace(PASSED, check=check, mode="") for check in ("contract", "faults")], [], "2026-01-01")
    row.record([replace(PASSED, mode="pass-through")], [], "2026-01-01")
    other = Results([], []).row("32", "8.10.1", DESCRIBED | {"nextcloud": "32.0.1"})
    modes = [PASSED, replace(PASSED, mode="pass-through")]
    other.record([*modes, replace(PASSED, check="contract", mode="")], [], "2026-01-01")
    text = " ".join(page.readme_line(Results([row, other], [])).split())
    assert "7 tests passed, 0 failed. In both modes: the doctor. Not run:" in text
    assert "Not run: the doctor's diagnosis of faults on 32.0.1, clients with a metadata document and the end-" in text


def test_refused_version_and_absent_nextcloud_say_why(row: Row) -> None:
    """What was not run is in the page with its reason."""
    row.refused = "its info.xml allows Nextcloud 29 to 33"
    text = page.page(Results([row], [NotRun("35", "not released", "https://example.org")]))
    assert "not run: its info.xml allows Nextcloud 29 to 33" in text
    assert "- 35: not released ([link](https://example.org)).\n" in text


def test_readme_paragraph_is_replaced(row: Row, tmp_path: Path) -> None:
    """Only the paragraph changes, however many lines it has."""
    readme = tmp_path / "README.md"
    readme.write_text("# Title\n\n**Run against**, last\non no day.\n\nNext.\n", encoding="utf-8")
    row.record([PASSED], [], "2026-01-01")
    found = Results([row], [])
    page.write(found, tmp_path / "page.md", readme)
    assert readme.read_text(encoding="utf-8") == f"# Title\n\n{page.readme_line(found)}\n\nNext.\n"
    assert "Nextcloud 34.0.1 with SQLite, user_oidc 8.10.1" in " ".join(page.readme_line(found).split())
