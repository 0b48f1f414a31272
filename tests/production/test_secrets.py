"""`secrets.sh` writes secrets only for new data. Needs no Docker: a fake command lists the volumes."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VOLUMES = ("keycloak", "keycloak-db", "nextcloud", "nextcloud-db")


@dataclass(frozen=True)
class Checkout:
    """A checkout, and what Docker has on its host."""

    folder: Path

    @property
    def production(self) -> Path:
        """The folder of the scripts."""
        return self.folder / "deploy" / "production"

    @property
    def written(self) -> int:
        """How many secrets there are."""
        return len(list(self.production.glob("secrets*/*")))

    def have_volumes(self, *lines: str) -> None:
        """Have Docker list volumes, each with its size."""
        docker = self.folder / "path" / "docker"
        docker.parent.mkdir(exist_ok=True)
        docker.write_text(f"#!/bin/sh\nprintf '%s,' {' '.join(repr(line) for line in lines)}\n")
        docker.chmod(0o755)

    def run(self, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run secrets.sh."""
        return subprocess.run(
            ["sh", self.production / "secrets.sh"],
            env={"PATH": f"{self.folder / 'path'}{os.pathsep}{os.environ['PATH']}"} | environment,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A checkout without secrets, on a host without volumes."""
    checkout = Checkout(tmp_path)
    checkout.production.mkdir(parents=True)
    for name in ("secrets.sh", "common.sh", "example.env"):
        shutil.copy(ROOT / "deploy" / "production" / name, checkout.production)
    shutil.copy(checkout.production / "example.env", checkout.folder / ".env")
    checkout.have_volumes()
    return checkout


def test_new_data_get_secrets(checkout: Checkout) -> None:
    """In a new checkout all secrets are written, and a second run keeps them."""
    assert checkout.run().returncode == 0
    assert checkout.written == len(list((checkout.production / "secrets").iterdir())) == 8
    assert "written" not in checkout.run().stdout


@pytest.mark.parametrize(
    ("data", "environment"),
    [
        pytest.param("DATA=20261127T0254\n", {}, id="in-env"),
        pytest.param('DATA="20261127T0254"\n', {}, id="in-quotes"),
        pytest.param("", {"DATA": "20261127T0254"}, id="in-the-environment"),
        pytest.param("", {}, id="lost"),
    ],
)
def test_no_secrets_for_mistyped_data(checkout: Checkout, data: str, environment: dict[str, str]) -> None:
    """If DATA is mistyped or missing, nothing is written, and the error names the existing data."""
    (checkout.production / "secrets-20261127T025412").mkdir()
    with (checkout.folder / ".env").open("a") as env:
        env.write(data)
    refused = checkout.run(**environment)
    assert refused.returncode == 1
    assert "DATA" in refused.stderr
    assert "restored data here: 20261127T025412" in refused.stderr
    assert checkout.written == 0


def test_secrets_of_restored_data_are_completed(checkout: Checkout) -> None:
    """Missing secrets are added to the folder of the live data, and to no other folder."""
    (checkout.production / "secrets-20261127T025412").mkdir()
    with (checkout.folder / ".env").open("a") as env:
        env.write("DATA=20261127T025412\n")
    assert checkout.run().returncode == 0
    assert len(list((checkout.production / "secrets-20261127T025412").iterdir())) == checkout.written == 8


def test_secret_of_a_new_version_is_added(checkout: Checkout) -> None:
    """A deployment with data gets the one secret that it does not have yet, and keeps the others."""
    checkout.run()
    folder = checkout.production / "secrets"
    before = {path.name: path.read_text() for path in folder.iterdir()}
    (folder / "client_janitor_secret").unlink()
    checkout.have_volumes(*(f"nextcloud-mcp-production_{name} 1.2GB" for name in VOLUMES))

    report = checkout.run()

    assert report.returncode == 0, report.stderr
    assert [line for line in report.stdout.splitlines() if line.endswith("written")] == [
        "deploy/production/secrets/client_janitor_secret: written"
    ]
    after = {path.name: path.read_text() for path in folder.iterdir()}
    assert {name for name in after if after[name] != before[name]} == {"client_janitor_secret"}
    assert (folder / "client_janitor_secret").stat().st_mode & 0o777 == 0o444


@pytest.mark.parametrize("names", [("keycloak", "nextcloud"), VOLUMES], ids=["base-file", "production"])
def test_no_secrets_for_existing_data_of_the_same_project(checkout: Checkout, names: tuple[str, ...]) -> None:
    """If volumes of this project name have data, new secrets could not open them, so none are written."""
    checkout.have_volumes(*(f"nextcloud-mcp-production_{name} 1.2GB" for name in names))
    refused = checkout.run()
    assert refused.returncode == 1
    assert "nextcloud-mcp-production_nextcloud 1.2GB" in refused.stderr
    assert checkout.written == 0


def test_other_projects_and_empty_volumes_are_ignored(checkout: Checkout) -> None:
    """Volumes of other projects, and empty ones from an `up` without secrets, do not prevent new secrets."""
    empty = (f"nextcloud-mcp-production_{name} 0B" for name in VOLUMES)
    checkout.have_volumes("nextcloud-mcp_nextcloud 1.2GB", "nextcloud-mcp-production_caddy-data 2kB", *empty)
    assert checkout.run().returncode == 0
    assert checkout.written == 8
