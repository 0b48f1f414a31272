"""`stack.process`: the ports of the servers of a run."""

import socket
import subprocess
import sys
from pathlib import Path

from stack.process import LOOPBACK, free_port

EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def test_free_port_is_outside_the_ephemeral_range() -> None:
    """Otherwise an outgoing connection could take the port before the server starts."""
    first, last = map(int, EPHEMERAL.read_text().split())
    assert not {free_port() for _ in range(20)} & set(range(first, last + 1))


def test_free_port_is_assigned_once() -> None:
    """Two servers that start at the same time get different ports, also in different runs."""
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
    """A server can listen on the port at once."""
    with socket.create_server((LOOPBACK, free_port())) as server:
        assert server.fileno() > 0
