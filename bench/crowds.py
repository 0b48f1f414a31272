"""Throughput and waiting times with many callers at once, each a person with a connection of their own."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from bench.caller import Outcome, crowd
from bench.instance import Bench
from bench.workloads import CALLS, Workload

CROWDS: Final = (1, 8, 64, 256)
WORK: Final = "few"
BARE_CALL: Final = {"name": "raw", "arguments": {"workload": WORK, "exchange": False}}
BARE_ANSWER: Final = Workload("a bare call", "raw", counted=lambda _: 1)


@dataclass(frozen=True)
class Crowd:
    """What a number of callers got from one server."""

    server: str
    callers: int
    calls: int
    per_second: float
    p50: float
    """Milliseconds."""
    p99: float
    """Milliseconds."""
    errors: int


async def measure(bench: Bench, *, crowds: Sequence[int], calls: int, progress: Callable[[str], None]) -> list[Crowd]:
    """Return the results of each crowd at each server, in turn; all callers make `calls` calls together."""
    found = []
    for callers in crowds:
        for server in bench.servers:
            found.append(_described(server, callers, await _run(bench, server, callers, max(calls, 2 * callers))))
            progress(f"{callers} callers, {server}: {found[-1].per_second:.0f} calls/s, {found[-1].errors} errors")
    return found


async def _run(bench: Bench, server: str, callers: int, calls: int) -> Outcome:
    target = bench.servers[server].target
    params, check = (BARE_CALL, BARE_ANSWER) if server == "bare" else (CALLS[WORK].params, CALLS[WORK])
    requests = [target.request("tools/call", params, bench.token(number)) for number in range(callers)]
    await crowd(target, requests, callers, check)  # asks for each person's user id
    return await crowd(target, requests, calls, check)


def _described(server: str, callers: int, outcome: Outcome) -> Crowd:
    times = sorted(outcome.seconds)
    return Crowd(
        server,
        callers,
        outcome.calls,
        outcome.calls / outcome.elapsed,
        1000 * times[len(times) // 2],
        1000 * times[math.ceil(len(times) * 0.99) - 1],
        len(outcome.errors),
    )
