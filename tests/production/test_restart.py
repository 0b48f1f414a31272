"""Two replicas behind the shipped Caddyfile, under load: a rolling restart loses no call.

Keycloak and Nextcloud are played by this process, so that calls can be as slow as they have to be.
"""

import json
import os
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import anyio
import anyio.to_thread
import httpx
import pytest

from nextcloud_mcp.drain import MAX_DRAIN_SECONDS
from stack.process import LOOPBACK
from tests.containers.images import ROOT, prepare_production
from tests.production.deployment import AUTHORITY, KEYCLOAK, MCP, NEXTCLOUD, OVERLAYS
from tests.support import composed
from tests.support.listening import listening
from tests.support.mcp_http import result, tool_request
from tests.support.neighbors import Neighbors
from tests.support.server import LEGACY, MODERN

URL: Final = f"https://{MCP}/mcp"
NETWORK: Final = f"restart-{os.getpid()}"


def docker(*arguments: str) -> str:
    """Run docker, and return what it prints."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def images(pytestconfig: pytest.Config) -> dict[str, str]:
    """The images, by the variables that name them to compose."""
    if pytestconfig.getoption("chain") != "compose":
        pytest.skip("it runs in containers: `make test-production` does")
    composed.require_engine()
    return prepare_production(os.environ, *OVERLAYS)


@pytest.fixture
def gateway(images: dict[str, str]) -> Iterator[str]:
    """A network of this test's own; its address on this machine."""
    assert images
    docker("network", "create", NETWORK)
    try:
        (network,) = json.loads(docker("network", "inspect", NETWORK))
        yield network["IPAM"]["Config"][0]["Gateway"]
    finally:
        docker("network", "rm", NETWORK)


@contextmanager
def container(name: str, image: str, *options: str) -> Iterator[str]:
    """Run a container in that network for as long as the block lasts."""
    identifier = docker("run", "--detach", "--name", f"{NETWORK}-{name}", "--network", NETWORK, *options, image)
    try:
        yield identifier
    finally:
        docker("rm", "--force", identifier)


def replica(number: int, images: dict[str, str], neighbors: Neighbors) -> Any:
    """Run one replica of the server."""
    environment = {
        "NEXTCLOUD_HOST": neighbors.url,
        "NEXTCLOUD_MCP_SERVER_URL": URL,
        "OIDC_DISCOVERY_URL": f"{neighbors.url}/.well-known/openid-configuration",
    }
    options = [part for name, value in environment.items() for part in ("--env", f"{name}={value}")]
    name = f"replica-{number}"
    return container(name, images["MCP_IMAGE"], "--network-alias", "mcp-exchange", "--stop-timeout", "90", *options)


def caddy(images: dict[str, str]) -> Any:
    """Run Caddy with the shipped configuration."""
    domains = {"MCP_DOMAIN": MCP, "KEYCLOAK_DOMAIN": KEYCLOAK, "NEXTCLOUD_DOMAIN": NEXTCLOUD}
    environment = domains | {"CADDY_OPTIONS": "local_certs"}
    options = [part for name, value in environment.items() for part in ("--env", f"{name}={value}")]
    file = f"{ROOT / 'deploy/production/Caddyfile'}:/etc/caddy/Caddyfile:ro"
    return container("caddy", images["CADDY_IMAGE"], "--volume", file, "--publish", f"{LOOPBACK}::443", *options)


async def until_healthy(identifier: str) -> None:
    """Wait until a container is healthy, as its image says."""
    with anyio.fail_after(180):
        while True:
            health = await anyio.to_thread.run_sync(docker, "inspect", "-f", "{{.State.Health.Status}}", identifier)
            if health == "healthy":
                return
            await anyio.sleep(0.2)


async def authority(identifier: str) -> ssl.SSLContext:
    """Return what trusts Caddy's own authority, once it has one."""
    with anyio.fail_after(60):
        while True:
            command = ["docker", "exec", identifier, "cat", AUTHORITY]
            done = await anyio.run_process(command, check=False)
            if done.returncode == 0:
                return ssl.create_default_context(cadata=done.stdout.decode())
            await anyio.sleep(0.2)


@dataclass
class Caller:
    """Calls a tool again and again, until the event and once more.

    Attributes:
        answers: how often a call was answered.
    """

    version: str
    keeps: bool
    title: str | None
    answers: int = 0
    failures: list[str] = field(default_factory=list)

    async def work(self, address: str, trust: ssl.SSLContext, token: str, done: anyio.Event) -> None:
        """Write a note, if there is a title, or read one."""
        tool = "nc_notes_create_note" if self.title else "nc_notes_get_note"
        arguments = {"title": self.title, "content": "", "category": ""} if self.title else {"note_id": 1}
        request = tool_request(tool, arguments, token=token, version=self.version, Host=MCP)
        limits = httpx.Limits(max_keepalive_connections=1 if self.keeps else 0)
        async with httpx.AsyncClient(verify=trust, trust_env=False, timeout=90, limits=limits) as http:
            last = False
            while not last:
                last = done.is_set()
                try:
                    response = await http.post(f"{address}/mcp", **request, extensions={"sni_hostname": MCP})
                    assert not result(response).get("isError"), response.text
                    self.answers += 1
                except (httpx.HTTPError, AssertionError) as error:
                    self.failures.append(f"{type(error).__name__}: {error}")


@pytest.fixture
async def neighbors(gateway: str) -> AsyncIterator[Neighbors]:
    """Keycloak and Nextcloud, where the containers reach them."""
    played = Neighbors()
    async with listening(played.app, host=gateway) as played.url:
        yield played


async def test_rolling_restart_loses_no_call(images: dict[str, str], neighbors: Neighbors) -> None:
    """Reading and writing, short and long, with connections that are kept or not: each call of a dozen is answered."""
    done = anyio.Event()
    callers = [
        Caller(version=(LEGACY, MODERN)[n % 2], keeps=n % 3 > 0, title=(None, f"by {n}", f"slow {n}")[n // 2 % 3])
        for n in range(12)
    ]
    with ExitStack() as running:
        replicas = [running.enter_context(replica(number, images, neighbors)) for number in (1, 2)]
        proxy = running.enter_context(caddy(images))
        for each in replicas:
            await until_healthy(each)
        trust = await authority(proxy)
        address = f"https://{docker('port', proxy, '443/tcp').splitlines()[0]}"
        async with anyio.create_task_group() as group:
            for caller in callers:
                group.start_soon(caller.work, address, trust, neighbors.token(URL), done)
            for each in replicas:
                before = sum(caller.answers for caller in callers)
                while sum(caller.answers for caller in callers) < before + 30:  # noqa: ASYNC110 - both serve again
                    await anyio.sleep(0.05)
                started = anyio.current_time()
                await anyio.to_thread.run_sync(docker, "stop", each)
                assert anyio.current_time() - started < MAX_DRAIN_SECONDS
                await anyio.to_thread.run_sync(docker, "start", each)
                await until_healthy(each)
            done.set()
        statuses = [docker("inspect", "-f", "{{.State.OOMKilled}} {{.RestartCount}}", each) for each in replicas]

    assert [failure for caller in callers for failure in caller.failures] == []
    assert min(caller.answers for caller in callers) >= 2
    assert len(neighbors.written) == sum(caller.answers for caller in callers if caller.title)
    assert statuses == ["false 0"] * 2
