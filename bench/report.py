"""Write what was measured as a page, a JSON file and a picture."""

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from bench.crowds import Crowd
from bench.footprint import Memory
from bench.own_cost import MODES_OF_BARE, Row
from bench.plot import bars
from bench.process import Spread

DISTRIBUTIONS: Final = ("mcp", "pydantic", "uvicorn", "h11", "httpx", "httpcore", "anyio", "joserfc")
COLUMNS: Final = ("bare, empty", "bare", "bare, with an exchange", "pass-through", "exchange")
PLOTTED: Final = ("bare", "bare, with an exchange", "pass-through", "exchange")


@dataclass
class Report:
    """All results of one run."""

    rows: list[Row] = field(default_factory=list)
    crowds: list[Crowd] = field(default_factory=list)
    memory: dict[str, list[Memory]] = field(default_factory=dict)
    import_cpu: Spread | None = None
    import_wall: Spread | None = None
    list_bytes: int = 0
    rounds: int = 0
    load: tuple[float, float] = (0.0, 0.0)
    """The load average before and after."""

    def as_json(self) -> dict[str, Any]:
        """Return the results, with the versions and the machine."""
        versions = {"python": platform.python_version(), **{name: version(name) for name in DISTRIBUTIONS}}
        machine = {"cores": os.cpu_count(), "architecture": platform.machine(), "load_average": self.load}
        return {"date": f"{datetime.now(UTC):%Y-%m-%d}", "versions": versions, "machine": machine} | asdict(self)


def markdown(report: Report) -> str:
    """Return the tables."""
    return "\n\n".join(
        [_own_cost(report.rows), _crowds(report.crowds), _memory(report.memory), _start(report), _run(report)]
    )


def write(report: Report, folder: Path) -> None:
    """Write `benchmarks.json` and `benchmarks.svg`, and replace the tables in `benchmarks.md`."""
    (folder / "benchmarks.json").write_text(json.dumps(report.as_json(), indent=1) + "\n")
    groups: dict[str, dict[str, float]] = {
        row.title: {name: row.cost[name].median for name in PLOTTED if name in row.cost} for row in report.rows
    }
    (folder / "benchmarks.svg").write_text(bars("CPU of the server a call", "ms", groups, PLOTTED))
    page = folder / "benchmarks.md"
    before, _, rest = page.read_text().partition(START)
    after = rest.partition(END)[2]
    page.write_text(f"{before}{START}\n\n{markdown(report)}\n\n{END}{after}")


START: Final = "<!-- written by `make bench` -->"
END: Final = "<!-- end of what `make bench` writes -->"


def _own_cost(rows: list[Row]) -> str:
    ratios = [f"{mode} ÷ {bare}" for mode, bare in MODES_OF_BARE.items()]
    columns = [*COLUMNS, *ratios, f"{' / '.join(MODES_OF_BARE)} ÷ bare, empty"]
    lines = [f"| milliseconds of CPU a call | {' | '.join(columns)} |", f"| --- |{' --: |' * len(columns)}"]
    for row in rows:
        costs = " | ".join(f"{row.cost[name].median:.1f}" if name in row.cost else "" for name in COLUMNS)
        empty = " / ".join(f"{row.ratio_to_empty[mode].median:.1f}" for mode in MODES_OF_BARE)
        ratio = " | ".join(_spread(row.ratio[mode]) if "bare" in row.cost else "" for mode in MODES_OF_BARE)
        lines.append(f"| {row.title} | {costs} | {ratio} | {empty} |")
    return "\n".join(lines)


def _crowds(crowds: list[Crowd]) -> str:
    lines = ["| callers | server | calls/s | p50 | p99 | errors |", "| --: | --- | --: | --: | --: | --: |"]
    lines += [
        f"| {each.callers} | {each.server} | {each.per_second:.0f} | {each.p50:.0f} ms | {each.p99:.0f} ms "
        f"| {each.errors} of {each.calls} |"
        for each in crowds
    ]
    return "\n".join(lines)


def _memory(memory: dict[str, list[Memory]]) -> str:
    lines = ["| server | when | memory | peak | errors |", "| --- | --- | --: | --: | --: |"]
    lines += [
        f"| {server} | {each.when} | {each.now / 2**20:.0f} MiB | {each.peak / 2**20:.0f} MiB | {each.errors} |"
        for server, found in memory.items()
        for each in found
    ]
    return "\n".join(lines)


def _start(report: Report) -> str:
    assert report.import_cpu is not None
    assert report.import_wall is not None
    return (
        f"Python starts and imports the server in {_spread(report.import_cpu)} s of CPU "
        f"and {_spread(report.import_wall)} s of time. `tools/list` has {report.list_bytes:,} bytes with all scopes."
    )


def _run(report: Report) -> str:
    about = report.as_json()
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    return (
        f"Run on {about['date']}: {about['machine']['cores']} cores ({about['machine']['architecture']}), load average "
        f"{report.load[0]:.1f} before and {report.load[1]:.1f} after; {report.rounds} rounds; {versions}."
    )


def _spread(spread: Spread) -> str:
    return f"{spread.median:.2f} ({spread.low:.2f} to {spread.high:.2f})"
