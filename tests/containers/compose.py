"""Queries of the project's compose file and containers with docker."""

import json
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from tests.support.composed import COMPOSE_FILE

ROOT: Final = Path(__file__).parents[2]


REQUIRED: Final = sorted(set(re.findall(r"\$\{(\w+):\?", COMPOSE_FILE.read_text())))
"""The variables without which compose refuses `compose.yaml`."""


Compose = Callable[[Mapping[str, str]], subprocess.CompletedProcess[str]]


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
