"""`python -m tests.matrix FILE`: run the tests against each Nextcloud of the file, and write the page."""

import argparse
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from stack.config import Config
from stack.errors import StackError
from stack.process import free_port
from tests.matrix import page, results
from tests.matrix.cloud import Cloud, info
from tests.matrix.known import known_reasons
from tests.matrix.plan import MatrixError, Plan, Target, read_plan
from tests.matrix.results import Results
from tests.matrix.suites import EACH_VERSION, OWN_KEYCLOAK, SUITES, run_suite
from tests.support.shared_keycloak import run_shared_keycloak


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
    except (MatrixError, StackError) as error:
        print(error, file=sys.stderr)
        return 2
    unexplained = [test for row in found.rows for test in row.unexplained()]
    for test in unexplained:
        print(f"failed without a known reason: {test}", file=sys.stderr)
    return 1 if unexplained else 0


def run(plan: Plan, *, only: list[str] | None, suites: list[str]) -> Results:
    """Run the suites against each Nextcloud, and write the results after each suite.

    Raises:
        MatrixError: a command of the file fails.
        StackError: Keycloak does not start.
    """
    found = results.load()
    found.not_run = list(plan.not_run)
    targets = [target for target in plan.targets if not only or target.name in only]
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as running:
        config = Config(
            state=Path(scratch),
            keycloak_port=free_port(),
            exchange_port=free_port(),
            pass_through_port=free_port(),
        )
        shares_keycloak = any(suite not in OWN_KEYCLOAK for suite in suites)
        keycloak = running.enter_context(run_shared_keycloak(config)) if shares_keycloak else {}
        # what each version runs comes first, so that an interrupted run has something on all of them
        once = [suite for suite in suites if suite != EACH_VERSION]
        for part in ([suite for suite in suites if suite == EACH_VERSION], once):
            for target in targets if part else ():
                _Run(target, found, keycloak, Path(scratch)).run(part)
    _keep(found)
    return found


def _keep(found: Results) -> None:
    results.save(found)
    page.write(found)


@dataclass(frozen=True)
class _Run:
    """The run of one Nextcloud."""

    target: Target
    found: Results
    keycloak: dict[str, str]
    scratch: Path

    def run(self, suites: list[str]) -> None:
        """Run the suites with each version of user_oidc."""
        cloud = Cloud(self.target)
        cloud.run_if_given("start")
        try:
            self._run_versions(cloud, suites)
        finally:
            cloud.run_if_given("stop")

    def _run_versions(self, cloud: Cloud, suites: list[str]) -> None:
        folders = self.target.folders()
        if not folders:
            self._run_suites(cloud, suites)
            return
        refused = {folder: cloud.refuses(folder) for folder in folders}
        for folder in folders:
            if refused[folder]:
                versions = {"nextcloud": cloud.version(), "user_oidc": info(folder)[0]}
                self.found.row(self.target.name, info(folder)[0], versions).refused = refused[folder]
        fitting = [folder for folder in folders if not refused[folder]]
        full_with = self.target.full_with or info(fitting[-1])[0]
        for folder in fitting:
            wanted = [suite for suite in suites if suite == EACH_VERSION or info(folder)[0] == full_with]
            if wanted:
                cloud.install_user_oidc(folder)
                self._run_suites(cloud, wanted)

    def _run_suites(self, cloud: Cloud, suites: list[str]) -> None:
        described = cloud.describe()
        row = self.found.row(self.target.name, described["user_oidc"], described)
        for suite in suites:
            print(f"\n== {suite}: {row.target}, Nextcloud {row.nextcloud}, user_oidc {row.user_oidc}", flush=True)
            outcomes = run_suite(suite, self.target, self.scratch / "report.xml", self.keycloak)
            if not outcomes:
                raise MatrixError(f"{row.target}: the suite {suite} has no report: pytest's output above says why.")
            row.record(outcomes, known_reasons(), datetime.now(UTC).date().isoformat())
            _keep(self.found)


if __name__ == "__main__":
    sys.exit(main())
