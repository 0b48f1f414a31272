"""`stack.process`: the ports that servers of a run listen on."""

import socket
import subprocess
import sys
from pathlib import Path

from stack.process import LOOPBACK, free_port

EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def test_free_port_is_never_given_to_an_outgoing_connection() -> None:
    """Otherwise a client of another test could hold the port when the server starts a moment later."""
    first, last = map(int, EPHEMERAL.read_text().split())
    assert not {free_port() for _ in range(20)} & set(range(first, last + 1))


def test_free_port_is_given_once() -> None:
    """Two servers that start at the same time get two ports, also when they belong to two runs."""
    program = "from stack.process import free_port; print(*[free_port() for _ in range(100)]); input()"
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:  # noqa: S603
        assert other.stdout is not None
        theirs = set(map(int, other.stdout.readline().split()))
        ours = [free_port() for _ in range(100)]
        other.communicate("\n")

    assert len(theirs) == 100
    assert len(set(ours)) == 100
    assert not theirs & set(ours)


def test_free_port_can_be_listened_on() -> None:
    """A server may take it as soon as it is known."""
    with socket.create_server((LOOPBACK, free_port())) as server:
        assert server.fileno() > 0
