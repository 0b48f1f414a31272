"""`nextcloud.content_lines`: content lines of vCard and iCalendar, read in linear time and written one at a time."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextcloud_mcp.errors import InvalidArgumentError
from nextcloud_mcp.nextcloud import content_lines
from nextcloud_mcp.nextcloud.content_lines import ContentLine
from tests.support import killable

TEXT = st.text(alphabet=st.characters(exclude_categories=[]), max_size=40)
UNITS = st.text(alphabet='A;:,="\\.\t \r\n', min_size=1, max_size=6)
REPEATED = 20_000


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        pytest.param("FN:Ann", ContentLine("FN:Ann", "FN", (), "Ann"), id="plain"),
        pytest.param("a.b:c", ContentLine("a.b:c", "B", (), "c", "a"), id="in a group"),
        pytest.param("X_A:1", ContentLine("X_A:1", "X-A", (), "1"), id="an underscore"),
        pytest.param("T\r\n EL:1\n\t2", ContentLine("T\r\n EL:1\n\t2", "TEL", (), "12"), id="folded"),
        pytest.param("T;HOME;X=:1", ContentLine("T;HOME;X=:1", "T", (("HOME",), ("X", "")), "1"), id="no values"),
        pytest.param("T;:1", ContentLine("T;:1", "T", (), "1"), id="a semicolon too many"),
        pytest.param(
            'T;A="x;y:z",w;B=v:1', ContentLine('T;A="x;y:z",w;B=v:1', "T", (("A", "x;y:z", "w"), ("B", "v")), "1")
        ),
        pytest.param("X-A" + ";A" * 60, ContentLine("X-A" + ";A" * 60), id="no colon"),
        pytest.param("X-A" + ";A" * 101 + ":1", ContentLine("X-A" + ";A" * 101 + ":1"), id="too many parameters"),
        pytest.param("X;A=" + "a," * 101 + ":1", ContentLine("X;A=" + "a," * 101 + ":1"), id="too many values"),
        pytest.param('X;A="a:1', ContentLine('X;A="a:1'), id="an open quotation mark"),
        pytest.param("Ü:1", ContentLine("Ü:1"), id="no name"),
        pytest.param("", ContentLine(""), id="empty"),
    ],
)
def test_parses_a_content_line(raw: str, line: ContentLine) -> None:
    """Group, name, parameters and value follow RFC 6350 section 3.3; any other line has no name."""
    assert content_lines.parse(raw) == line


@given(lines=st.lists(st.text(alphabet="a;:\t é", min_size=1).map(lambda line: f"X{line}"), max_size=5))
def test_splits_only_at_line_ends_that_are_not_folds(lines: list[str]) -> None:
    """Each line keeps its folds; empty lines are dropped."""
    folded = [line.replace("é", "\r\n é") for line in lines]
    assert list(content_lines.split("\r\n".join(folded) + "\r\n\r\n")) == folded


@given(texts=st.lists(TEXT, min_size=1, max_size=4), separator=st.sampled_from(",;"))
def test_escaped_list_round_trips(texts: list[str], separator: str) -> None:
    """A list of any texts is read back as it was."""
    written = separator.join(map(content_lines.escape, texts))
    assert [content_lines.unescape(part) for part in content_lines.split_values(written, separator)] == texts


@given(value=TEXT)
def test_escaped_text_is_one_line(value: str) -> None:
    """No reader finds a line end in the written text, and it is read back as it was."""
    text = content_lines.text(value)
    line = content_lines.write(f"NOTE:{content_lines.escape(text)}")
    assert content_lines.unescape(line.value) == text
    assert line.raw.replace("\r\n ", "").splitlines() == ["NOTE:" + content_lines.escape(text)]
    assert max(len(part.encode()) for part in line.raw.split("\r\n")) <= 75


@given(character=st.characters(categories=["Cc", "Cs", "Zl", "Zp"]).filter(lambda each: each != "\t"))
def test_unescapable_control_character_is_refused(character: str) -> None:
    """Control characters, line separators and lone surrogates can't be written to a line."""
    with pytest.raises(InvalidArgumentError, match="line end or another control character"):
        content_lines.write(f"MEMBER:x{character}TEL:+1666")


def test_malformed_line_is_not_written() -> None:
    """No value can turn a line into one that readers skip."""
    with pytest.raises(InvalidArgumentError, match="cannot be written"):
        content_lines.write('TEL;TYPE="a:1')


def read(text: str) -> None:
    """Do all that is done to a line that is read."""
    for raw in content_lines.split(text):
        line = content_lines.parse(raw)
        for separator in ",;":
            for part in content_lines.split_values(line.value, separator):
                content_lines.unescape(part)


@settings(max_examples=150, deadline=None)
@given(before=st.sampled_from(["", "X-A", "X;A=", 'X;A="', "X:", "a.X"]), unit=UNITS, after=UNITS)
def find_a_slow_line(before: str, unit: str, after: str) -> None:
    """Look for a line whose reading takes more than four times as long when it is twice as long."""
    took = []
    for length in (REPEATED, 2 * REPEATED):
        text = before + unit * length + after
        began = time.process_time()
        read(text)
        took.append(time.process_time() - began)
    assert took[1] < 4 * took[0] + 0.5, (before, unit, after, took)


def find_slow_lines() -> None:
    """Look for such lines among many."""
    find_a_slow_line()


def test_reading_takes_linear_time() -> None:
    """Any repetition of delimiters, quotes, backslashes, blanks or line ends takes linear time."""
    killable.run(find_slow_lines, seconds=600)
