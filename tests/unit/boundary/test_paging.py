"""`tools.paging`: pages of long lists."""

import base64

import pytest

from nextcloud_mcp.boundary.paging import MAX_LIMIT, cursor_at, page, start_of
from nextcloud_mcp.errors import InvalidArgumentError


@pytest.mark.parametrize("length", [0, 1, 2, 3, 4, 7])
@pytest.mark.parametrize("limit", [1, 2, 3, MAX_LIMIT])
def test_pages_make_up_the_list(length: int, limit: int) -> None:
    """Whoever follows the cursors sees every entry once, in order, and no empty page after the last."""
    seen: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        items, cursor = page(range(length), limit, cursor)
        assert len(items) == limit or cursor is None
        assert items or not length
        seen += items
    assert seen == list(range(length))


def test_a_list_that_shrank_ends() -> None:
    """A cursor beyond the end gives an empty last page: entries may be deleted between two calls."""
    assert page([1, 2], 2, cursor_at(6)) == ([], None)


@pytest.mark.parametrize("number", [0, 1, 2**53, 10**18 - 1])
def test_a_cursor_holds_any_number(number: int) -> None:
    """Some lists go on after an id, and ids have up to 18 digits."""
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
def test_a_cursor_of_somebody_elses_is_refused(cursor: str) -> None:
    """A guessed cursor shows no page: the error names the argument and where cursors come from."""
    with pytest.raises(InvalidArgumentError, match=r"^Invalid cursor: pass next_cursor"):
        start_of(cursor, 10)


@pytest.mark.parametrize("limit", [-1, 0, MAX_LIMIT + 1])
def test_a_limit_has_bounds(limit: int) -> None:
    """The error names the argument, its bounds, and the way to more."""
    with pytest.raises(InvalidArgumentError, match=rf"^Invalid limit {limit}: pass a number from 1 to {MAX_LIMIT}"):
        page([1], limit)
