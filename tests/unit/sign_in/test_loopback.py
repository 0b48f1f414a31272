"""`sign_in.loopback`: what reaches the port or standard input and is no redirect."""

import io
import os
import socket
from typing import Final

import httpx
import pytest

from nextcloud_mcp.sign_in.loopback import listening

STATE: Final = "the-state"
SECONDS: Final = 60.0
"""How long an answer may take on a busy machine."""


@pytest.mark.parametrize("path", ["//[", "http://[/callback", "/callback?%zz", "/callback/?state=the-state&code=c"])
def test_strange_address_is_no_redirect(path: str, capfd: pytest.CaptureFixture[str]) -> None:
    """The port answers, nothing is printed, and the redirect still counts."""
    with listening(STATE) as loopback:
        with socket.create_connection(("127.0.0.1", loopback.port), timeout=SECONDS) as connection:
            connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            assert connection.recv(12) in {b"HTTP/1.0 404", b"HTTP/1.0 400"}
        with socket.create_connection(("127.0.0.1", loopback.port), timeout=SECONDS) as connection:
            connection.sendall(b"\x16\x03\x01 no HTTP \r\n")
        httpx.get(loopback.redirect_uri, params={"state": STATE, "code": "c"}, timeout=SECONDS)
        assert loopback.wait(SECONDS) == {"state": STATE, "code": "c"}
    assert capfd.readouterr().err == ""


def test_strange_line_is_no_address(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """A line that no URL can be does not end the reading of further lines."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as standard_input, os.fdopen(writing, "wb") as keyboard:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(standard_input))
        with listening(STATE) as loopback:
            keyboard.write(b"http://[?\nhttp://127.0.0.1/callback?state=the-state&code=c#x\n")
            keyboard.flush()
            assert loopback.wait(SECONDS) == {"state": STATE, "code": "c"}
    assert capfd.readouterr().err == "This is not the address of this sign-in: paste all of it.\n"
