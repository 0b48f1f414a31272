"""`watchdog`: a server with a blocked event loop exits and logs where it was blocked.

The server runs in its own process, in which a patch blocks the event loop; the time limits are shortened.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
import yaml

from nextcloud_mcp.watchdog import EXIT_STATUS, LAST_RESORT_SECONDS, MAX_STANDSTILL_SECONDS
from tests.unit.test_cli import serving_settings

ROOT: Final = Path(__file__).parents[2]
STANDSTILLS: Final = {
    "Python": "exec('while True: pass')",
    "a wait": "import time; time.sleep(1000)",
    "a regular expression": "import re; re.match('(a+)+b', 'a' * 60)",
}


def program(standstill: str, *patches: str) -> list[str]:
    """Return the command of a server whose loop stops as soon as it turns."""
    lines = [
        "import asyncio, sys",
        "from nextcloud_mcp import cli, watchdog",
        "watchdog.MAX_STANDSTILL_SECONDS = 2",
        *patches,
        "serve = cli.DrainingServer.main_loop",
        "def stands_still(secret='do-not-show-me'):",
        f"    print('stands still', flush=True); {standstill}",
        "async def main_loop(self):",
        "    asyncio.get_running_loop().call_later(0.1, stands_still)",
        "    await serve(self)",
        "cli.DrainingServer.main_loop = main_loop",
        "sys.exit(cli.main())",
    ]
    return [sys.executable, "-c", "\n".join(lines), "serve"]


def run(command: list[str], sent: signal.Signals | None = None) -> tuple[int, str]:
    """Run it until it ends, and return its status and its log; once its loop stands still, it gets a signal."""
    environ = {**os.environ, **serving_settings()}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environ, text=True, stdout=pipe, stderr=pipe) as process:  # noqa: S603
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "stands still\n"
            if sent is not None:
                process.send_signal(sent)
            _, log = process.communicate(timeout=120)
        finally:
            process.kill()
    return process.returncode, log


@pytest.mark.parametrize("sent", [None, signal.SIGTERM], ids=["alone", "SIGTERM"])
@pytest.mark.parametrize("standstill", STANDSTILLS.values(), ids=STANDSTILLS)
def test_blocked_server_exits(standstill: str, sent: signal.Signals | None) -> None:
    """Whatever blocks the loop, and with or without a signal, one event has the location and no values."""
    status, log = run(program(standstill), sent)
    assert status == EXIT_STATUS
    (event,) = [json.loads(line) for line in log.splitlines() if '"event_loop.stands_still"' in line]
    assert event["level"] == "critical"
    assert any(call.endswith("stands_still") for call in event["stack"])
    assert "do-not-show-me" not in log


def test_second_signal_ends_blocked_server() -> None:
    """A second signal does not wait for the watchdog."""
    patch = "watchdog.MAX_STANDSTILL_SECONDS = 1000"
    command = program("import os, signal; os.kill(os.getpid(), signal.SIGTERM); import time; time.sleep(1000)", patch)
    status, _ = run(command, signal.SIGTERM)
    assert status == 128 + signal.SIGTERM


def test_code_that_blocks_signal_handlers_is_ended() -> None:
    """A thread that does not depend on Python ends the process and writes the location."""
    blocked = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM]); " + STANDSTILLS["a wait"]
    status, log = run(program(blocked, "watchdog.LAST_RESORT_SECONDS = 3"))
    assert status not in {0, EXIT_STATUS}
    assert "in stands_still" in log
    assert "do-not-show-me" not in log


def test_paused_process_is_not_ended() -> None:
    """A process paused longer than the limit continues, as after `docker pause`."""
    short = "watchdog._BEAT_SECONDS = 0.2"
    with subprocess.Popen(  # noqa: S603
        program("pass", short), env={**os.environ, **serving_settings()}, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "stands still\n"
            process.send_signal(signal.SIGSTOP)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(timeout=4)
            process.send_signal(signal.SIGCONT)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(timeout=1)
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=60) in {0, -signal.SIGTERM}
        finally:
            process.kill()


def test_ended_server_is_restarted() -> None:
    """Compose restarts both servers, and when it stops them waits longer than the watchdog."""
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())
    for name in ("mcp-exchange", "mcp-pass-through"):
        service = compose["services"][name]
        assert service["restart"] == "unless-stopped"
        assert MAX_STANDSTILL_SECONDS < LAST_RESORT_SECONDS < int(service["stop_grace_period"].removesuffix("s"))
