"""Servers under the shipped memory limit."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import yaml

from stack.chain import Chain
from stack.config import EXCHANGE_CLIENT_SECRET
from stack.process import free_port
from stack.servers import run_server
from tests.support.limited import CGROUP, LIMIT_BYTES, cgroup_folder

MEBIBYTE = 2**20


@dataclass(frozen=True)
class LimitedServer:
    """A server that may use as much memory as compose.yaml gives it, and can be attacked without harm to other tests.

    Attributes:
        url: where its MCP endpoint is on this machine.
        host: its public name and port, which requests must have in `Host`.
        port: its port on loopback.
        scope: the scope that adds this server to a token's audience.
        log: its log, one JSON object a line.
        pid: its process.
        limit_bytes: the memory that it may use.
    """

    url: str
    host: str
    port: int
    scope: str
    log: Path
    pid: int
    limit_bytes: int

    @property
    def is_running(self) -> bool:
        """Whether the process is there still: the kernel kills it beyond the limit."""
        return Path(f"/proc/{self.pid}/status").exists()

    @property
    def peak_bytes(self) -> int:
        """The most memory that the process has held so far (proc_pid_status(5), `VmHWM`)."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024


@contextmanager
def run_limited(chain: Chain, *, mode: str, settings: Mapping[str, str] | None = None) -> Iterator[LimitedServer]:
    """Run a server under the limit of compose.yaml for as long as the block lasts.

    Args:
        chain: the Keycloak and Nextcloud that it uses.
        mode: "exchange" or "pass-through".
        settings: further settings, by their variables.
    """
    limit = shipped_limit_bytes()
    cgroup = f"nextcloud-mcp-{uuid4().hex[:12]}"
    url = chain.config.exchange_url if mode == "exchange" else chain.config.pass_through_url
    environment = {
        "NEXTCLOUD_HOST": chain.nextcloud.url,
        "OIDC_DISCOVERY_URL": chain.keycloak.discovery_url,
        LIMIT_BYTES: str(limit),
        CGROUP: cgroup,
    }
    if mode == "exchange":
        environment |= {"ENABLE_TOKEN_EXCHANGE": "true", "OIDC_CLIENT_SECRET": EXCHANGE_CLIENT_SECRET}
    name, port = f"limited-{cgroup}", free_port()
    command = (sys.executable, "-m", "tests.support.limited")
    try:
        with run_server(
            name, url, port, environment | dict(settings or {}), logs=chain.config.state, command=command
        ) as endpoint:
            host = url.removeprefix("http://").removesuffix("/mcp")
            log = chain.config.state / f"server-{name}.log"
            yield LimitedServer(endpoint, host, port, f"nextcloud-mcp:{mode}", log, listener(port), limit)
    finally:
        with suppress(OSError):
            cgroup_folder(cgroup).rmdir()


def shipped_limit_bytes() -> int:
    """Return the memory limit of the server in compose.yaml."""
    composed = yaml.safe_load(Path("compose.yaml").read_text())
    limit: str = composed["x-server"]["mem_limit"]
    assert limit.endswith("m"), limit
    return int(limit.removesuffix("m")) * MEBIBYTE


def listener(port: int) -> int:
    """Return the id of the process that listens on a port of loopback."""
    sockets = {
        fields[9]
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        if (fields := line.split())[3] == "0A" and fields[1].endswith(f":{port:04X}")
    }
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with suppress(OSError):
                targets = {str(each.readlink()) for each in (process / "fd").iterdir()}
                if targets & {f"socket:[{inode}]" for inode in sockets}:
                    return int(process.name)
    raise AssertionError(f"nothing listens on port {port}")
