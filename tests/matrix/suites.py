"""Which tests a run starts, and how the page groups their results.

A suite is one pytest process. A check is a group of its tests, and a column of the page.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import Element

from defusedxml.ElementTree import parse

from tests.matrix.plan import Target

ROOT: Final = Path(__file__).parents[2]
MODES: Final = ("exchange", "pass-through")
CLIENTS: Final = ("pre-registered", "dynamic registration", "metadata document")
"""The ways in which a client becomes known to Keycloak, as the ids of the tests name them."""

SUITES: Final[Mapping[str, tuple[str, ...]]] = {
    "basics": (
        "tests/matrix/test_rows.py",
        "tests/matrix/test_one_tool.py",
        "tests/contract/test_identity.py",
        "tests/nextcloud/test_setup.py::test_real_nextcloud_is_set_up_idempotently",
        "tests/doctor/test_healthy.py::test_healthy_deployment_passes_every_step",
    ),
    "documents": ("tests/matrix/test_metadata_document.py",),
    "contract": ("tests/contract", "tests/doctor/test_real_nextcloud.py"),
    "e2e": ("tests/e2e",),
}
"""The tests of each suite."""

OWN_KEYCLOAK: Final = frozenset({"documents", "e2e"})
"""The suites that need features of Keycloak, or disturb it."""

EACH_VERSION: Final = "basics"
"""The suite that runs with each version of user_oidc; the others run once for each Nextcloud."""

CHECKS: Final[Mapping[str, str]] = {
    "tests.nextcloud": "set-up",
    "tests.doctor.test_healthy": "doctor",
    "tests.doctor.test_real_nextcloud": "faults",
    "tests.contract": "tokens",
    "tests.e2e": "e2e",
    "tests.matrix.test_one_tool": "one tool an app",
    "tests.matrix.test_metadata_document": "one tool an app",
    "tests.matrix.test_rows": "rows",
}
"""The check that a test module belongs to, by the start of its name."""

SQL: Final = "MATRIX_SQL"
"""The environment variable with the command for SQL; tests/matrix is collected only if it is set."""


@dataclass(frozen=True)
class Outcome:
    """One test.

    Attributes:
        test: its name, with parameters.
        check: the column of the page.
        mode: the mode of the server; empty if the test is about neither.
        client: one of `CLIENTS`; empty if the test is about none.
        result: `passed`, `failed` or `not run`.
        why: of a test that was not run, the reason.
        properties: what the test measured.
    """

    test: str
    check: str
    mode: str
    client: str
    result: str
    why: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)


def run_suite(name: str, target: Target, report: Path, keycloak: Mapping[str, str]) -> list[Outcome]:
    """Run a suite against a Nextcloud; its output goes to the terminal, and its JUnit XML to `report`.

    Args:
        name: the suite.
        target: the Nextcloud.
        report: the file for JUnit XML.
        keycloak: the environment with the shared Keycloak; a suite in `OWN_KEYCLOAK` starts another one.
    """
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-q",
        "-o",
        "junit_family=xunit1",
        f"--junitxml={report}",
        *SUITES[name],
    ]
    environment = {**os.environ, **({} if name in OWN_KEYCLOAK else keycloak)} | {
        "NEXTCLOUD_URL": target.url,
        "NEXTCLOUD_OCC": shlex.join(target.commands["occ"]),
        SQL: shlex.join(target.commands.get("sql", ("none",))),
    }
    report.unlink(missing_ok=True)
    subprocess.run(command, cwd=ROOT, env=environment, check=False)
    return list(read_report(report, name)) if report.exists() else []


def read_report(report: Path, suite: str) -> Iterator[Outcome]:
    """Yield the tests of a report in JUnit XML."""
    root = parse(report).getroot()
    assert root is not None
    for case in root.iter("testcase"):
        yield _outcome(case, suite)


def _outcome(case: Element, suite: str) -> Outcome:
    module, name = case.get("classname", ""), case.get("name", "")
    parameters = name.partition("[")[2].replace("_", "-")
    skipped = case.find("skipped")
    failed = case.find("failure") is not None or case.find("error") is not None
    return Outcome(
        test=f"{module.replace('.', '/')}.py::{name}",
        check=_check(module, suite),
        mode="" if suite in {"contract", "e2e"} else _mode(parameters),
        client=next((client for client in CLIENTS if client.replace("_", "-") in parameters), ""),
        result="failed" if failed else "not run" if skipped is not None else "passed",
        why=skipped.get("message", "") if skipped is not None else "",
        properties={each.get("name", ""): each.get("value", "") for each in case.iter("property")},
    )


def _mode(parameters: str) -> str:
    return next((mode for mode in MODES if re.search(rf"\b{mode}\b", parameters)), "")


def _check(module: str, suite: str) -> str:
    if suite == "contract" and module.startswith("tests.contract"):
        return "contract"
    return next(check for start, check in CHECKS.items() if module.startswith(start))
