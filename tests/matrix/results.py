"""What each combination of Nextcloud and user_oidc did in its last run, and the page that says so.

compatibility.json has everything; the page and the line in the README are rendered from it. A run of some combinations
or suites keeps what is known of the others.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.matrix.known import Reason
from tests.matrix.plan import NotRun, version_key
from tests.matrix.suites import ROOT, Outcome

DATA: Final = ROOT / "docs" / "reference" / "compatibility.json"
TABLES: Final = ("oc_authtoken", "oc_addressbookchanges")
UNEXPLAINED: Final = "not explained yet"


@dataclass
class Check:
    """The results of one check, for one mode and one kind of client; both are empty if the check is about neither."""

    check: str
    mode: str
    client: str
    date: str
    passed: int = 0
    failed: list[dict[str, str]] = field(default_factory=list)
    not_run: list[dict[str, str]] = field(default_factory=list)

    def add(self, outcome: Outcome, reason: Reason | None) -> None:
        """Count a test."""
        if outcome.result == "passed":
            self.passed += 1
        elif outcome.result == "failed":
            why = {"reason": reason.reason, "link": reason.link} if reason else {"reason": UNEXPLAINED, "link": ""}
            self.failed.append({"test": outcome.test, **why})
        else:
            self.not_run.append({"test": outcome.test, "reason": outcome.why})


@dataclass
class Row:
    """One combination.

    Attributes:
        target: the name of the Nextcloud in the file of the run.
        refused: why the combination was not run; then only the versions are known.
        rows_per_call: the new rows for each call, by mode and table.
        checks: the results.
    """

    target: str
    nextcloud: str
    user_oidc: str
    apps: dict[str, str] = field(default_factory=dict)
    php: str = ""
    database: str = ""
    memory_cache: str = ""
    keycloak: str = ""
    refused: str = ""
    rows_per_call: dict[str, dict[str, float]] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)

    @property
    def date(self) -> str:
        """The day of the last run."""
        return max((check.date for check in self.checks), default="")

    def record(self, outcomes: Iterable[Outcome], reasons: list[Reason], date: str) -> None:
        """Put the tests of a suite in the place of earlier results of the same checks."""
        new: dict[tuple[str, str, str], Check] = {}
        for outcome in outcomes:
            self._measure(outcome)
            if outcome.check == "rows" and outcome.result == "passed":
                continue
            key = (outcome.check, outcome.mode, outcome.client)
            reason = next((r for r in reasons if r.explains(outcome.test, self.nextcloud, self.user_oidc)), None)
            new.setdefault(key, Check(*key, date)).add(outcome, reason)
        kept = [check for check in self.checks if (check.check, check.mode, check.client) not in new]
        self.checks = sorted([*kept, *new.values()], key=lambda each: (each.check, each.mode, each.client))

    def _measure(self, outcome: Outcome) -> None:
        self.keycloak = outcome.properties.get("keycloak", self.keycloak)
        found = {table: float(outcome.properties[table]) for table in TABLES if table in outcome.properties}
        if found:
            self.rows_per_call[outcome.mode] = found

    def unexplained(self) -> list[str]:
        """Return the failed tests without a known reason."""
        return [each["test"] for check in self.checks for each in check.failed if each["reason"] == UNEXPLAINED]


@dataclass
class Results:
    """All of compatibility.json."""

    rows: list[Row]
    not_run: list[NotRun]

    def row(self, target: str, user_oidc: str, described: dict[str, Any]) -> Row:
        """Return the row of a combination with its present versions; a new one if it never ran."""
        old = next((row for row in self.rows if (row.target, row.user_oidc) == (target, user_oidc)), None)
        new = Row(target, **(described | {"user_oidc": user_oidc}))
        if old is not None:
            new.checks, new.keycloak, new.rows_per_call = old.checks, old.keycloak, old.rows_per_call
            self.rows.remove(old)
        self.rows.append(new)
        self.rows.sort(key=_order, reverse=True)
        return new


def _order(row: Row) -> tuple[tuple[int, ...], str, tuple[int, ...]]:
    return version_key(row.nextcloud), row.target, version_key(row.user_oidc)


def load(path: Path = DATA) -> Results:
    """Read the results of the runs so far."""
    if not path.exists():
        return Results([], [])
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    rows = [Row(**{**row, "checks": [Check(**check) for check in row["checks"]]}) for row in content["rows"]]
    return Results(rows, [NotRun(**each) for each in content["not_run"]])


def save(results: Results, path: Path = DATA) -> None:
    """Write the results."""
    content = {"rows": [asdict(row) for row in results.rows], "not_run": [asdict(each) for each in results.not_run]}
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
