"""Receive the redirect of a sign-in on a port of the loopback interface (RFC 8252 section 7.3), or from the keyboard.

A browser on another machine can't reach the port. Its person pastes the address at which the browser ended.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Final
from urllib.parse import parse_qsl

from nextcloud_mcp.sign_in.errors import SignInError

PATH: Final = "/callback"
MAX_PASTED: Final = 65_536

_PAGE: Final = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
    '<body style="font-family: sans-serif; margin: 4em"><h1>{title}</h1><p>{text}</p></body></html>\n'
)

Parameters = dict[str, str]
"""The parameters of a redirect: `code` or `error`, `state`, `iss`."""


class Loopback:
    """Waits for the redirect with the state of this sign-in.

    Attributes:
        redirect_uri: the address to which the browser is sent.
        port: its port.
    """

    def __init__(self, server: ThreadingHTTPServer, received: SimpleQueue[Parameters]) -> None:
        self.port: Final = int(server.server_address[1])
        self.redirect_uri: Final = f"http://127.0.0.1:{self.port}{PATH}"
        self._received = received

    def wait(self, seconds: float) -> Parameters:
        """Return the parameters of the redirect.

        Raises:
            SignInError: nobody came back in this time.
        """
        try:
            return self._received.get(timeout=seconds)
        except Empty:
            raise SignInError(f"Nobody signed in within {seconds:.0f} seconds: run the command again.") from None


class _Server(ThreadingHTTPServer):
    """Any program and any web page may send requests to the port."""

    def handle_error(self, *_: Any) -> None:
        """Say nothing, instead of a traceback, about a request that is no HTTP or that its sender gave up."""


@contextmanager
def listening(state: str) -> Iterator[Loopback]:
    """Listen on a free port of the loopback interface, and on standard input, for a redirect with this `state`.

    Raises:
        SignInError: no port can be opened.
    """
    received: SimpleQueue[Parameters] = SimpleQueue()
    try:
        server = _Server(("127.0.0.1", 0), _handler(state, received))
    except OSError as error:
        raise SignInError(f"No port of 127.0.0.1 can be opened ({error.strerror}): allow it, and try again.") from error
    with server:
        Thread(target=server.serve_forever, daemon=True).start()
        Thread(target=_read_pasted, args=(state, received), daemon=True).start()
        try:
            yield Loopback(server, received)
        finally:
            server.shutdown()


def _handler(state: str, received: SimpleQueue[Parameters]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 5  # seconds; browsers open connections that they do not use

        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            parameters = dict(parse_qsl(query))
            if path != PATH:
                self._answer(HTTPStatus.NOT_FOUND, "Not found", "This port only waits for a sign-in.")
            elif parameters.get("state") != state:
                self._answer(HTTPStatus.BAD_REQUEST, "Not your sign-in", "Use the address that the terminal shows.")
            elif "code" in parameters:
                self._answer(HTTPStatus.OK, "Signed in", "You can close this window and return to the terminal.")
                received.put(parameters)
            else:
                self._answer(HTTPStatus.OK, "Not signed in", "The terminal says why.")
                received.put(parameters)

        def _answer(self, status: HTTPStatus, title: str, text: str) -> None:
            body = _PAGE.format(title=title, text=text).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
            self.send_header("Cache-Control", "no-store")
            self.send_header("Referrer-Policy", "no-referrer")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Log nothing: the request has the code."""

    return Handler


def _read_pasted(state: str, received: SimpleQueue[Parameters]) -> None:
    """Wait for the address of the redirect on standard input.

    It reads the file descriptor, because a thread that waits in `sys.stdin` makes Python crash at its end.
    """
    pasted = b""
    while len(pasted) < MAX_PASTED:
        try:
            more = os.read(sys.stdin.fileno(), MAX_PASTED)
        except (OSError, ValueError):  # there is no standard input
            return
        if not more:
            return
        pasted += more
        *lines, pasted = pasted.split(b"\n")
        for line in lines:
            _, _, query = line.decode(errors="replace").strip().partition("?")
            parameters = dict(parse_qsl(query.partition("#")[0]))
            if parameters.get("state") == state:
                received.put(parameters)
                return
            if line.strip():
                print("This is not the address of this sign-in: paste all of it.", file=sys.stderr)  # noqa: T201
