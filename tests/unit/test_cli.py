"""`cli`: the command as an operator runs it."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from typing import Final

import httpx
import pytest

from nextcloud_mcp.cli import main
from stack.process import free_port
from tests.support.server import EXCHANGE, PASS_THROUGH

COMMAND: Final = [sys.executable, "-c", "import sys; from nextcloud_mcp.cli import main; sys.exit(main())", "serve"]


@pytest.mark.parametrize(
    ("environ", "line"),
    [
        pytest.param({}, "nextcloud-mcp: NEXTCLOUD_HOST: is not set, and has no default.\n", id="nothing set"),
        pytest.param(
            {**PASS_THROUGH, "NEXTCLOUD_HOST": "cloud"},
            "nextcloud-mcp: NEXTCLOUD_HOST: must be an http:// or https:// URL.\n",
            id="one wrong",
        ),
    ],
)
def test_invalid_setting_is_one_line_and_exit_2(
    environ: Mapping[str, str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The process exits with status 2 and one line on standard error that names the setting."""
    assert main(["serve"], environ) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", line)


@pytest.mark.parametrize("arguments", [[], ["sreve"], ["serve", "--port=1"]], ids=["none", "misspelt", "too many"])
def test_invalid_command_is_exit_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """An invalid command line shows the usage."""
    with pytest.raises(SystemExit) as caught:
        main(arguments, PASS_THROUGH)
    assert caught.value.code == 2
    assert "usage: nextcloud-mcp" in capsys.readouterr().err


def serving_settings(**more: str) -> dict[str, str]:
    """Return the settings of a server at a port of its own, whose Keycloak does not answer."""
    port = free_port()
    return {
        **EXCHANGE,
        "OIDC_CLIENT_SECRET": "do-not-show-me",
        "OIDC_DISCOVERY_URL": "http://127.0.0.1:1/.well-known/openid-configuration",
        "NEXTCLOUD_MCP_SERVER_URL": f"http://127.0.0.1:{port}/mcp",
        "MCP_PORT": str(port),
        "LOG_LEVEL": "DEBUG",
        **more,
    }


@contextmanager
def serving(**more: str) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """Run `serve` for as long as the block lasts, unless that ends it; return its port and its process."""
    settings = serving_settings(**more)
    process = subprocess.Popen(COMMAND, env={**os.environ, **settings}, stderr=subprocess.PIPE, text=True)  # noqa: S603
    with process:
        try:
            yield int(settings["MCP_PORT"]), process
        finally:
            process.send_signal(signal.SIGINT)


def at(port: int) -> httpx.Client:
    """Return a client for that port, which waits until somebody listens there."""
    transport = httpx.HTTPTransport(retries=8)
    return httpx.Client(base_url=f"http://127.0.0.1:{port}", transport=transport, trust_env=False)


def test_serves_until_interrupted() -> None:
    """`serve` listens as configured, answers, logs JSON lines only, and exits with status 0 at Ctrl-C."""
    with serving() as (port, process):
        with at(port) as http:
            assert http.get("/health/live").json() == {"status": "ok"}
            refused = http.post("/mcp", headers={"Authorization": "Bearer e30.e30.c2lnbmF0dXJlLW9mLWFsaWNl"})
            assert refused.status_code == 401
            outage = http.get("/health/ready")
            assert outage.status_code == 503
            assert "server" not in outage.headers
        process.send_signal(signal.SIGINT)
        _, log = process.communicate(timeout=120)
    assert process.returncode == 0
    lines = log.splitlines()
    assert any('"event": "token.refused"' in line for line in lines)
    assert all(line.startswith("{") and line.endswith("}") for line in lines), log
    assert not any(secret in log for secret in ("do-not-show-me", "c2lnbmF0dXJl", "Authorization"))


def test_unreachable_issuer_is_logged_at_the_start() -> None:
    """Without any request the log has one event with the cause, and no traceback."""
    with serving() as (port, process), at(port) as http:
        assert http.get("/health/live").status_code == 200
        process.send_signal(signal.SIGINT)
        _, log = process.communicate(timeout=120)
    (event,) = [json.loads(line) for line in log.splitlines() if '"issuer.unavailable"' in line][:1]
    assert "Connect call failed ('127.0.0.1', 1)" in event["detail"]
    assert "http://127.0.0.1:1/" in event["cause"]
    assert "Traceback" not in log


def test_keep_alive_outlasts_client_pools() -> None:
    """The server keeps an idle connection longer than the 5 s after which clients close it."""
    with serving() as (port, _), at(port) as http:
        http.get("/health/live")
        with closing(HTTPConnection("127.0.0.1", port, timeout=6)) as connection:
            connection.request("GET", "/health/live")
            connection.getresponse().read()
            with pytest.raises(TimeoutError):  # in place of the empty read that an end is
                connection.sock.recv(1)


def test_metrics_have_their_own_port() -> None:
    """With MCP_METRICS_PORT they are published there until the end, and never on the public port."""
    metrics_port = free_port()
    with serving(MCP_METRICS_PORT=str(metrics_port)) as (port, process), at(port) as http, at(metrics_port) as metrics:
        assert http.post("/mcp").status_code == 401
        assert http.get("/metrics").status_code == 404
        assert 'nextcloud_mcp_responses_total{status="401"} 1.0' in metrics.get("/metrics").text
        process.send_signal(signal.SIGINT)
        _, log = process.communicate(timeout=120)
    assert process.returncode == 0, log


def test_used_metrics_port_is_one_line_and_exit_2() -> None:
    """The server does not start without the metrics that were configured."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        environ = {**os.environ, **PASS_THROUGH, "MCP_METRICS_PORT": str(port)}
        done = subprocess.run(COMMAND, env=environ, stderr=subprocess.PIPE, text=True, check=False)  # noqa: S603
    line = f"nextcloud-mcp: MCP_METRICS_PORT: 127.0.0.1:{port} can't be listened on (Address already in use).\n"
    assert (done.returncode, done.stderr) == (2, line)
