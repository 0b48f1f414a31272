"""Child processes of the stack: started, awaited until they serve, ended.

Each child leads a process group of its own: so Ctrl-C at the terminal reaches the stack alone, which then ends
its children in order, and a shell script's own children end together with it.
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
    """Return a TCP port of loopback that stays free until a server of this process's takes it.

    The kernel gives no such port to an outgoing connection, and another process that asks here gets another one.
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
    """Hold a name in the kernel for as long as this process lives.

    Raises:
        OSError: this process or another one holds it.
    """
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f"\0nextcloud-mcp-port-{port}")
    except OSError:
        name.close()
        raise
    name.detach()  # the name is held until the process ends


def require_free_port(port: int, *, setting: str) -> None:
    """Raise before a child starts, and in one line, what it would bury in its log.

    Args:
        port: the port that the child is about to listen on, on loopback.
        setting: the environment variable that moves it elsewhere.
    """
    with socket.socket() as probe:
        # As servers do: a connection of the previous run in TIME_WAIT does not hold the port.
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
        name: what the person at the terminal knows the child as.
        command: program and arguments; no shell.
        log: file that takes its output, appended to.
        ready: asked ten times a second; it must not raise.
        timeout: seconds until a child that is not ready counts as failed.
        env: the whole environment; that of the stack by default.
        cwd: its working directory.

    Raises:
        StackError: the child ended or was not ready in time; the last lines of its log are quoted.
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
    """Ask a child's whole group to end, then insist."""
    _signal_group(child, signal.SIGTERM)
    try:
        child.wait(TERMINATE_SECONDS)
    except subprocess.TimeoutExpired:
        _signal_group(child, signal.SIGKILL)
        child.wait()


def _signal_group(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # all of the group is gone already
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
    """The last lines which this run, not an earlier one, wrote to the log."""
    with log.open("rb") as file:
        file.seek(start)
        lines = file.read().decode(errors="replace").splitlines()
    return "\n".join([f" The end of {log}:", *(f"  {line}" for line in lines[-LOG_LINES_SHOWN:])])
