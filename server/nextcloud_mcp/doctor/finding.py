"""What a step of the doctor finds: what was seen, and the problems in it.

Each problem has a cause and what fixes it: a command, a setting, or a place in Keycloak's console. A step that can't
be judged is skipped, with the reason.
"""

from dataclasses import dataclass
from enum import StrEnum


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
        fix: the command or setting that fixes it.
        outcome: what it makes of the step: `FAILED`, or `WARNING` where calls work all the same.
    """

    cause: str
    fix: str
    outcome: Outcome = Outcome.FAILED


@dataclass(frozen=True)
class Finding:
    """What a step saw.

    Attributes:
        observed: in a few words; if it was skipped, the reason why.
        problems: what is wrong with that.
        skipped: whether it could not be judged.
        needs: codes of the steps on which it waits, if those were why.
    """

    observed: str
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

    def __init__(self, cause: str, fix: str, *, observed: str = "") -> None:
        self.finding = Finding(observed or cause, (Problem(cause, fix),))
        super().__init__(cause)


class Skip(Exception):  # noqa: N818 - the same
    """Ends a step that can't be judged; the message is the reason."""


def warning(cause: str, fix: str) -> Problem:
    """Return a problem with which calls work all the same."""
    return Problem(cause, fix, Outcome.WARNING)
