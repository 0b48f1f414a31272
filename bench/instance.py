"""Start the servers of a benchmark: the instant answerer, a bare server, and this project's server in both modes."""

import os
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from bench.caller import Target
from bench.workloads import CLIENT_SECRET, encoded, responses
from nextcloud_mcp.catalogue import offer
from stack.process import free_port, run_process
from tests.support.minting import Minter, rsa_key

RESOURCE: Final = "http://localhost/mcp"
MODES: Final = ("pass-through", "exchange")
COMMAND: Final = Path(sys.executable).with_name("nextcloud-mcp")


@dataclass(frozen=True)
class Server:
    """A running server: its process, its endpoint, and the seconds that it took to be ready."""

    pid: int
    target: Target
    seconds_to_start: float


@dataclass(frozen=True)
class Bench:
    """All servers of one run, by name, and what mints the tokens that they accept."""

    minter: Minter
    servers: Mapping[str, Server]

    def token(self, number: int = 0, **changes: Any) -> str:
        """Return a token of one of many people."""
        scopes = "nextcloud-mcp:exchange " + " ".join(offer().scopes())
        claims: dict[str, Any] = {
            "sub": f"person-{number}",
            "scope": scopes,
            "exp": int(time.time()) + 24 * 3600,
            "jti": str(number),
        }
        return self.minter.mint(**claims | changes)


@contextmanager
def running(folder: Path, *, tools: int) -> Iterator[Bench]:
    """Run all servers; the bare one lists this many tools."""
    instant, minter = free_port(), Minter(issuer="http://localhost/issuer", resource=RESOURCE, key=rsa_key("bench"))
    url = f"http://127.0.0.1:{instant}"
    file = folder / "responses.json"
    file.write_text(encoded(responses(minter, url)))
    with ExitStack() as stack:
        start = partial(_start, stack, folder)
        start("instant", ["-m", "bench.instant", str(file)], port=instant)
        servers = {"bare": start("bare", ["-m", "bench.bare", url], after=[str(tools)])}
        for mode in MODES:
            servers[mode] = start(mode, [str(COMMAND), "serve"], settings=settings(mode, url))
        yield Bench(minter, servers)


def settings(mode: str, url: str) -> dict[str, str]:
    """Return the settings of a server between the instant answerers, without a limit for one person."""
    exchange = {"ENABLE_TOKEN_EXCHANGE": "true", "OIDC_CLIENT_SECRET": CLIENT_SECRET}
    return {
        "NEXTCLOUD_HOST": url,
        "NEXTCLOUD_MCP_SERVER_URL": RESOURCE,
        "OIDC_DISCOVERY_URL": f"{url}/issuer",
        "MCP_CALLS_PER_MINUTE": "1000000000",
    } | (exchange if mode == "exchange" else {})


def _start(
    stack: ExitStack,
    folder: Path,
    name: str,
    command: list[str],
    *,
    port: int | None = None,
    after: list[str] | None = None,
    settings: Mapping[str, str] | None = None,
) -> Server:
    """Start a Python program; its port is an argument, or a setting."""
    port = port or free_port()
    arguments = command if settings else [*command, str(port), *(after or [])]
    environment = {name: value for name, value in os.environ.items() if name.startswith(("PATH", "PYTHON", "HOME"))}
    environment |= {**settings, "MCP_PORT": str(port)} if settings else {}
    started = time.perf_counter()
    process = run_process(
        name, [sys.executable, *arguments], log=folder / f"{name}.log", ready=partial(_listens, port), env=environment
    )
    child = stack.enter_context(process)
    return Server(child.pid, Target(port), time.perf_counter() - started)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
