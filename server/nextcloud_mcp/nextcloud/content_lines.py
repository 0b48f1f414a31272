"""Content lines, of which vCard and iCalendar consist (RFC 6350 section 3.3, RFC 5545 section 3.1), and their texts.

Reading takes time in proportion to the input, whatever the input is: cards and events come from other people. Every
regular expression here is possessive, so that none tries a second way to match.

Text from a caller is written through `text` or checked by `one_line`: both leave no character in it that ends a line,
for any reader.
"""

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from nextcloud_mcp.errors import InvalidArgumentError

MAX_LINES: Final = 10_000
"""Lines of one object after unfolding: an event with 300 changed occurrences of 30 lines has as many."""

MAX_PARAMETERS: Final = 100
"""Parameters of one line, and values of one parameter."""

_LINE_END: Final = re.compile(r"\r?\n(?![ \t])")
_FOLD: Final = re.compile(r"\r?\n[ \t]")
_NAME: Final = re.compile(r"(?:([A-Za-z0-9_-]++)\.)?+([A-Za-z0-9_-]++)")
_PARAMETER: Final = re.compile(r";([A-Za-z0-9_-]*+)(=)?+")
_PARAMETER_VALUE: Final = re.compile(r'"([^"]*+)"|([^";:,]*+)')

_CONTROLS: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Characters that no text may contain: control characters other than tab and line feed, characters that some parsers
treat as a line end, and surrogates, which UTF-8 cannot encode."""

_MAX_BYTES: Final = 75


@dataclass(frozen=True)
class ContentLine:
    """One content line, unfolded; `raw` is how it is written, folded and without its line end.

    A line that is not well-formed has no name: it can be kept, not understood.
    """

    raw: str
    name: str = ""
    params: tuple[tuple[str, ...], ...] = ()
    value: str = ""
    group: str | None = None


def split(text: str) -> Iterator[str]:
    """Return the lines of an object, each with its folds (RFC 6350 section 3.2), without those that are empty."""
    start = 0
    for end in _LINE_END.finditer(text):
        if end.start() > start:
            yield text[start : end.start()]
        start = end.end()
    if start < len(text):
        yield text[start:]


def restore(changed: str, unchanged: str, original: str) -> str:
    """Return a changed object in which each unchanged line is written as in the original.

    A library that serializes an object keeps its meaning, but turns `PT0S` into `P0D` and folds lines elsewhere.

    Args:
        changed: What the library wrote after the change.
        unchanged: What it writes without one.
        original: What was read.
    """
    before, lines = list(split(unchanged)), list(split(original))
    if [parse(each).name for each in before] != [parse(each).name for each in lines]:
        return changed
    originals: dict[str, deque[str]] = {}
    for written, line in zip(before, lines, strict=True):
        originals.setdefault(_FOLD.sub("", written), deque()).append(line)
    return "".join(f"{_original(line, originals)}\r\n" for line in split(changed))


def _original(line: str, originals: dict[str, deque[str]]) -> str:
    same = originals.get(_FOLD.sub("", line))
    return _FOLD.sub("\r\n ", same.popleft()) if same else line


def parse(raw: str) -> ContentLine:
    """Read one line, which may be folded. Each parameter is its name and its values; vCard 2.1 has names alone."""
    line = _FOLD.sub("", raw)
    named = _NAME.match(line)
    if named is None:
        return ContentLine(raw)
    params: list[tuple[str, ...]] = []
    position = named.end()
    while param := _PARAMETER.match(line, position):
        values, position = _values(line, param.end()) if param[2] else ((), param.end())
        if param[1]:
            params.append((param[1], *values))
        if max(len(params), len(values)) > MAX_PARAMETERS:
            return ContentLine(raw)
    if line[position : position + 1] != ":":
        return ContentLine(raw)
    name = named[2].upper().replace("_", "-")  # Lotus Notes writes underscores
    return ContentLine(raw, name, tuple(params), line[position + 1 :], named[1])


def _values(line: str, position: int) -> tuple[tuple[str, ...], int]:
    """Return the values of a parameter from `position` on, and where they end; one value too many ends them."""
    values: list[str] = []
    while len(values) <= MAX_PARAMETERS:
        found = _PARAMETER_VALUE.match(line, position)
        if found is None:  # an unclosed quotation mark
            break
        values.append(found[1] if found[1] is not None else found[2])
        position = found.end()
        if line[position : position + 1] != ",":
            break
        position += 1
    return tuple(values), position


def write(line: str) -> ContentLine:
    """Return a content line folded at 75 bytes.

    Raises:
        InvalidArgumentError: the text has a line end or another control character, or is not a well-formed line.
    """
    written = parse(fold(one_line(line, "A field of the object")))
    if not written.name:
        raise InvalidArgumentError("A field of the object has a value that cannot be written", "check the arguments")
    return written


def fold(line: str) -> str:
    """Fold a line at 75 bytes, between characters (RFC 6350 section 3.2)."""
    parts, begin, size = [], 0, 0
    for index, character in enumerate(line):
        width = len(character.encode())
        if size + width > _MAX_BYTES:
            parts.append(line[begin:index])
            begin, size = index, 1  # the blank that continues a line
        size += width
    return "\r\n ".join([*parts, line[begin:]])


def one_line(value: str, what: str) -> str:
    """Return `value`, which goes into a line as it is; `what` names it.

    Raises:
        InvalidArgumentError: the value has a line end or another control character.
    """
    if "\n" in value or _CONTROLS.search(value):
        raise InvalidArgumentError("{what} contains a line end or another control character", "leave it out", what=what)
    return value


def text(value: str) -> str:
    r"""Return text that may have several lines: line ends are `\n`, any other control character is a blank."""
    return _CONTROLS.sub(" ", value.replace("\r\n", "\n").replace("\r", "\n")).strip()


def escape(value: str) -> str:
    """Escape a text (RFC 6350 section 3.4, RFC 5545 section 3.3.11)."""
    for character, escaped in (("\\", "\\\\"), (";", "\\;"), (",", "\\,"), ("\n", "\\n")):
        value = value.replace(character, escaped)
    return value


_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_PART: Final = {separator: re.compile(rf"(?:[^\\{separator}]|\\.|\\\Z)*+", re.DOTALL) for separator in ",;"}


def unescape(value: str) -> str:
    """Return the text that a value stands for; a backslash before any other character is kept."""
    return _ESCAPED.sub(_unescaped, value)


def _unescaped(found: re.Match[str]) -> str:
    character = found[1]
    return "\n" if character in "nN" else character if character in '\\;,:"' else found[0]


def split_values(value: str, separator: str) -> list[str]:
    """Split a list at its separators, "," or ";", where they are not escaped; the parts stay escaped."""
    parts, position = [], 0
    while True:
        part = _PART[separator].match(value, position)
        assert part is not None  # noqa: S101 - it matches the empty text too
        parts.append(part[0])
        if part.end() == len(value):
            return parts
        position = part.end() + 1
