"""What a step of the doctor finds, and the report that they make together.

A finding is what was seen, and the problems in it; each problem has a cause and what mends it: a command, a setting,
or a place in Keycloak's console. A step that can't be judged is skipped, with the reason.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from nextcloud_mcp.doctor.patient import Patient

JSON_VERSION: Final = 1
"""Of the shape of `Report.as_json`; it rises when something in it is taken away or means something else."""


class Outcome(StrEnum):
    """How a step ended, best first."""

    OK = "ok"
    SKIPPED = "skipped"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True)
class Problem:
    """Something wrong.

    Attributes:
        cause: what, in a sentence without its full stop.
        mend: the command or setting that mends it.
        outcome: what it makes of the step: `FAILED`, or `WARNING` where calls work all the same.
    """

    cause: str
    mend: str
    outcome: Outcome = Outcome.FAILED


@dataclass(frozen=True)
class Finding:
    """What a step saw.

    Attributes:
        saw: in a few words; if it was skipped, the reason why.
        problems: what is wrong with that.
        skipped: whether it could not be judged.
        needs: codes of the steps on which it waits, if those were why.
    """

    saw: str
    problems: tuple[Problem, ...] = ()
    skipped: bool = False
    needs: tuple[str, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """The worst of its problems."""
        if self.skipped:
            return Outcome.SKIPPED
        outcomes = {problem.outcome for problem in self.problems}
        return next((worst for worst in (Outcome.FAILED, Outcome.WARNING) if worst in outcomes), Outcome.OK)


class Fault(Exception):  # noqa: N818 - what the doctor finds is no error of the doctor's
    """Ends a step with one problem."""

    def __init__(self, cause: str, mend: str, *, saw: str = "") -> None:
        self.finding = Finding(saw or cause, (Problem(cause, mend),))
        super().__init__(cause)


class Skip(Exception):  # noqa: N818 - the same
    """Ends a step that can't be judged; the message is the reason."""


def warning(cause: str, mend: str) -> Problem:
    """Return a problem with which calls work all the same."""
    return Problem(cause, mend, Outcome.WARNING)


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
    demands: str
    check: "Callable[[Patient], Awaitable[Finding]]"
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
            {"outcome": str(problem.outcome), "cause": problem.cause, "mend": problem.mend}
            for problem in self.finding.problems
        ]
        return {
            "code": self.step.code,
            "title": self.step.title,
            "outcome": str(self.finding.outcome),
            "saw": self.finding.saw,
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
