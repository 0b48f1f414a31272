"""The file that names the Nextclouds, and the reports in JUnit XML."""

from pathlib import Path
from typing import Final

import pytest

from tests.matrix.cloud import info
from tests.matrix.plan import MatrixError, read_plan, version_key
from tests.matrix.suites import read_report

EXAMPLE: Final = Path(__file__).parents[2] / "matrix" / "matrix.example.toml"
SMALLEST: Final = '[[nextcloud]]\nname = "34"\nurl = "http://localhost/"\nocc = "php \'my occ\'"\n'
REPORT: Final = """<testsuites><testsuite>
<testcase classname="tests.matrix.test_one_tool" name="test_one_tool_of_each_app_works[pass_through-pre-registered]"/>
<testcase classname="tests.matrix.test_one_tool" name="test_one_tool_of_each_app_works[exchange-dynamic registration]">
<failure message="assert"/></testcase>
<testcase classname="tests.matrix.test_rows" name="test_rows_per_call[exchange]">
<properties><property name="oc_authtoken" value="1"/></properties></testcase>
<testcase classname="tests.contract.test_locks" name="test_x"><skipped message="no locks"/></testcase>
</testsuite></testsuites>"""


def test_example_is_valid() -> None:
    """The example names two Nextclouds, one of them with PostgreSQL, and one that is not run."""
    plan = read_plan(EXAMPLE)
    assert [target.name for target in plan.targets] == ["34", "34, PostgreSQL and Redis"]
    assert plan.targets[1].commands["sql"][0] == "psql"
    assert [each.nextcloud for each in plan.not_run] == ["33"]


def test_commands_are_split_into_words(tmp_path: Path) -> None:
    """Commands are split as a shell does; the URL has no slash at its end."""
    (tmp_path / "matrix.toml").write_text(SMALLEST)
    (target,) = read_plan(tmp_path / "matrix.toml").targets
    assert target.commands == {"occ": ("php", "my occ")}
    assert (target.url, target.folders()) == ("http://localhost", [])


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        ("", "names no Nextcloud"),
        ("[[", "copy tests/matrix/matrix.example.toml"),
        (SMALLEST.replace("occ =", "ooc ="), "lacks occ"),
        (SMALLEST + 'retsart = "x"\n', "unknown keys retsart"),
    ],
)
def test_wrong_file_is_refused(tmp_path: Path, content: str, cause: str) -> None:
    """The error says what is wrong with the file."""
    (tmp_path / "matrix.toml").write_text(content)
    with pytest.raises(MatrixError, match=cause):
        read_plan(tmp_path / "matrix.toml")


def test_versions_of_user_oidc_are_in_ascending_order(tmp_path: Path) -> None:
    """8.10 comes after 8.6; folders that hold no app are ignored."""
    for version in ("8.10.1", "8.6.1", "8.11.0-dev.0"):
        place = tmp_path / "versions" / version / "appinfo"
        place.mkdir(parents=True)
        (place / "info.xml").write_text(
            f"<info><version>{version}</version>"
            '<dependencies><nextcloud min-version="29" max-version="34"/></dependencies></info>'
        )
    (tmp_path / "versions" / "other").mkdir()
    file = tmp_path / "matrix.toml"
    file.write_text(f'{SMALLEST}user_oidc_app = "/srv/app"\nuser_oidc_versions = "{tmp_path}/versions"\n')
    folders = read_plan(file).targets[0].folders()
    assert [info(folder) for folder in folders] == [
        (version, 29, 34) for version in ("8.6.1", "8.10.1", "8.11.0-dev.0")
    ]
    assert version_key("8.11.0-dev.0") > version_key("8.10.1")


def test_report_is_grouped_by_check_mode_and_client(tmp_path: Path) -> None:
    """The names of tests tell the mode and the kind of client; skipped tests have their reason."""
    (tmp_path / "report.xml").write_text(REPORT)
    first, second, rows, locks = read_report(tmp_path / "report.xml", "contract")
    assert (first.check, first.client, first.result) == ("one tool an app", "pre-registered", "passed")
    assert (second.client, second.result) == ("dynamic registration", "failed")
    assert (rows.check, rows.properties) == ("rows", {"oc_authtoken": "1"})
    assert (locks.check, locks.mode, locks.result, locks.why) == ("contract", "", "not run", "no locks")
    assert [each.mode for each in read_report(tmp_path / "report.xml", "basics")] == [
        *("pass-through", "exchange", "exchange", ""),
    ]
