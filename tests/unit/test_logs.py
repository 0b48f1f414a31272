"""`logs`: one event per line with the request id, and nothing of other libraries below WARNING."""

import json
import subprocess
import sys
from typing import Any, Final
from urllib.parse import quote

import httpx
import pytest
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from nextcloud_mcp.logs import describe_exception
from tests.support.issuer import answer
from tests.support.nextcloud import FILES
from tests.support.server import EVERYTHING, Server, refusal

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
logging.getLogger("mcp").warning("theirs %s %d", "warning", 7)
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
        ("DEBUG", ["ours.debug", "ours.info", "ours.error", "theirs … 7", "theirs.error"]),
        ("INFO", ["ours.info", "ours.error", "theirs … 7", "theirs.error"]),
        ("WARNING", ["ours.error", "theirs … 7", "theirs.error"]),
        ("ERROR", ["ours.error", "theirs … 7", "theirs.error"]),
    ],
)
def test_log_level_applies_to_own_events_only(level: str, shown: list[str]) -> None:
    """Libraries are limited to WARNING, and their arguments are dropped except for numbers."""
    assert [event["event"] for event in events(level)] == shown


def test_every_line_is_json_with_time_and_level() -> None:
    """A log collector can parse each line alone, tracebacks included."""
    for event in events("DEBUG"):
        assert event["timestamp"].endswith("Z")
        assert event["level"] in {"debug", "info", "warning", "error"}
        if event["event"].endswith(".error"):
            assert "ZeroDivisionError" in event["exception"]


ATTACKS: Final = {
    "text": 'log.warning("e", reason="SECRET" * 1_000_000)',
    "text of four bytes": 'log.warning("e", reason="\\U0001F600" * 1_000_000)',
    "text that JSON escapes": 'log.warning("e", reason="\\x00\\ud800" * 1_000_000)',
    "many values": 'log.warning("e", **{f"field{i}": "\\u2028" * 400 for i in range(200)})',
    "a name": 'log.warning("e", **{"\\u2028" * 100_000: 1})',
    "a list": 'log.warning("e", missing=["\\u2028" * 10_000] * 10_000)',
    "an object": 'log.warning("e", lengths={"\\u2028" * 10_000 + str(i): "a" * 10_000 for i in range(10_000)})',
    "a number": 'log.warning("e", number=10 ** 10_000)',
    "no number": 'log.warning("e", number=float("nan"))',
    "something else": 'log.warning("e", thing=object())',
    "an event": 'log.warning("\\u2028" * 1_000_000)',
    "another library's value": 'logging.getLogger("mcp").warning("SDK says %r", "\\u2028" * 1_000_000)',
    "another library's text": 'logging.getLogger("mcp").warning("\\u2028" * 1_000_000)',
    "another library's exception as text": 'logging.getLogger("asyncio").error(ValueError("SECRET"))',
    "the text of an exception": """
try:
    raise ValueError("SECRET" * 1_000_000)
except ValueError:
    log.exception("e")
    logging.getLogger("mcp").exception("crashed: %s", "SECRET")""",
    "a deep traceback": """
def deep(n):
    return deep(n - 1) if n else 1 / 0
try:
    deep(900)
except ZeroDivisionError:
    log.exception("e")""",
    "a chain": """
error = ValueError("SECRET")
for _ in range(1000):
    error = ExceptionGroup("SECRET", [error, error])
    error.__cause__ = KeyError("SECRET")
log.error("e", exc_info=error)""",
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_lines_are_short_without_exception_text(attack: str) -> None:
    """Every event is one line of JSON under 4 kB, without messages of libraries or exceptions."""
    program = f"""
import logging, structlog
from nextcloud_mcp.logs import configure_logging
configure_logging("DEBUG")
log = structlog.get_logger()
{attack}
"""
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)  # noqa: S603
    lines = finished.stderr.splitlines()
    assert lines
    for line in lines:
        assert len(line) < 4096
        assert json.loads(line)["timestamp"]
        assert "log.warning" in attack or b"SECRET" not in line


async def test_invalid_argument_is_not_logged(server: Server) -> None:
    """For an argument that is invalid or refused by Nextcloud, the log has its name and length."""
    telling = "tel+49z151z23456789 alice@example.org /Private/Diagnosis.pdf"  # no part can be one of an id
    token = server.keycloak.mint(scope=EVERYTHING)
    server.nextcloud.on("PROPFIND", f"{FILES}/{quote(telling)}", answer(404))
    calls = {
        "nc_webdav_list_directory": {"path": telling},
        "nc_webdav_create_directory": {"path": f"{telling}/../x"},
        "nc_contacts_create_contact": {"addressbook": "a", "uid": telling, "contact_data": telling},
        "nc_notes_get_note": {"note_id": telling, telling: telling},
        "nc_share_create": {"path": telling, "share_with": "", "expires": telling},
    }
    for tool, arguments in calls.items():
        with capture_logs(processors=[merge_contextvars]) as logged:
            sentence = refusal(await server.call(tool, arguments, token=token))
        (failed,) = [event for event in logged if event["event"] == "tool.failed"]
        assert sentence, tool
        assert not [part for part in telling.split() if part in str(logged)], tool
        assert failed["lengths"].keys() == arguments.keys() - {telling}, tool
        assert len(telling) in failed["lengths"].values() or tool == "nc_webdav_create_directory", tool


async def test_event_has_session_and_user(server: Server) -> None:
    """The log has the Keycloak session and, once Nextcloud has returned it, the user id."""
    with capture_logs() as logged:
        await server.use("nc_whoami")
        server.nextcloud.on("PROPFIND", FILES, answer(404))
        await server.misuse("nc_webdav_list_directory")
    (failed,) = [event for event in logged if event["event"] == "tool.failed"]
    assert (failed["sid"], failed["subject"], failed["user"]) == ("b7aa", "f1c9-alice", "alice")


async def test_unexpected_exception_is_one_event(server: Server) -> None:
    """The event has tool, user and source line, and nothing of the exception's message or the response."""

    def broken(_: httpx.Request) -> httpx.Response:
        raise RuntimeError("SECRET")

    server.nextcloud.on("PROPFIND", FILES, broken)
    with capture_logs(processors=[describe_exception]) as logged:
        told = await server.misuse("nc_webdav_list_directory")
    (crashed,) = [event for event in logged if event["event"] == "tool.crashed"]
    assert (crashed["tool"], crashed["sid"]) == ("nc_webdav_list_directory", "b7aa")
    assert "RuntimeError" in crashed["exception"]
    assert "SECRET" not in f"{told}{logged}"


async def test_event_has_request_id_of_response(server: Server) -> None:
    """The id equals the response header; the caller's own id is a separate field and truncated."""
    with capture_logs(processors=[merge_contextvars]) as logged:
        response = await server.post("{}", token="bad", X_Request_Id="c" * 100)
    (refused,) = [event for event in logged if event["event"] == "token.refused"]
    assert refused["request_id"] == response.headers["X-Request-Id"]
    assert refused["caller_id"] == "c" * 64


async def test_missing_request_id_header_is_omitted(server: Server) -> None:
    """Without the header the log has no such field."""
    with capture_logs(processors=[merge_contextvars]) as logged:
        await server.post("{}", token="bad")
    assert all("caller_id" not in event for event in logged)
