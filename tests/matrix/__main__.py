"""`python -m tests.matrix FILE`: run the tests against each Nextcloud of the file, and write the page."""

import argparse
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from tests.matrix import page, results
from tests.matrix.cloud import Cloud, info
from tests.matrix.known import known_reasons
from tests.matrix.plan import MatrixError, Plan, Target, read_plan
from tests.matrix.results import Results, Row
from tests.matrix.suites import EACH_VERSION, SUITES, run_suite


def main() -> int:
    """Return 0 if no test failed without a known reason."""
    parser = argparse.ArgumentParser(prog="python -m tests.matrix", description=__doc__)
    parser.add_argument("file", type=Path, help="the Nextclouds of the run; see tests/matrix/matrix.example.toml")
    parser.add_argument("--only", action="append", metavar="NAME", help="run this Nextcloud of the file alone")
    parser.add_argument("--suite", action="append", choices=list(SUITES), help="run this suite alone")
    arguments = parser.parse_args()
    try:
        plan = read_plan(arguments.file)
        found = run(plan, only=arguments.only, suites=arguments.suite or list(SUITES))
    except MatrixError as error:
        print(error, file=sys.stderr)
        return 2
    unexplained = [test for row in found.rows for test in row.unexplained()]
    for test in unexplained:
        print(f"failed without a known reason: {test}", file=sys.stderr)
    return 1 if unexplained else 0


def run(plan: Plan, *, only: list[str] | None, suites: list[str]) -> Results:
    """Run the suites against each Nextcloud, and write the results after each combination.

    Raises:
        MatrixError: a command of the file fails.
    """
    found = results.load()
    found.not_run = list(plan.not_run)

    def keep() -> None:
        results.save(found)
        page.write(found)

    for target in plan.targets:
        if only and target.name not in only:
            continue
        cloud = Cloud(target)
        cloud.run_if_given("start")
        try:
            _run_target(target, cloud, suites, found, keep)
        finally:
            cloud.run_if_given("stop")
    keep()
    return found


def _run_target(target: Target, cloud: Cloud, suites: list[str], found: Results, keep: Callable[[], None]) -> None:
    folders = target.folders()
    if not folders:
        _run_suites(suites, target, cloud, found, keep)
        return
    fitting = [folder for folder in folders if not cloud.refuses(folder)]
    for folder in folders:
        if folder not in fitting:
            versions = {"nextcloud": cloud.version(), "user_oidc": info(folder)[0]}
            found.row(target.name, info(folder)[0], versions).refused = cloud.refuses(folder)
    full_with = target.full_with or info(fitting[-1])[0]
    for folder in fitting:
        wanted = [suite for suite in suites if suite == EACH_VERSION or info(folder)[0] == full_with]
        if wanted:
            cloud.install_user_oidc(folder)
            _run_suites(wanted, target, cloud, found, keep)


def _run_suites(suites: list[str], target: Target, cloud: Cloud, found: Results, keep: Callable[[], None]) -> None:
    described = cloud.describe()
    row = found.row(target.name, described["user_oidc"], described)
    for suite in suites:
        _run_suite(suite, target, row)
        keep()


def _run_suite(suite: str, target: Target, row: Row) -> None:
    print(f"\n== {suite}: {target.name}, Nextcloud {row.nextcloud}, user_oidc {row.user_oidc}", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        outcomes = run_suite(suite, target, Path(scratch) / "report.xml")
    if not outcomes:
        raise MatrixError(f"{target.name}: the suite {suite} has no report: pytest's output above says why.")
    row.record(outcomes, known_reasons(), datetime.now(UTC).date().isoformat())


if __name__ == "__main__":
    sys.exit(main())
