"""What N people at once cost each part: `python -m bench.load`, about four minutes.

The whole chain on this machine, real Keycloak included; Nextcloud is the stand-in unless `NEXTCLOUD_URL` names another.
Everybody signs in once and calls one tool again and again, as fast as answers come: a person with an assistant calls
far less often. Calls a second depend on what else the machine does; *CPU time a call* hardly does, and says how many
calls one core carries. It is read from Linux's `/proc`.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from stack.chain import Chain, run_chain
from stack.config import config_from
from stack.process import free_port
from tests.support.mcp_http import result, tool_request
from tests.support.oauth import ALICE, BOB, sign_in

CROWDS = (1, 10, 50)
SECONDS = 20.0
TOOL = "nc_webdav_list_directory"
PARTS = {
    "exchange": ("nextcloud-mcp", "ENABLE_TOKEN_EXCHANGE=true"),
    "pass-through": ("nextcloud-mcp", "ENABLE_TOKEN_EXCHANGE=false"),
    "Keycloak": ("io.quarkus", ""),
    "Nextcloud": ("stack.standin", ""),
}
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Use:
    """What a process has used: seconds of CPU since its start, and bytes of memory now."""

    cpu: float
    resident: int


def main() -> None:
    """Start the chain, measure each mode with each crowd, and print a table in Markdown."""
    given = config_from(os.environ)
    with tempfile.TemporaryDirectory() as state:
        config = replace(
            given,
            state=Path(state),
            keycloak_port=free_port(),
            nextcloud_port=free_port(),
            exchange_port=free_port(),
            pass_through_port=free_port(),
        )
        with run_chain(config) as chain:
            asyncio.run(measure(chain))


async def measure(chain: Chain) -> None:
    """Print a line for each mode and crowd."""
    print("| mode | people | calls/s | median | p95 | CPU a call: server | Keycloak | Nextcloud | server's memory |")
    print("| --- | --: | --: | --: | --: | --: | --: | --: | --: |")
    for mode, url in (("exchange", chain.config.exchange_url), ("pass-through", chain.config.pass_through_url)):
        for people in CROWDS:
            tokens = await _tokens(chain, mode, people)
            await _crowd(url, tokens, seconds=2)
            print(await _line(mode, url, tokens), flush=True)
    print(f"\nload average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; {chain.nextcloud.kind}")


async def _line(mode: str, url: str, tokens: list[str]) -> str:
    before = dict(_uses())
    started = time.perf_counter()
    times = await _crowd(url, tokens, seconds=SECONDS)
    elapsed = time.perf_counter() - started
    after = dict(_uses())
    cpu = {part: (after[part].cpu - before[part].cpu) * 1000 / len(times) for part in after}
    nextcloud = f"{cpu['Nextcloud']:.1f} ms" if "Nextcloud" in cpu else ""
    return (
        f"| {mode} | {len(tokens)} | {len(times) / elapsed:.0f} | {statistics.median(times):.0f} ms "
        f"| {sorted(times)[int(len(times) * 0.95)]:.0f} ms | {cpu[mode]:.1f} ms | {cpu['Keycloak']:.1f} ms "
        f"| {nextcloud} | {after[mode].resident / 2**20:.0f} MiB |"
    )


async def _tokens(chain: Chain, mode: str, people: int) -> list[str]:
    """Sign in as often as there are people: the realm has few, so they come as many sessions of those."""
    scope = f"nextcloud-mcp:{mode} files:read"
    sessions = [
        await sign_in(chain.keycloak, **(BOB if number % 2 else ALICE), scope=scope) for number in range(people)
    ]
    return [str(session["access_token"]) for session in sessions]


async def _crowd(url: str, tokens: list[str], *, seconds: float) -> list[float]:
    """Let everybody call until the time is over, and return how long each call took, in milliseconds."""
    limits = httpx.Limits(max_connections=len(tokens), max_keepalive_connections=len(tokens))
    end = time.perf_counter() + seconds
    async with httpx.AsyncClient(trust_env=False, timeout=60, limits=limits) as http:
        each = await asyncio.gather(*(_person(http, url, token, end) for token in tokens))
    return [taken for times in each for taken in times]


async def _person(http: httpx.AsyncClient, url: str, token: str, end: float) -> list[float]:
    times = []
    while (started := time.perf_counter()) < end:
        answer = result(await http.post(url, **tool_request(TOOL, {"path": ""}, token=token)))
        assert not answer.get("isError"), answer
        times.append((time.perf_counter() - started) * 1000)
    return times


def _uses() -> Iterator[tuple[str, Use]]:
    """Find the parts among this process's descendants."""
    for process in _descendants(os.getpid()):
        command = (process / "cmdline").read_text()
        environment = (process / "environ").read_text(errors="replace")
        for part, (word, setting) in PARTS.items():
            if word in command and _has(environment, setting):
                yield part, _use(process)


def _has(environment: str, setting: str) -> bool:
    """Say whether a process has a setting; one that is false is absent."""
    name, _, value = setting.partition("=")
    return f"{name}=true" not in environment if value == "false" else setting in environment


def _descendants(pid: int) -> Iterator[Path]:
    for thread in Path(f"/proc/{pid}/task").iterdir():
        for child in (thread / "children").read_text().split():
            yield Path(f"/proc/{child}")
            yield from _descendants(int(child))


def _use(process: Path) -> Use:
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])  # utime and stime, proc_pid_stat(5)
    pages = int((process / "statm").read_text().split()[1])
    return Use(ticks / TICKS, pages * os.sysconf("SC_PAGE_SIZE"))


if __name__ == "__main__":
    main()
