"""A desk to run a client at: a home of its own, a terminal, and a browser that opens what the client wants to open."""

import os
import re
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

import pexpect

from tests.clients.chromium import Chromium
from tests.clients.packages import Installed
from tests.clients.recorder import Recorder

TIMEOUT: Final = 120.0
"""Seconds for one step of a client, on a busy machine."""

SIZE: Final = (50, 1000)
"""Rows and columns of the terminal, so wide that no URL is broken."""

_BROWSERS: Final = ("xdg-open", "x-www-browser", "sensible-browser", "www-browser", "wslview", "open")
_CONTROL: Final = re.compile(r"\x1b(?:\[[0-9;?>=<]*[A-Za-z]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[=>()][AB0]?)")
_ANSWERS: Final = {"\x1b[6n": "\x1b[1;1R", "\x1b[c": "\x1b[?62;c"}
"""What a terminal answers when a program asks for its kind."""


class ClientError(AssertionError):
    """A client did not do what it was to do; the message has the end of its output."""


@dataclass
class Desk:
    """Where one client runs against one server.

    Attributes:
        client: the installed client.
        url: the URL of the server.
        issuer: the realm's issuer.
        home: the client's home folder, empty at the start.
        recorder: what the server was asked for.
        browser: the person's browser.
        remarks: what the table says about this run.
    """

    client: Installed
    url: str
    issuer: str
    home: Path
    recorder: Recorder
    browser: Chromium
    remarks: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Put a program in place of each that opens a browser: it only writes the URL down."""
        self.work.mkdir(parents=True)
        opener = self.home / "bin" / _BROWSERS[0]
        opener.parent.mkdir()
        opener.write_text(f'#!/bin/sh\nprintf "%s\\n" "$1" >> {self._opened}\n', encoding="utf-8")
        opener.chmod(0o755)
        for name in _BROWSERS[1:]:
            (opener.parent / name).symlink_to(opener)

    @property
    def work(self) -> Path:
        """The folder in which the client runs."""
        return self.home / "work"

    @property
    def _opened(self) -> Path:
        return self.home / "opened-urls"

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the client's environment, which has nothing of the person who runs the tests."""
        path = [self.home / "bin", *self.client.path]
        shared = {name: os.environ[name] for name in ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS") if name in os.environ}
        return {
            **shared,
            "HOME": str(self.home),
            "PATH": os.pathsep.join([*map(str, path), "/usr/local/bin", "/usr/bin", "/bin"]),
            "XDG_CONFIG_HOME": str(self.home / ".config"),
            "XDG_DATA_HOME": str(self.home / ".local" / "share"),
            "XDG_CACHE_HOME": str(self.home / ".cache"),
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
            "BROWSER": str(self.home / "bin" / _BROWSERS[0]),
            "DISPLAY": ":99",
            "CI": "",
            **(more or {}),
        }

    def run(
        self,
        *command: str,
        keys: Sequence[tuple[str, str]] = (),
        until: Callable[[], bool] | str | None = None,
        env: Mapping[str, str] | None = None,
        reads_output: bool = False,
        timeout: float = TIMEOUT,
    ) -> str:
        """Run a command in a terminal, open what it wants to open in a browser, and return its output.

        Args:
            command: the program and its arguments.
            keys: what the person types, each after a text (a regular expression) that the program shows.
            until: the program is ended when this is true, or when it has shown this text; None: it ends by itself.
            env: further environment variables.
            reads_output: open the URL that the program shows, because it does not open a browser by itself.
            timeout: seconds.

        Raises:
            ClientError: it did not end, or did not show one of the texts.
        """
        program = _Program(command, self.environment(env), self.work)
        pending = list(keys)
        deadline = time.monotonic() + timeout
        try:
            while time.monotonic() < deadline:
                alive = program.read()
                self._browse(program.output if reads_output else "")
                if pending and re.search(pending[0][0], program.unseen):
                    program.press(pending.pop(0)[1])
                elif not pending and until is not None and _is_done(until, program):
                    return program.output
                if not alive:
                    if until is None or _is_done(until, program):
                        return program.output
                    break
            raise ClientError(f"{' '.join(command)}: {program.output[-1500:]}")
        finally:
            program.end()

    def _browse(self, output: str) -> None:
        """Open each new authorization request in the browser."""
        opened = self._opened.read_text(encoding="utf-8") if self._opened.exists() else ""
        authorization = rf"{re.escape(self.issuer)}/protocol/openid-connect/auth\?[^\s\"'│]+(?=\s)"
        for url in re.findall(authorization, f"{opened}\n{output}"):
            state = parse_qs(urlsplit(url).query).get("state", [""])[0]
            if state not in {request.get("state", "") for request in self.browser.requests}:
                self.browser.visit(url)


def _is_done(until: Callable[[], bool] | str, program: "_Program") -> bool:
    return bool(re.search(until, program.output)) if isinstance(until, str) else until()


class _Program:
    """A program in a pseudo-terminal."""

    def __init__(self, command: Sequence[str], environment: dict[str, str], folder: Path) -> None:
        self.output = ""
        self._seen = 0
        self._child = pexpect.spawn(
            command[0],
            list(command[1:]),
            env=environment,
            cwd=str(folder),
            dimensions=SIZE,
            encoding="utf-8",
            codec_errors="replace",
            timeout=None,
        )

    @property
    def unseen(self) -> str:
        """What it has shown since the last key."""
        return self.output[self._seen :]

    def read(self) -> bool:
        """Read what it shows within half a second, and return whether it still runs."""
        try:
            text = self._child.read_nonblocking(65536, timeout=0.5)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        for question, answer in _ANSWERS.items():
            if question in text:
                self._child.send(answer)
        self.output += _CONTROL.sub("", text)
        return True

    def press(self, keys: str) -> None:
        """Type keys; the end of a line on its own, because programs take what comes at once for pasted text."""
        self._seen = len(self.output)
        for part in re.split(r"(\r)", keys):
            if part:
                self._child.send(part)
                time.sleep(1)  # no program shows when it has taken a key

    def end(self) -> None:
        """Stop it, and wait for its end, which can take seconds on a busy machine."""
        if not self._child.terminate():
            self._child.kill(signal.SIGKILL)
            self._child.wait()
        self._child.close()
