"""`python -m stack up|status|down`, as in a terminal."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from stack.process import LOOPBACK, free_port

ROOT = Path(__file__).parents[2]
PORTS = ("KEYCLOAK_PORT", "NEXTCLOUD_PORT", "MCP_EXCHANGE_PORT", "MCP_PASS_THROUGH_PORT")
READY_SECONDS = 600


def environment(state: Path, **settings: str) -> dict[str, str]:
    """Return what the command finds in its environment: ports of its own, and no Nextcloud but the stand-in."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("NEXTCLOUD_")}
    return inherited | {name: str(free_port()) for name in PORTS} | {"STACK_DIR": str(state)} | settings


def run(command: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "stack", command],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=READY_SECONDS,
        check=False,
    )


@contextmanager
def up(env: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Run `up` until it has said that all is ready."""
    child = subprocess.Popen(
        [sys.executable, "-m", "stack", "up"],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield child
    finally:
        if child.poll() is None:
            child.send_signal(signal.SIGINT)
        child.communicate(timeout=120)


def read_banner(child: subprocess.Popen[str]) -> str:
    """Return all that `up` prints until it waits."""
    assert child.stdout is not None
    lines = []
    for line in child.stdout:
        lines.append(line)
        if "Ctrl-C ends all of it" in line:
            return "".join(lines)
    raise AssertionError("".join(lines))


def test_stack_lifecycle(tmp_path: Path) -> None:
    """`up` prints all addresses, `status` checks them, `down` stops everything, and Keycloak keeps its keys."""
    env = environment(tmp_path)
    kids = []
    for _ in range(2):
        with up(env) as child:
            banner = read_banner(child)
            endpoints = json.loads((tmp_path / "endpoints.json").read_text())
            status = run("status", env)
            second = run("up", env)
            jwks = httpx.get(f"{endpoints['issuer']}/protocol/openid-connect/certs").json()
            kids.append(sorted(key["kid"] for key in jwks["keys"]))
            ended = run("down", env)
            assert child.wait(timeout=120) == 0

    assert endpoints["servers"]["exchange"] in banner
    assert f"claude mcp add --transport http nextcloud {endpoints['servers']['exchange']}" in banner
    assert endpoints["nextcloud"]["kind"] == "stand-in"
    assert "stand-in" in banner
    assert set(endpoints["users"]) == {"alice", "bob"}
    assert status.returncode == 0, status.stdout
    assert "NOT READY" not in status.stdout
    assert second.returncode == 1
    assert "runs already" in second.stderr
    assert ended.returncode == 0
    assert kids[0] == kids[1]
    assert not (tmp_path / "endpoints.json").exists()
    assert run("status", env).returncode == 1
    for name in PORTS:
        with socket.socket() as probe:
            assert probe.connect_ex((LOOPBACK, int(env[name]))) != 0, f"something still listens on {name}"


@pytest.mark.parametrize("setting", PORTS)
def test_taken_port_is_reported_with_its_setting(tmp_path: Path, setting: str) -> None:
    """Before anything starts, one line names the taken port and the setting that changes it."""
    env = environment(tmp_path)
    with socket.create_server((LOOPBACK, int(env[setting]))):
        refused = run("up", env)

    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert env[setting] in refused.stderr
    assert setting in refused.stderr


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"KEYCLOAK_PORT": "http"}, "KEYCLOAK_PORT"),
        ({"MCP_EXCHANGE_PORT": "70000"}, "MCP_EXCHANGE_PORT"),
        ({"NEXTCLOUD_OCC": "php occ"}, "NEXTCLOUD_URL"),
        ({"NEXTCLOUD_URL": "http://localhost:1"}, "http://localhost:1/status.php"),
    ],
)
def test_wrong_setting_is_named(tmp_path: Path, settings: dict[str, str], named: str) -> None:
    """One line names the wrong setting."""
    refused = run("up", environment(tmp_path) | settings)

    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert named in refused.stderr


def test_down_without_up_succeeds(tmp_path: Path) -> None:
    """`down` is no error if nothing runs."""
    assert run("down", environment(tmp_path)).returncode == 0
