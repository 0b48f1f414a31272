"""Comma-separated lists, in which callers pass categories and attendees."""

from collections.abc import Callable, Mapping
from typing import Final

from nextcloud_mcp.errors import InvalidArgumentError

MAX_ITEMS: Final = 1_000
"""The most items in a comma-separated list that a caller passes, such as the attendees of an event."""


def split_list(listed: str) -> list[str]:
    """Split a comma-separated list; empty items are dropped."""
    return [item.strip() for item in listed.split(",") if item.strip()]


def split_argument(listed: str) -> list[str]:
    """Split a comma-separated list that a caller passes.

    Raises:
        InvalidArgumentError: the list has more than `MAX_ITEMS` items.
    """
    check_length(listed)
    return split_list(listed)


def check_length(listed: str) -> None:
    """Check that a list has at most `MAX_ITEMS` items.

    Raises:
        InvalidArgumentError: it has more.
    """
    if listed.count(",") >= MAX_ITEMS:
        raise InvalidArgumentError(f"A list has more than {MAX_ITEMS} parts", "pass fewer")


def join_known(names: list[str], known: Mapping[str, str], *, as_key: Callable[[str], str] = str) -> list[str]:
    """Join consecutive items that together form a known name, which itself contains commas."""
    result, start = [], 0
    sizes = sorted({each.count(",") + 1 for each in known}, reverse=True)
    while start < len(names):
        keys = ((size, as_key(", ".join(names[start : start + size]))) for size in sizes)
        taken, name = next(((size, known[key]) for size, key in keys if key in known), (1, names[start]))
        result.append(name)
        start += taken
    return result
