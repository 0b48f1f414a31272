"""Replicas of the server behind the shipped Caddyfile, without the other parts of a deployment.

This process is a fake Keycloak and Nextcloud.
"""

import json
import os
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any, Final

import anyio
import anyio.to_thread
import pytest
import yaml

from stack.process import LOOPBACK
from tests.containers.images import ROOT, prepare_production
from tests.production.deployment import AUTHORITY, KEYCLOAK, MCP, NEXTCLOUD, OVERLAYS, until_certified
from tests.support import composed
from tests.support.listening import listening
from tests.support.neighbors import Neighbors

URL: Final = f"https://{MCP}/mcp"
NETWORK: Final = f"replicas-{os.getpid()}"


def docker(*arguments: str) -> str:
    """Run docker, and return what it prints."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def errors_logged(identifier: str) -> list[str]:
    """Return the lines of level `error` that a container of Caddy has logged."""
    logged = subprocess.run(["docker", "logs", identifier], capture_output=True, text=True, check=True).stderr
    return [line for line in logged.splitlines() if '"level":"error"' in line]


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
        "MCP_CALLS_PER_MINUTE": "100000",
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
    options += ["--volume", file, "--publish", f"{LOOPBACK}::443", *shipped_limits()]
    return container("caddy", images["CADDY_IMAGE"], *options)


def shipped_limits() -> list[str]:
    """Return what limits Caddy in caddy.yaml, as options of `docker run`."""
    service = yaml.safe_load((ROOT / "deploy/production/caddy.yaml").read_text())["services"]["caddy"]
    limits = [f"--memory={service['mem_limit']}"]
    limits += [f"--ulimit={name}={value}" for name, value in service.get("ulimits", {}).items()]
    return [*limits, f"--env=GOMEMLIMIT={service['environment']['GOMEMLIMIT']}"]


async def until_healthy(identifier: str) -> None:
    """Wait until a container is healthy, as its image says."""
    with anyio.fail_after(180):
        while True:
            health = await anyio.to_thread.run_sync(docker, "inspect", "-f", "{{.State.Health.Status}}", identifier)
            if health == "healthy":
                return
            await anyio.sleep(0.2)


async def authority(identifier: str) -> ssl.SSLContext:
    """Return what trusts Caddy's own authority, once it has one and certificates for all names."""
    with anyio.fail_after(60):
        while True:
            command = ["docker", "exec", identifier, "cat", AUTHORITY]
            done = await anyio.run_process(command, check=False)
            if done.returncode == 0:
                break
            await anyio.sleep(0.2)
    trust = ssl.create_default_context(cadata=done.stdout.decode())
    await anyio.to_thread.run_sync(until_certified, address_of(identifier), trust)
    return trust


def address_of(identifier: str) -> str:
    """Return the address of a container in its network."""
    return docker("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", identifier)


@pytest.fixture
async def neighbors(gateway: str) -> AsyncIterator[Neighbors]:
    """Keycloak and Nextcloud, where the containers reach them."""
    played = Neighbors()
    async with listening(played.app, host=gateway) as played.url:
        yield played
