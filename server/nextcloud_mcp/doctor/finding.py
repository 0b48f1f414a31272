"""The finding of a step: what the step observed, and the problems.

Each problem has a cause and a fix: a command, a setting, or a place in Keycloak's console. A step that cannot be
checked is skipped, with the reason.
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """The outcome of a step."""

    OK = "ok"
    SKIPPED = "skipped"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True)
class Problem:
    """A problem that a step found.

    Attributes:
        cause: what is wrong, as a sentence without its full stop.
        fix: the command or setting that fixes it.
        outcome: the outcome of the step: `FAILED`, or `WARNING` if calls work all the same.
    """

    cause: str
    fix: str
    outcome: Outcome = Outcome.FAILED


@dataclass(frozen=True)
class Finding:
    """The result of a step's check.

    Attributes:
        observed: what the step observed, in a few words; the reason if the step was skipped.
        problems: the problems that the step found.
        skipped: whether the step could not be checked.
        needs: codes of the required steps that did not succeed, if the step was skipped because of them.
    """

    observed: str
    problems: tuple[Problem, ...] = ()
    skipped: bool = False
    needs: tuple[str, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """The worst outcome of the problems."""
        if self.skipped:
            return Outcome.SKIPPED
        outcomes = {problem.outcome for problem in self.problems}
        return next((worst for worst in (Outcome.FAILED, Outcome.WARNING) if worst in outcomes), Outcome.OK)


class Fault(Exception):  # noqa: N818 - what the doctor finds is no error of the doctor's
    """An exception that ends a step with one problem."""

    def __init__(self, cause: str, fix: str, *, observed: str = "") -> None:
        self.finding = Finding(observed or cause, (Problem(cause, fix),))
        super().__init__(cause)


class Skip(Exception):  # noqa: N818 - the same
    """An exception that skips a step that cannot be checked; the message is the reason."""


def warning(cause: str, fix: str) -> Problem:
    """Return a problem that does not make calls fail."""
    return Problem(cause, fix, Outcome.WARNING)


def readable(value: Any) -> str:
    """Return a value that another program sent, for people: texts as they are, lists with commas, the rest as JSON."""
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ", ".join(map(readable, value)) or "nothing"
    return json.dumps(value, ensure_ascii=False)
