"""What the tests of the containers share: compose's reading of `compose.yaml`, the image of the server, the project."""

import json
import os
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from stack.chain import Chain
from tests.support.composed import COMPOSE_FILE, Project

ROOT: Final = Path(__file__).parents[2]
REQUIRED: Final = sorted(set(re.findall(r"\$\{(\w+):\?", COMPOSE_FILE.read_text())))
"""The variables without which compose refuses `compose.yaml`."""

Compose = Callable[[Mapping[str, str]], subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def compose_config() -> Compose:
    """`docker compose config` as JSON, of an environment that has these variables and nothing else of ours."""
    try:
        subprocess.run(["docker", "compose", "version"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("`docker compose version` does not run: the compose plugin is not installed")

    def config(variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        command = ["docker", "compose", "--file", str(COMPOSE_FILE), "--env-file", os.devnull, "config"]
        return subprocess.run(
            [*command, "--format", "json"], env={**kept, **variables}, capture_output=True, text=True, check=False
        )

    return config


@pytest.fixture(scope="session")
def running(request: pytest.FixtureRequest) -> Project:
    """The compose project, started."""
    if request.config.getoption("chain") != "compose":
        pytest.skip("looks into the containers of compose.yaml, which run with --chain=compose: `make test-compose`")
    chain: Chain = request.getfixturevalue("chain")
    assert chain is not None
    project: Project = request.getfixturevalue("project")
    return project


@pytest.fixture(scope="session")
def image(running: Project) -> dict[str, Any]:
    """What the engine says of the server's image."""
    return inspect("image", running.environment["MCP_IMAGE"])


def inspect(kind: str, name: str) -> dict[str, Any]:
    """Return what the engine says of an image or a container."""
    told = subprocess.run(["docker", kind, "inspect", name], check=True, capture_output=True, text=True)
    (thing,) = json.loads(told.stdout)
    found: dict[str, Any] = thing
    return found


def in_image(name: str, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a container of its own of an image, in place of what the image runs."""
    docker = ["docker", "run", "--rm", "--network=none", "--entrypoint", command[0], name, *command[1:]]
    return subprocess.run(docker, capture_output=True, text=True, check=False)
