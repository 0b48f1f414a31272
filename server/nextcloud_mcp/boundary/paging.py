"""Pages of long lists: `limit` and `cursor`, so that no result fills a model's context.

A cursor is opaque to clients, like those of MCP's own lists ("Pagination"). It contains the start of the next page, so
the server stores nothing between calls. Entries that are added or deleted meanwhile shift the following pages.

A tool that lists has `limit: int = DEFAULT_LIMIT, cursor: Cursor = ""` as its last parameters, and returns a `Paged`.
If Nextcloud sends the whole list, `page` cuts it. If Nextcloud pages by offset, `start_of` returns the offset and
`cursor_at` the cursor of the next page. If Nextcloud's pages start after an id, the number is that id instead of an
offset.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Final, Generic, NamedTuple, TypeVar

from nextcloud_mcp.boundary.declaration import Result
from nextcloud_mcp.errors import InvalidArgumentError

DEFAULT_LIMIT: Final = 100
"""Entries of a page, if the caller does not pass `limit`."""

MAX_LIMIT: Final = 1000
"""Maximum entries of a page."""

_POSITION: Final = re.compile(r"from:([0-9]{1,18})", re.ASCII)
"""An offset, or the id after which the next page starts: Nextcloud's ids have 64 bits."""

Item = TypeVar("Item")


class Paged(Result):
    """The fields of the result of every list; `next_cursor` is null on the last page."""

    next_cursor: str | None = None


class Page(NamedTuple, Generic[Item]):
    """A part of a list, and the cursor of the next part; None at the end."""

    items: list[Item]
    next_cursor: str | None


def page(items: Sequence[Item], limit: int, cursor: str = "") -> Page[Item]:
    """Return the page of `items` that starts at `cursor`; an empty cursor means the first page.

    Raises:
        InvalidArgumentError: see `start_of`.
    """
    start = start_of(cursor, limit)
    end = start + limit
    return Page(list(items[start:end]), cursor_at(end) if end < len(items) else None)


def start_of(cursor: str, limit: int) -> int:
    """Return the number of entries before the requested page.

    Raises:
        InvalidArgumentError: the cursor is invalid, or the limit is out of range.
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
