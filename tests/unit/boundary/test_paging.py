"""`boundary.paging`: pagination of long lists."""

import base64

import pytest

from nextcloud_mcp.boundary.paging import MAX_LIMIT, cursor_at, page, start_of
from nextcloud_mcp.errors import InvalidArgumentError


@pytest.mark.parametrize("length", [0, 1, 2, 3, 4, 7])
@pytest.mark.parametrize("limit", [1, 2, 3, MAX_LIMIT])
def test_pages_have_each_entry_once(length: int, limit: int) -> None:
    """A client that follows the cursors gets every entry once, in order, and no empty page at the end."""
    seen: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        items, cursor = page(range(length), limit, cursor)
        assert len(items) == limit or cursor is None
        assert items or not length
        seen += items
    assert seen == list(range(length))


def test_cursor_beyond_end_is_empty_page() -> None:
    """Entries may be deleted between two calls; the empty page is the last."""
    assert page([1, 2], 2, cursor_at(6)) == ([], None)


@pytest.mark.parametrize("number", [0, 1, 2**53, 10**18 - 1])
def test_cursor_accepts_large_numbers(number: int) -> None:
    """Some lists continue after an id, and ids have up to 18 digits."""
    assert start_of(cursor_at(number), 1) == number


@pytest.mark.parametrize(
    "cursor",
    [
        pytest.param("2", id="a page's number"),
        pytest.param("from:2", id="not encoded"),
        pytest.param("ümlaut", id="not ASCII"),
        pytest.param(base64.urlsafe_b64encode(b"from:-1").decode(), id="negative"),
        pytest.param(base64.urlsafe_b64encode(b"from:" + b"9" * 5000).decode(), id="huge"),
        pytest.param(base64.urlsafe_b64encode(b"\xff\xfe").decode(), id="bytes"),
        pytest.param(" ", id="blank"),
    ],
)
def test_foreign_cursor_is_refused(cursor: str) -> None:
    """The error names the argument and says where cursors come from."""
    with pytest.raises(InvalidArgumentError, match=r"^Invalid cursor: pass next_cursor"):
        start_of(cursor, 10)


@pytest.mark.parametrize("limit", [-1, 0, MAX_LIMIT + 1])
def test_limit_is_bounded(limit: int) -> None:
    """The error names the argument, its range, and how to get more."""
    with pytest.raises(InvalidArgumentError, match=rf"^Invalid limit {limit}: pass a number from 1 to {MAX_LIMIT}"):
        page([1], limit)
