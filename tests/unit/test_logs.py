"""`logs`: one event a line, with the request's id, and nothing of other libraries below WARNING."""

import json
import subprocess
import sys
from typing import Any

import pytest
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from tests.support.server import Server

PROGRAM = """
import logging, sys
import structlog
from nextcloud_mcp.logs import configure_logging

configure_logging(sys.argv[1])
log = structlog.get_logger()
log.debug("ours.debug", number=1)
log.info("ours.info")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("ours.error")
logging.getLogger("httpcore").debug("Authorization: Bearer of-alice")
logging.getLogger("httpx").info("HTTP Request")
logging.getLogger("mcp").warning("theirs %s", "warning")
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger("uvicorn.error").exception("theirs.error")
"""


def events(level: str) -> list[dict[str, Any]]:
    """Return the events that a program logs at this level, in a process of its own."""
    finished = subprocess.run(  # noqa: S603
        [sys.executable, "-c", PROGRAM, level], capture_output=True, text=True, check=True
    )
    assert finished.stdout == ""
    return [json.loads(line) for line in finished.stderr.splitlines()]


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        ("DEBUG", ["ours.debug", "ours.info", "ours.error", "theirs warning", "theirs.error"]),
        ("INFO", ["ours.info", "ours.error", "theirs warning", "theirs.error"]),
        ("WARNING", ["ours.error", "theirs warning", "theirs.error"]),
        ("ERROR", ["ours.error", "theirs warning", "theirs.error"]),
    ],
)
def test_the_level_is_for_our_own_events(level: str, shown: list[str]) -> None:
    """Ours follow the setting; others' are held at WARNING, so that none prints headers at DEBUG."""
    assert [event["event"] for event in events(level)] == shown


def test_every_line_is_one_json_object_with_time_and_level() -> None:
    """A log collector can read each line by itself, tracebacks included."""
    for event in events("DEBUG"):
        assert event["timestamp"].endswith("Z")
        assert event["level"] in {"debug", "info", "warning", "error"}
        if event["event"].endswith(".error"):
            assert "ZeroDivisionError" in event["exception"]


async def test_every_event_has_the_id_of_its_request(server: Server) -> None:
    """The id in the answer's header is the one in the log; what the caller calls it stands beside, cut."""
    with capture_logs(processors=[merge_contextvars]) as logged:
        response = await server.post("{}", token="bad", X_Request_Id="c" * 100)
    (refused,) = [event for event in logged if event["event"] == "token.refused"]
    assert refused["request_id"] == response.headers["X-Request-Id"]
    assert refused["caller_id"] == "c" * 64


async def test_without_a_callers_id_there_is_none(server: Server) -> None:
    """An absent header is absent in the log too."""
    with capture_logs(processors=[merge_contextvars]) as logged:
        await server.post("{}", token="bad")
    assert all("caller_id" not in event for event in logged)
