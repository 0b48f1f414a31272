"""A recording of a terminal as SVG: commands, calls of tools, and what they really printed, one after the other.

The lines are text, without animation: previews and printed pages show the first moment of one.
"""

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

WIDTH: Final = 114
"""Characters in a line."""

_CHARACTER: Final = 7.5  # the advance of a monospaced font of 12.5 pixels, which `textLength` enforces
_LINE: Final = 18
_MARGIN: Final = 18
_BAR: Final = 30
_COLORS: Final = {"comment": "#8fa3b8", "command": "#7ee2a8", "call": "#f2c879", "output": "#dbe5ee"}
_FONTS: Final = "ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono, monospace"


SHELL: Final = "$ "
CALL: Final = "tool call: "
"""What is written before a command of the shell, and before a call that an MCP client makes."""


@dataclass(frozen=True)
class Step:
    """A command or a call and its output, or a comment.

    Attributes:
        command: what was typed; a comment begins with `#`.
        output: what was printed.
        limit: how many lines of the output to show; the last one shown ends with `…` if there are more.
        prompt: `SHELL` or `CALL`; a comment has none.
    """

    command: str
    output: str = ""
    limit: int = 20
    prompt: str = SHELL

    def lines(self) -> list[tuple[str, str]]:
        """Return the lines with their kinds, keys of `_COLORS`."""
        is_comment = self.command.startswith("#")
        typed = textwrap.wrap(f"{'' if is_comment else self.prompt}{self.command}", WIDTH, subsequent_indent="  ")
        printed = list(_folded(self.output.strip("\n").splitlines()))
        if len(printed) > self.limit:
            printed = [*printed[: self.limit - 1], f"{printed[self.limit - 1][: WIDTH - 2]} …"]
        kind = "comment" if is_comment else "call" if self.prompt == CALL else "command"
        return [(kind, line) for line in typed] + [("output", line) for line in printed] + [("output", "")]


def recording(steps: Sequence[Step], *, title: str, description: str) -> str:
    """Return the recording as SVG.

    Args:
        steps: what happened.
        title: the title, for the window and for screen readers.
        description: what the recording shows, for screen readers.
    """
    rows: list[str] = []
    y = _BAR + _MARGIN
    for step in steps:
        for kind, line in step.lines():
            if line:
                rows.append(_row(line, kind, y))
            y += _LINE
    width, height = round(WIDTH * _CHARACTER) + 2 * _MARGIN, y + _MARGIN // 2
    dots = "".join(f'<circle cx="{18 + 18 * n}" cy="15" r="5" fill="#4a5a6b"/>' for n in range(3))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"',
            f' role="img" aria-labelledby="title description" font-family="{_FONTS}" font-size="12.5">',
            f'<title id="title">{escape(title)}</title>',
            f'<desc id="description">{escape(description)}</desc>',
            "<style>text{white-space:pre}</style>",
            f'<rect width="{width}" height="{height}" rx="10" fill="#101820"/>',
            dots,
            f'<text x="{width // 2}" y="20" text-anchor="middle" fill="#8fa3b8">{escape(title)}</text>',
            *rows,
            "</svg>",
            "",
        ]
    )


def _row(line: str, kind: str, y: int) -> str:
    length = f"{len(line) * _CHARACTER:.1f}"
    return (
        f'<text x="{_MARGIN}" y="{y}" textLength="{length}" '
        f'fill="{_COLORS[kind]}" xml:space="preserve">{escape(line)}</text>'
    )


def _folded(lines: Iterable[str]) -> Iterable[str]:
    """Yield the lines as a terminal of that width breaks them."""
    for line in lines:
        stripped = line.rstrip()
        yield from [stripped[start : start + WIDTH] for start in range(0, len(stripped), WIDTH)] or [""]
