"""Fixtures for container tests: the parsed `compose.yaml`, the server's image, and the running project."""

import os
import subprocess
from collections.abc import Mapping
from typing import Any

import pytest

from stack.chain import Chain
from tests.containers.compose import Compose, inspect
from tests.support.composed import COMPOSE_FILE, Project


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
