"""Pages of long lists: `limit` and `cursor`, so that no answer floods a model's context.

A cursor is opaque to clients, as those of MCP's own lists are ("Pagination"), and says where the next page starts:
nothing is kept here between calls. What is added or deleted meanwhile moves the rest, as in any list by offset.

A tool that lists takes `limit: int = DEFAULT_LIMIT, cursor: str = ""` as its last parameters, and its result is a
`Paged`. Where Nextcloud sends the whole list, `page` cuts it; where Nextcloud pages by itself, `start_of` gives the
offset to ask it for, and `cursor_at` the cursor for the one after. Where Nextcloud's pages start after an id,
the number is that id in place of an offset.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Final, Generic, NamedTuple, TypeVar

from nextcloud_mcp.boundary.declaration import Result
from nextcloud_mcp.errors import InvalidArgumentError

DEFAULT_LIMIT: Final = 100
"""Entries of a page, where the caller does not say."""

MAX_LIMIT: Final = 1000
"""Entries of a page, whatever the caller says."""

_POSITION: Final = re.compile(r"from:([0-9]{1,18})", re.ASCII)
"""An offset, or the id after which the next page starts: Nextcloud's ids are 64 bits wide."""

Item = TypeVar("Item")


class Paged(Result):
    """The fields that the result of every list has: `next_cursor` is null at the end."""

    next_cursor: str | None = None


class Page(NamedTuple, Generic[Item]):
    """A part of a list, and the cursor for the next; None at the end."""

    items: list[Item]
    next_cursor: str | None


def page(items: Sequence[Item], limit: int, cursor: str = "") -> Page[Item]:
    """Return the part of `items` that starts where `cursor` says; an empty cursor is the beginning.

    Raises:
        InvalidArgumentError: as for `start_of`.
    """
    start = start_of(cursor, limit)
    end = start + limit
    return Page(list(items[start:end]), cursor_at(end) if end < len(items) else None)


def start_of(cursor: str, limit: int) -> int:
    """Return how many entries come before the page that is asked for.

    Raises:
        InvalidArgumentError: the cursor is none of ours, or the limit is out of bounds.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise InvalidArgumentError(
            "Invalid limit {limit}",
            f"pass a number from 1 to {MAX_LIMIT}, and for more, next_cursor as cursor",
            limit=limit,
            argument="limit",
        )
    return _decoded(cursor) if cursor else 0


def cursor_at(offset: int) -> str:
    """Return the cursor of the page that starts after `offset` entries."""
    return base64.urlsafe_b64encode(f"from:{offset}".encode()).rstrip(b"=").decode()


def _decoded(cursor: str) -> int:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (binascii.Error, ValueError):
        text = ""
    position = _POSITION.fullmatch(text)
    if position is None:
        raise InvalidArgumentError(
            "Invalid cursor",
            "pass next_cursor of the previous page, or leave it out for the first page",
            argument="cursor",
        )
    return int(position[1])
