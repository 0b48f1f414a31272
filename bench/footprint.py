"""Memory of the server, the time of its start, and the size of the list of its tools."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bench.caller import Caller, Outcome, Target, crowd
from bench.instance import Bench
from bench.process import Spread, memory, reset_peak
from bench.workloads import CALLS, PIECE_CALL

READERS: Final = 8
SLOW_READERS: Final = 16
SLOW_BYTES: Final = 256 * 1024
"""What a slow reader takes a second."""


@dataclass(frozen=True)
class Memory:
    """The memory of one server after or during something, in bytes."""

    when: str
    now: int
    peak: int
    errors: int


async def measure_memory(
    bench: Bench, server: str, *, tokens: int, calls: int, pieces: int, progress: Callable[[str], None]
) -> list[Memory]:
    """Return the memory of one server: idle, after many tokens and calls, and while files are read."""
    running = bench.servers[server]
    target, found = running.target, [_memory("idle", running.pid, [])]

    def note(when: str, outcome: Outcome) -> None:
        found.append(_memory(when, running.pid, outcome.errors))
        progress(f"{server}, {when}: {found[-1].now / 2**20:.0f} MiB, peak {found[-1].peak / 2**20:.0f} MiB")
        reset_peak(running.pid)

    reset_peak(running.pid)
    few = CALLS["note"]
    note(f"after {tokens:,} distinct tokens", await _many_tokens(bench, target, tokens))
    one = [target.request("tools/call", few.params, bench.token())] * READERS
    note(f"after {calls // 10:,} calls", await crowd(target, one, calls // 10, few))
    note(f"after {calls:,} calls", await crowd(target, one, calls - calls // 10, few))
    piece = [target.request("tools/call", PIECE_CALL.params, bench.token(number)) for number in range(READERS)]
    note(f"{READERS} callers read {pieces} pieces of 1 MiB", await crowd(target, piece, pieces, PIECE_CALL))
    note(f"{SLOW_READERS} slow readers of 1 MiB", await _slow_readers(bench, target))
    return found


def _memory(when: str, pid: int, errors: list[str]) -> Memory:
    return Memory(when, *memory(pid), len(errors))


async def _many_tokens(bench: Bench, target: Target, tokens: int) -> Outcome:
    """Send each of many tokens once, each with a call that needs only the token."""
    outcome, caller = Outcome(), Caller(target)
    for number in range(tokens):
        status, _ = await caller.post(target.request("ping", {}, bench.token(number)))
        outcome.seconds.append(0.0)
        if status != 200:  # noqa: PLR2004 - OK
            outcome.errors.append(f"HTTP {status}")
    await caller.close()
    return outcome


async def _slow_readers(bench: Bench, target: Target) -> Outcome:
    outcome = Outcome()
    await asyncio.gather(*(_read_slowly(bench, target, number, outcome) for number in range(SLOW_READERS)))
    return outcome


async def _read_slowly(bench: Bench, target: Target, number: int, outcome: Outcome) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", target.port, limit=16 * 1024)
    request = target.request("tools/call", PIECE_CALL.params, bench.token(number))
    writer.write(request.replace(b"\r\nAccept:", b"\r\nConnection: close\r\nAccept:", 1))
    received = 0
    while chunk := await reader.read(16 * 1024):
        received += len(chunk)
        await asyncio.sleep(len(chunk) / SLOW_BYTES)
    outcome.seconds.append(0.0)
    outcome.received += received
    if received < 2**20:
        outcome.errors.append(f"{received} bytes")
    writer.close()
    await writer.wait_closed()


def import_seconds(rounds: int) -> tuple[Spread, Spread]:
    """Return the seconds of CPU, and of the clock, in which Python starts and imports the server's program."""
    cpu, wall = [], []
    for _ in range(rounds):
        started = time.perf_counter()
        program = "import time, nextcloud_mcp.cli; print(time.process_time())"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)  # noqa: S603 - our own
        wall.append(time.perf_counter() - started)
        cpu.append(float(done.stdout))
    return Spread.of(cpu), Spread.of(wall)


async def list_bytes(bench: Bench) -> int:
    """Return the size of the body of `tools/list`, for somebody with all scopes."""
    target = bench.servers["pass-through"].target
    caller = Caller(target)
    _, body = await caller.post(target.request("tools/list", {}, bench.token()))
    await caller.close()
    return len(body)
