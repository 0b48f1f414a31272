"""`boundary.large`: limits for concurrent large reads."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import anyio
import pytest

from nextcloud_mcp.apps.files.tools.files import MAX_PIECE
from nextcloud_mcp.boundary import large
from nextcloud_mcp.errors import NextcloudUnavailableError
from tests.support.many_reads import MANY

CONTAINER: Final = 256 * 1024 * 1024
"""Bytes that compose.yaml and the chart give a server."""

READS: Final[Mapping[str, tuple[str, dict[str, Any], bytes]]] = {
    "a file as a resource": ("resources/read", {"uri": "nc://Files/a"}, b"\xff"),
    "a text as a resource": ("resources/read", {"uri": "nc://Files/a"}, b'"'),
    "an attachment as a resource": ("resources/read", {"uri": "nc://Notes/7/attachments/a"}, b"\xff"),
    "an attachment": (
        "tools/call",
        {"name": "nc_notes_get_attachment", "arguments": {"note_id": 7, "attachment_filename": "a"}},
        b"\xff",
    ),
    "a piece": (
        "tools/call",
        {"name": "nc_webdav_read_file", "arguments": {"path": "a", "length": MAX_PIECE}},
        b"\xff",
    ),
    "a piece of text, all of it escaped": (
        "tools/call",
        {"name": "nc_webdav_read_file", "arguments": {"path": "a", "length": MAX_PIECE}},
        b"\x01",
    ),
}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from Linux's /proc")
@pytest.mark.parametrize(("method", "params", "byte"), READS.values(), ids=READS.keys())
def test_concurrent_large_reads_fit_into_memory(method: str, params: dict[str, Any], byte: bytes) -> None:
    """The largest reads of many users at a time fit into the container's memory."""
    command = (sys.executable, "-m", "tests.support.many_reads", method, json.dumps(params), str(byte[0]))
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)  # noqa: S603 - of ours
    assert done.returncode == 0, done.stderr
    peak = int(done.stdout.splitlines()[-1])
    assert peak < CONTAINER, f"{MANY} at once took {peak >> 20} MiB"


async def test_slow_reads_release_their_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    """A read that does not end fails after a timeout, and so do the waiting reads; then slots are free again."""
    told: list[str] = []

    async def read() -> None:
        with pytest.raises(NextcloudUnavailableError) as caught:
            async with large.read_slot():
                await anyio.sleep_forever()
        told.append(str(caught.value))

    monkeypatch.setattr(large, "READ_TIMEOUT", 0.05)
    async with anyio.create_task_group() as readers:
        for _ in range(5):
            readers.start_soon(read)
    monkeypatch.undo()
    sentence = "Large files take too long to read now, more than 0.05 s: try again shortly, or ask for less."
    assert told == [sentence] * 5
    async with large.read_slot():
        pass
