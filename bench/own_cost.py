"""Seconds of CPU that one call costs the server itself, beside a bare SDK server, all in one interleaved run."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from bench.caller import OK, Outcome, Target, crowd
from bench.instance import Bench
from bench.process import Spread, cpu_seconds
from bench.workloads import CALLS, Workload

CALLERS: Final = 4
HEAVY: Final = {"many", "month"}
LIST: Final = "tools/list"
REFUSED: Final = "a refused token"
MODES_OF_BARE: Final = {"pass-through": "bare", "exchange": "bare, with an exchange"}


@dataclass(frozen=True)
class Load:
    """One kind of request to one server, and how many of them are one measurement."""

    pid: int
    target: Target
    request: bytes
    calls: int
    check: Workload | None = None
    status: int = OK

    async def run(self) -> tuple[float, Outcome]:
        """Return the milliseconds of CPU a call, and what the callers saw."""
        before = cpu_seconds(self.pid)
        outcome = await crowd(self.target, [self.request] * CALLERS, self.calls, self.check, self.status)
        return (cpu_seconds(self.pid) - before) * 1000 / max(outcome.calls, 1), outcome


@dataclass
class Row:
    """What one kind of request costs each server, in milliseconds of CPU a call."""

    title: str
    cost: dict[str, Spread] = field(default_factory=dict)
    ratio: dict[str, Spread] = field(default_factory=dict)
    """By mode: divided by a bare server that sends the same requests."""
    ratio_to_empty: dict[str, Spread] = field(default_factory=dict)
    """By mode: divided by a bare server's empty tool."""
    errors: int = 0


async def measure(bench: Bench, *, calls: int, rounds: int, progress: Callable[[str], None]) -> list[Row]:
    """Return a row for each kind of request; `calls` of a small one are one measurement, and there are `rounds`."""
    rows = []
    for title, loads in _loads(bench, calls).items():
        costs: dict[str, list[float]] = defaultdict(list)
        row = Row(title)
        for number in range(rounds + 1):
            for name, load in loads.items():
                cost, outcome = await load.run()
                row.errors += len(outcome.errors)
                assert not outcome.errors, (title, name, outcome.errors[:2])
                if number:  # the first round only warms caches
                    costs[name].append(cost)
            await asyncio.sleep(0)
        row.cost = {name: Spread.of(values) for name, values in costs.items()}
        for mode, bare in MODES_OF_BARE.items():
            base = costs["bare, empty"]
            row.ratio[mode] = _ratio(costs[mode], costs.get(bare, base))
            row.ratio_to_empty[mode] = _ratio(costs[mode], base)
        rows.append(row)
        progress(f"{title}: " + ", ".join(f"{name} {cost.median:.2f} ms" for name, cost in row.cost.items()))
    return rows


def _ratio(above: list[float], below: list[float]) -> Spread:
    return Spread.of([one / max(other, 1e-6) for one, other in zip(above, below, strict=True)])


def _loads(bench: Bench, calls: int) -> dict[str, dict[str, Load]]:
    loads = {work.title: _calls_of(bench, name, calls // 8 if name in HEAVY else calls) for name, work in CALLS.items()}
    empty = _bare(bench, "empty", {}, calls)
    listed = {mode: _load(bench, mode, LIST, {}, calls // 8) for mode in ("pass-through", "exchange")}
    bare_list = _load(bench, "bare", LIST, {}, calls // 8)
    expired = bench.token(exp=1_000_000_000)
    refused = {
        mode: _load(bench, mode, "tools/call", CALLS["note"].params, calls, token=expired, status=401)
        for mode in ("pass-through", "exchange")
    }
    loads[LIST] = {"bare": bare_list, "bare, with an exchange": bare_list, **listed}
    loads[REFUSED] = refused
    return {title: {"bare, empty": empty, **each} for title, each in loads.items()}


def _calls_of(bench: Bench, name: str, calls: int) -> dict[str, Load]:
    work = CALLS[name]
    found = {
        bare: _bare(bench, "raw", {"workload": name, "exchange": mode == "exchange"}, calls)
        for mode, bare in MODES_OF_BARE.items()
    }
    return found | {mode: _load(bench, mode, "tools/call", work.params, calls, check=work) for mode in MODES_OF_BARE}


def _bare(bench: Bench, tool: str, arguments: dict[str, Any], calls: int) -> Load:
    return _load(bench, "bare", "tools/call", {"name": tool, "arguments": arguments}, calls)


def _load(
    bench: Bench,
    server: str,
    method: str,
    params: dict[str, Any],
    calls: int,
    *,
    token: str | None = None,
    check: Workload | None = None,
    status: int = OK,
) -> Load:
    """Return a load; all callers are one person, whose limit of ten calls at a time they do not reach."""
    running = bench.servers[server]
    request = running.target.request(method, params, token or bench.token())
    return Load(running.pid, running.target, request, max(calls, CALLERS), check, status)
