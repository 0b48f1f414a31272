"""The report for the terminal: one line for each step, followed by its problems and their fixes."""

import shutil
import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from nextcloud_mcp.doctor.finding import Outcome, Problem
from nextcloud_mcp.doctor.report import Report, Result

MARKS: Final = {Outcome.OK: "✓", Outcome.WARNING: "!", Outcome.FAILED: "✗", Outcome.SKIPPED: "-"}
COLOURS: Final = {Outcome.OK: "32", Outcome.WARNING: "33", Outcome.FAILED: "31", Outcome.SKIPPED: "2"}
"""ANSI: green, yellow, red, faint."""

BOLD: Final = "1"
NARROWEST: Final = 60
WIDEST: Final = 110
TITLE_WIDTH: Final = 18
INDENT: Final = 4


class Screen:
    """Formats reports as lines of text, with ANSI colours if `colour` is set."""

    def __init__(self, *, colour: bool, width: int | None = None) -> None:
        """Format lines of up to `width` characters, by default the width of the terminal."""
        columns = width or shutil.get_terminal_size((WIDEST, 0)).columns
        self._colour = colour
        self._width = max(NARROWEST, min(columns, WIDEST))

    def lines(self, report: Report) -> Iterator[str]:
        """Yield the lines of a report, group by group, and a summary."""
        for group, results in groupby(report.results, key=lambda result: result.step.group):
            yield from self._group(group, list(results))
            yield ""
        yield self._sum(report)

    def _group(self, group: str, results: Sequence[Result]) -> Iterator[str]:
        yield self._painted(group, BOLD)
        for result in results:
            if not result.finding.needs:
                yield from self._step(result)
        waiting = [result for result in results if result.finding.needs]
        explained = any(result.finding.skipped and not result.finding.needs for result in results)
        if waiting and not explained:
            titles = ", ".join(result.step.title for result in waiting)
            needs = dict.fromkeys(code for result in waiting for code in result.finding.needs)
            elsewhere = [code for code in needs if not code.startswith(f"{group}.")] or list(needs)[:1]
            yield from self._row(Outcome.SKIPPED, "not checked", f"{titles}: first {', '.join(elsewhere)}")

    def _step(self, result: Result) -> Iterator[str]:
        yield from self._row(result.finding.outcome, result.step.title, result.finding.observed)
        for problem in result.finding.problems:
            yield from self._problem(result.step.code, problem)

    def _row(self, outcome: Outcome, title: str, text: str) -> Iterator[str]:
        colour = COLOURS[outcome]
        indent = INDENT + TITLE_WIDTH
        first, *rest = self._wrapped(text, indent)
        yield f"  {self._painted(f'{MARKS[outcome]} {title:{TITLE_WIDTH}}', colour)}{first}"
        yield from (" " * indent + line for line in rest)

    def _problem(self, code: str, problem: Problem) -> Iterator[str]:
        """Yield the cause, wrapped, and the fix, not wrapped: it may be a command to copy."""
        first, *rest = self._wrapped(f"{problem.cause}. ({code})", INDENT)
        yield from (" " * INDENT + self._painted(line, COLOURS[problem.outcome]) for line in (first, *rest))
        yield from (f"{' ' * INDENT}→ {line}" for line in problem.fix.splitlines())

    def _wrapped(self, text: str, indent: int) -> list[str]:
        return textwrap.wrap(text, self._width - indent, break_long_words=False, break_on_hyphens=False) or [""]

    def _sum(self, report: Report) -> str:
        words = {
            Outcome.OK: "in order",
            Outcome.WARNING: "to look at",
            Outcome.FAILED: "to fix",
            Outcome.SKIPPED: "not checked",
        }
        parts = [f"{report.count(outcome)} {word}" for outcome, word in words.items() if report.count(outcome)]
        return self._painted(f"{', '.join(parts)}.", COLOURS[Outcome.OK if report.healthy else Outcome.FAILED])

    def _painted(self, text: str, colour: str) -> str:
        return f"\033[{colour}m{text}\033[0m" if self._colour else text
