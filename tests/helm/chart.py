"""The chart as Helm renders it."""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[2] / "deploy" / "helm" / "nextcloud-mcp"
VALUES = Path(__file__).with_name("values")
SETS = sorted(path.stem for path in VALUES.glob("*.yaml"))
SECONDS = 300


@dataclass(frozen=True)
class Chart:
    """Runs Helm on the chart."""

    helm: str

    def run(self, *arguments: str, values: str | None = "smallest") -> subprocess.CompletedProcess[str]:
        """Run a command of Helm's with one set of values, or none, and say how it went."""
        given = ["--values", str(VALUES / f"{values}.yaml")] if values else []
        return subprocess.run(  # noqa: S603 - the tool that is meant, and arguments of ours
            [self.helm, *arguments, *given],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def template(self, *arguments: str, values: str = "smallest") -> str:
        """Return what would be installed as the release `r`."""
        done = self.run("template", "r", str(FOLDER), *arguments, values=values)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def resources(self, *arguments: str, values: str = "smallest") -> dict[str, dict[str, Any]]:
        """Return the same, by kind; there is one of each, and `NetworkPolicy janitor` is that of the CronJob."""
        documents = [found for found in yaml.safe_load_all(self.template(*arguments, values=values)) if found]
        by_kind = {_key(document): document for document in documents}
        assert len(by_kind) == len(documents)
        return by_kind

    def refusal(self, *arguments: str, values: str | None = "smallest") -> str:
        """Return what Helm says when it refuses the values."""
        done = self.run("template", "r", str(FOLDER), *arguments, values=values)
        assert done.returncode != 0, "the values were accepted"
        return done.stderr


def _key(document: dict[str, Any]) -> str:
    kind = str(document["kind"])
    is_second = kind == "NetworkPolicy" and document["metadata"]["name"].endswith("-janitor")
    return f"{kind} janitor" if is_second else kind


def environment(deployment: dict[str, Any]) -> dict[str, str]:
    """Return the variables that the server's container gets."""
    return {entry["name"]: entry["value"] for entry in container(deployment)["env"]}


def container(deployment: dict[str, Any]) -> dict[str, Any]:
    """Return the one container."""
    (only,) = deployment["spec"]["template"]["spec"]["containers"]
    found: dict[str, Any] = only
    return found
