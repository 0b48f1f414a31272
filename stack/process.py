"""Child processes of the stack: start, wait until ready, stop.

Each child leads its own process group. Ctrl-C at the terminal therefore reaches only the stack, which then stops its
children in order, and a shell script ends together with its own children.
"""

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from stack.errors import StackError

LOOPBACK = "127.0.0.1"
FIRST_PORT = 10_000
IANA_EPHEMERAL_PORT = 49_152
MAX_ATTEMPTS = 1_000
POLL_SECONDS = 0.1
TERMINATE_SECONDS = 60.0
LOG_LINES_SHOWN = 15


def free_port() -> int:
    """Return a TCP port on loopback that stays free until a server of this process uses it.

    The port is below the kernel's ephemeral ports, so no outgoing connection takes it. Other processes that call this
    function get other ports.

    Raises:
        StackError: no free port was found.
    """
    for port in random.sample(range(FIRST_PORT, _first_ephemeral_port()), k=MAX_ATTEMPTS):
        with socket.socket() as probe, suppress(OSError):
            probe.bind((LOOPBACK, port))
            _reserve(port)
            return port
    raise StackError(f"None of {MAX_ATTEMPTS} ports of {LOOPBACK} that were tried is free.")


def _first_ephemeral_port() -> int:
    """Return the first port that the kernel gives to outgoing connections (ip(7), `ip_local_port_range`)."""
    try:
        first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except OSError:
        first = IANA_EPHEMERAL_PORT
    return max(first, FIRST_PORT + MAX_ATTEMPTS)


def _reserve(port: int) -> None:
    """Bind an abstract Unix socket that reserves the port until this process ends.

    Raises:
        OSError: the port is already reserved, by this process or another one.
    """
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f"\0nextcloud-mcp-port-{port}")
    except OSError:
        name.close()
        raise
    name.detach()  # keeps the socket open until the process ends


def require_free_port(port: int, *, setting: str) -> None:
    """Check that a port is free before a child starts, whose own error would be hidden in its log.

    Args:
        port: the loopback port that the child is about to listen on.
        setting: the environment variable that sets the port.

    Raises:
        StackError: the port is taken.
    """
    with socket.socket() as probe:
        # As servers do, so that a TIME_WAIT connection of the previous run does not block the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            raise StackError(
                f"Port {port} is taken: end what listens there, or set {setting} to another port."
            ) from error


@contextmanager
def run_process(
    name: str,
    command: Sequence[str | Path],
    *,
    log: Path,
    ready: Callable[[], bool],
    timeout: float = 180.0,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a child for as long as the block lasts; enter the block once `ready` returns true.

    Args:
        name: the child's name in error messages.
        command: program and arguments; no shell.
        log: file to which the child's output is appended.
        ready: called ten times a second until it returns true; it must not raise.
        timeout: seconds until a child that is not ready counts as failed.
        env: the child's whole environment; by default that of the stack.
        cwd: the child's working directory.

    Raises:
        StackError: the child ended or was not ready in time; the message has the last lines of its log.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        start = output.tell()
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=env,
            cwd=cwd,
            start_new_session=True,
        )
    try:
        _await_ready(name, child, ready, timeout, lambda: _tail(log, start))
        yield child
    finally:
        stop(child)


def stop(child: subprocess.Popen[bytes]) -> None:
    """Send SIGTERM to a child's process group, and SIGKILL if the child has not ended after `TERMINATE_SECONDS`."""
    _signal_group(child, signal.SIGTERM)
    try:
        child.wait(TERMINATE_SECONDS)
    except subprocess.TimeoutExpired:
        _signal_group(child, signal.SIGKILL)
        child.wait()


def _signal_group(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # the whole group has ended already
        os.killpg(child.pid, number)


def _await_ready(
    name: str,
    child: subprocess.Popen[bytes],
    ready: Callable[[], bool],
    timeout: float,
    tail: Callable[[], str],
) -> None:
    deadline = time.monotonic() + timeout
    while not ready():
        if child.poll() is not None:
            raise StackError(f"{name} ended with status {child.returncode} before it was ready.{tail()}")
        if time.monotonic() > deadline:
            raise StackError(f"{name} was not ready after {timeout:.0f} seconds.{tail()}")
        time.sleep(POLL_SECONDS)


def _tail(log: Path, start: int) -> str:
    """Return the last lines that this run wrote to the log, without those of earlier runs."""
    with log.open("rb") as file:
        file.seek(start)
        lines = file.read().decode(errors="replace").splitlines()
    return "\n".join([f" The end of {log}:", *(f"  {line}" for line in lines[-LOG_LINES_SHOWN:])])
