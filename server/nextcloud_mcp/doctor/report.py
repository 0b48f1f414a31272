"""The steps of the doctor's walk, and the report that their findings make together."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from nextcloud_mcp.doctor.deployment import Deployment
from nextcloud_mcp.doctor.finding import Finding, Outcome

JSON_VERSION: Final = 2
"""Of the shape of `Report.as_json`; it rises when something in it is taken away or means something else."""


@dataclass(frozen=True)
class Step:
    """One step of the walk.

    Attributes:
        code: `group.name`; stable, for programs and for the documentation.
        title: what it is about, in two or three words.
        demands: what must be true, in a sentence.
        check: looks, and returns what it found, or raises `Fault` or `Skip`.
        needs: codes of the steps without which it can't be judged.
    """

    code: str
    title: str
    requirement: str
    check: Callable[[Deployment], Awaitable[Finding]]
    needs: tuple[str, ...] = ()

    @property
    def group(self) -> str:
        """The part of the chain that it is about."""
        return self.code.partition(".")[0]


@dataclass(frozen=True)
class Result:
    """A step, and what it found."""

    step: Step
    finding: Finding

    def as_json(self) -> dict[str, Any]:
        """Return it as `--json` prints it."""
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
    """The whole walk."""

    results: Sequence[Result]

    def count(self, outcome: Outcome) -> int:
        """Return how many steps ended so."""
        return sum(result.finding.outcome is outcome for result in self.results)

    @property
    def healthy(self) -> bool:
        """Say whether no step failed."""
        return self.count(Outcome.FAILED) == 0

    def as_json(self) -> dict[str, Any]:
        """Return it as `--json` prints it: `version`, `healthy`, `counts` by outcome, and `steps` in their order."""
        return {
            "version": JSON_VERSION,
            "healthy": self.healthy,
            "counts": {str(outcome): self.count(outcome) for outcome in Outcome},
            "steps": [result.as_json() for result in self.results],
        }
