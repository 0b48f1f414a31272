"""`python -m stack up|status|down`, as in a terminal."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest

from stack.config import Config
from stack.errors import StackError
from stack.nextcloud import require_nextcloud
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
    assert_nothing_listens(env)


class UnusableNextcloud(BaseHTTPRequestHandler):
    """A Nextcloud that answers, but cannot start its app user_oidc: a token counts for nothing."""

    def do_GET(self) -> None:
        """Answer what needs no account."""
        match self.path.partition("?")[0]:
            case "/status.php":
                self._answer(
                    200, {"installed": True, "maintenance": False, "version": "34.0.1.2", "versionstring": "34.0.1"}
                )
            case "/ocs/v2.php/cloud/capabilities":
                self._answer(200, {"ocs": {"meta": {"statuscode": 200}, "data": {"capabilities": {}}}})
            case _:
                self._answer(401, {"message": "Current user is not logged in"})

    do_PROPFIND = do_GET  # noqa: N815 - the name that http.server looks for

    def do_POST(self) -> None:
        """Fail, as the app's endpoints do."""
        self._answer(500, {})

    def _answer(self, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def unusable_nextcloud() -> Iterator[str]:
    """Run one for as long as the block lasts, and yield its URL."""
    with ThreadingHTTPServer((LOOPBACK, 0), UnusableNextcloud) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()


def test_nextcloud_that_takes_no_token_is_diagnosed(tmp_path: Path) -> None:
    """Instead of *Ready*, `up` prints what the doctor found, without a token, ends everything, and fails."""
    with unusable_nextcloud() as url:
        env = environment(tmp_path, NEXTCLOUD_URL=url)
        refused = run("up", env)

    assert refused.returncode == 1, refused.stdout + refused.stderr
    assert "Ready" not in refused.stdout
    assert "The first call of alice through the MCP server (exchange) failed" in refused.stderr
    assert "nextcloud.user_oidc: Nextcloud's app user_oidc does not start" in refused.stderr
    assert "Next: replace the folder of user_oidc" in refused.stderr
    assert "nextcloud/setup.sh" in refused.stderr
    assert "eyJ" not in refused.stdout + refused.stderr
    assert_nothing_listens(env)


def assert_nothing_listens(env: dict[str, str]) -> None:
    """Check that the stack left no process on its ports."""
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


@pytest.mark.parametrize(
    ("response", "cause"),
    [
        (httpx.Response(500), "with HTTP 500: see its log"),
        (httpx.Response(200, json={"maintenance": True}), "maintenance:mode --off"),
        (httpx.Response(200, html="<h1>It works"), "correct NEXTCLOUD_URL"),
        (httpx.Response(404), "correct NEXTCLOUD_URL"),
    ],
    ids=["fails", "in maintenance", "another server", "another path"],
)
def test_unusable_nextcloud_is_named_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, response: httpx.Response, cause: str
) -> None:
    """The answer of `status.php` decides, before Keycloak starts."""
    monkeypatch.setattr(httpx, "get", lambda *_, **__: response)
    with pytest.raises(StackError, match=cause):
        require_nextcloud(Config(nextcloud_url="http://cloud.test"))


def test_down_without_up_succeeds(tmp_path: Path) -> None:
    """`down` is no error if nothing runs."""
    assert run("down", environment(tmp_path)).returncode == 0
