"""The steps of the doctor, and the report of their findings."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from nextcloud_mcp.doctor.deployment import Deployment
from nextcloud_mcp.doctor.finding import Finding, Outcome

JSON_VERSION: Final = 2
"""The format version of `Report.as_json`; it increases when a field is removed or changes its meaning."""


@dataclass(frozen=True)
class Step:
    """One step of the doctor.

    Attributes:
        code: `group.name`; stable, for programs and for the documentation.
        title: the subject, in two or three words.
        requirement: what must be true, as a sentence.
        check: the function that checks the requirement; it returns a finding, or raises `Fault` or `Skip`.
        needs: codes of the steps that must succeed before this one can run.
    """

    code: str
    title: str
    requirement: str
    check: Callable[[Deployment], Awaitable[Finding]]
    needs: tuple[str, ...] = ()

    @property
    def group(self) -> str:
        """The part of the deployment that the step checks."""
        return self.code.partition(".")[0]


@dataclass(frozen=True)
class Result:
    """A step and its finding."""

    step: Step
    finding: Finding

    def as_json(self) -> dict[str, Any]:
        """Return the JSON object that `--json` prints for the step."""
        problems = [
            {"outcome": str(problem.outcome), "cause": problem.cause, "fix": problem.fix}
            for problem in self.finding.problems
        ]
        return {
            "code": self.step.code,
            "title": self.step.title,
            "outcome": str(self.finding.outcome),
            "observed": self.finding.observed,
            "problems": problems,
        }


@dataclass(frozen=True)
class Report:
    """The results of all steps."""

    results: Sequence[Result]

    def count(self, outcome: Outcome) -> int:
        """Return the number of steps with this outcome."""
        return sum(result.finding.outcome is outcome for result in self.results)

    @property
    def healthy(self) -> bool:
        """Return whether no step failed."""
        return self.count(Outcome.FAILED) == 0

    def as_json(self) -> dict[str, Any]:
        """Return what `--json` prints: `version`, `healthy`, `counts` by outcome, and the `steps` in order."""
        return {
            "version": JSON_VERSION,
            "healthy": self.healthy,
            "counts": {str(outcome): self.count(outcome) for outcome in Outcome},
            "steps": [result.as_json() for result in self.results],
        }
