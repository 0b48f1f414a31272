"""Installs a client from its registry, each into a folder of its own in the cache."""

import os
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from stack.keycloak import default_cache

HERE: Final = Path(__file__).parent
FOLDER: Final = default_cache() / "clients"
VERSIONS: Final[dict[str, dict[str, Any]]] = tomllib.loads((HERE / "versions.toml").read_text(encoding="utf-8"))

INSTALL_TIMEOUT: Final = 600
"""Seconds."""


class InstallError(Exception):
    """The registry's installer failed; the message is the end of its output."""


@dataclass(frozen=True)
class Installed:
    """A client on this machine.

    Attributes:
        name: its name in `versions.toml`.
        folder: where it is installed.
        path: the folders that PATH needs, in order.
    """

    name: str
    folder: Path
    path: tuple[Path, ...]


def title(name: str) -> str:
    """Return the client's name for people."""
    return str(VERSIONS[name]["title"])


def install(name: str) -> Installed:
    """Install the pinned version of a client, unless it is there already.

    Raises:
        InstallError: it does not install here.
    """
    entry = VERSIONS[name]
    folder = FOLDER / f"{name}-{entry['version']}"
    node = install(f"node-{entry['node']}").path if "node" in entry else ()
    binaries = folder / ("node_modules/.bin" if "npm" in entry else "venv/bin")
    if not (folder / "installed").exists():
        folder.mkdir(parents=True, exist_ok=True)
        environment = os.environ | {"PATH": os.pathsep.join([*map(str, node), os.environ["PATH"]])}
        for command in _commands(entry, folder):
            _run(command, folder, environment)
        (folder / "installed").touch()
    return Installed(name, folder, (binaries, *node))


def _commands(entry: dict[str, Any], folder: Path) -> list[list[str]]:
    """Return the commands that install a package; npm picks an older version if its Node is too old for this one."""
    if "npm" in entry:
        (folder / "package.json").write_text('{"private": true}\n', encoding="utf-8")
        return [["npm", "install", "--no-audit", "--no-fund", "--save-exact", f"{entry['npm']}@{entry['version']}"]]
    python = folder / "venv" / "bin" / "python"
    return [
        [sys.executable, "-m", "venv", str(folder / "venv")],
        [str(python), "-m", "pip", "install", "--quiet", f"{entry['pypi']}=={entry['version']}"],
    ]


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=INSTALL_TIMEOUT
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InstallError(str(error)) from error
    if done.returncode != 0:
        raise InstallError(f"{done.stdout}\n{done.stderr}".strip()[-500:])
