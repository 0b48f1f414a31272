"""`auth.json_size`: JSON that would use too much memory is detected before parsing."""

import time

import pytest

from nextcloud_mcp.auth.json_size import MAX_PARTS, has_too_many_values
from tests.support.server import EVERYTHING, Server


@pytest.mark.parametrize("part", [b"[],", b"{},", b'"a",', b"1,", b'"a":1,', b"[["])
def test_too_many_values_are_detected(part: bytes) -> None:
    """The limit applies to values of every type."""
    assert has_too_many_values(part * (MAX_PARTS + 1))
    assert not has_too_many_values(part * (MAX_PARTS // 10))


def test_string_counts_as_one_value() -> None:
    """A file of four million commas, brackets or escaped quotes may be written."""
    for character in (b",", b"[", b'\\"', b"\\\\"):
        assert not has_too_many_values(b'{"content":"' + character * 2_000_000 + b'"}')


@pytest.mark.parametrize("tail", [b'\\"', b"\\", b'"', b"\\\n", b"x"])
def test_counting_takes_linear_time(tail: bytes) -> None:
    """An unterminated string is read once."""
    start = time.process_time()
    has_too_many_values(b'{"content":"' + tail * 2_000_000)
    assert time.process_time() - start < 10


async def test_body_with_too_many_values_is_refused(server: Server) -> None:
    """The answer is 400 before parsing, without an exchange."""
    token = server.keycloak.mint(scope=EVERYTHING)
    response = await server.call("nc_whoami", {"x": [[]] * MAX_PARTS}, token=token)

    assert response.status_code == 400
    assert "too many values" in response.json()["error"]["message"]
    assert server.keycloak.exchanges() == []
