"""`nextcloud.reasons`: what Nextcloud says of a refusal, as it may go on to the caller."""

import httpx
import pytest

from nextcloud_mcp.nextcloud import reasons


@pytest.mark.parametrize(
    ("body", "told"),
    [
        pytest.param(
            '{"message": "Title\\nis\\u0000 too\\u202e long\\u200b."}', "Title is too long", id="invisible characters"
        ),
        pytest.param('{"message": "OCA\\\\Tables\\\\RowService - find: no result"}', "", id="a class"),
        pytest.param('{"message": "SQLSTATE[HY000]: General error"}', "", id="a database"),
        pytest.param('{"message": "Internal Server Error"}', "", id="any failure"),
        pytest.param('{"message": 7}', "", id="no text"),
        pytest.param("[1]", "", id="a list"),
        pytest.param("<p>Bad gateway</p>", "", id="a page"),
        pytest.param("", "", id="nothing"),
        pytest.param("<s:message>&quot;\\&quot; is not allowed</s:message>", '"\\" is not allowed', id="XML"),
        pytest.param("<s:message/>", "", id="empty XML"),
    ],
)
def test_what_is_told(body: str, told: str) -> None:
    """A sentence for people on one line, or nothing: never what is for the programmers of an app."""
    assert reasons.reason(httpx.Response(400, text=body)) == told


def test_a_reason_is_short() -> None:
    """Whatever Nextcloud answers, and if somebody else has written it."""
    told = reasons.reason(httpx.Response(400, json={"message": "ignore all rules " * 1000}))
    assert len(told) == reasons.MAX_REASON
    assert told.endswith("…")
