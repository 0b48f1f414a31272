"""A chain whose Keycloak runs in a container, started by testcontainers as `compose.yaml` describes it."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer

from stack.chain import Chain
from stack.config import Config
from stack.keycloak import REALM, REALM_FILE, THEMES, Keycloak
from stack.nextcloud import is_ready, run_nextcloud
from stack.process import LOOPBACK
from stack.servers import run_servers
from tests.containers.images import Image, configuration, describe, prepare
from tests.support.composed import require_engine, variables

PORT: Final = 8080
START_SECONDS: Final = 600


@contextmanager
def run_contained(config: Config) -> Iterator[tuple[Chain, list[Image]]]:
    """Run the chain for as long as the block lasts; yield the chain and Keycloak's image.

    The block removes the container itself. testcontainers' reaper (ryuk) is off: it would be one more image to pull.
    """
    require_engine()
    environment = {**os.environ, **variables(config)}
    names = prepare(environment)
    service = configuration({**environment, **names})["services"]["keycloak"]
    testcontainers_config.ryuk_disabled = True
    with (
        _keycloak(service, config.keycloak_port),
        run_nextcloud(config, keycloak := Keycloak(f"http://localhost:{config.keycloak_port}")) as nextcloud,
        run_servers(config, keycloak, nextcloud),
    ):
        yield Chain(config, keycloak, nextcloud), describe({"KEYCLOAK_IMAGE": names["KEYCLOAK_IMAGE"]})


@contextmanager
def _keycloak(service: dict[str, Any], port: int) -> Iterator[None]:
    container = (
        DockerContainer(service["image"])
        .with_command(service["command"])
        .with_envs(**service["environment"])
        .with_volume_mapping(REALM_FILE, f"/opt/keycloak/data/import/{REALM_FILE.name}")
        .with_volume_mapping(THEMES / "nextcloud-mcp", "/opt/keycloak/themes/nextcloud-mcp")
        .with_kwargs(mem_limit=service["mem_limit"], cap_drop=service["cap_drop"], security_opt=service["security_opt"])
    )
    container.ports[str(PORT)] = (LOOPBACK, port)  # type: ignore[assignment] # as the engine's API takes it
    with container:  # its own wait checks the port at the bridge's address, where it is not published
        deadline = time.monotonic() + START_SECONDS
        while not is_ready(f"http://localhost:{port}/realms/{REALM}"):
            assert time.monotonic() < deadline, container.get_logs()
            time.sleep(1)
        yield
