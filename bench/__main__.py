"""`make bench`: what a call costs this server, beside a bare server of the MCP SDK, in one interleaved run.

`python -m bench --quick` does the same with a few calls each, to see that all of it works; it writes nothing.
"""

import argparse
import asyncio
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench import crowds, footprint, own_cost
from bench.instance import MODES, Bench, running
from bench.report import Report, markdown, write
from nextcloud_mcp.catalogue import offer

REFERENCE: Final = Path(__file__).parents[1] / "docs" / "reference"


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    calls: int
    rounds: int
    crowds: tuple[int, ...]
    tokens: int
    many_calls: int
    pieces: int


FULL: Final = Size(calls=160, rounds=5, crowds=crowds.CROWDS, tokens=10_000, many_calls=100_000, pieces=500)
QUICK: Final = Size(calls=8, rounds=1, crowds=(1, 8), tokens=8, many_calls=20, pieces=8)


def main() -> None:
    """Measure, print the tables, and write the page's."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few calls each; writes nothing")
    for name in ("calls", "rounds", "tokens", "many_calls", "pieces"):
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, help=f"default: {getattr(FULL, name):,}")
    parser.add_argument("--crowds", type=int, nargs="+", help="default: 1 8 64 256")
    given = vars(parser.parse_args())
    quick = given.pop("quick")
    size = Size(**vars(QUICK if quick else FULL) | {name: value for name, value in given.items() if value is not None})
    report = run(size)
    print(markdown(report))
    if not quick:
        write(report, REFERENCE)


def run(size: Size) -> Report:
    """Start the servers, measure all, and end the servers."""
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), tools=len(offer().tools)) as bench:
        report = asyncio.run(_measure(bench, size))
    report.import_cpu, report.import_wall = footprint.import_seconds(size.rounds)
    report.rounds, report.load = size.rounds, (before, os.getloadavg()[0])
    return report


async def _measure(bench: Bench, size: Size) -> Report:
    report = Report()
    report.rows = await own_cost.measure(bench, calls=size.calls, rounds=size.rounds, progress=_say)
    report.crowds = await crowds.measure(bench, crowds=size.crowds, calls=4 * size.calls, progress=_say)
    for mode in MODES:
        report.memory[mode] = await footprint.measure_memory(
            bench, mode, tokens=size.tokens, calls=size.many_calls, pieces=size.pieces, progress=_say
        )
    report.list_bytes = await footprint.list_bytes(bench)
    return report


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
