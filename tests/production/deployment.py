"""Real deployments of the production overlays on this machine, with host names that only this process resolves.

A deployment is a folder with the files that an administrator checks out, and an `.env`. Caddy signs the certificates
with its own authority and has a loopback address of its own; this process resolves the three host names to that
address.
"""

import os
import random
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stack.keycloak import Keycloak
from stack.process import free_port
from tests.containers.images import ROOT, STANDIN, prepare_production
from tests.support.oauth import Person

PRODUCTION = ROOT / "deploy" / "production"
OVERLAYS = (PRODUCTION / "compose.yaml", PRODUCTION / "caddy.yaml")
CHECKED_OUT = ("compose.yaml", "deploy", "keycloak", "nextcloud")
QUICK = Path(__file__).with_name("quick.yaml")
STANDIN_FOLDER = Path(__file__).with_name("standin")
MCP, KEYCLOAK, NEXTCLOUD = "mcp.example.test", "id.example.test", "cloud.example.test"
CAROL = Person(username="carol", password="a-password-of-carol's")
CERTIFICATE_TIMEOUT = 150.0
AUTHORITY = "/data/caddy/pki/authorities/local/root.crt"


@dataclass(frozen=True)
class Deployment:
    """A deployment: the folder that it was checked out to, with its `.env`."""

    folder: Path

    @property
    def env(self) -> dict[str, str]:
        """The variables of `.env`, as they are now."""
        lines = (self.folder / ".env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))

    @property
    def has_standin(self) -> bool:
        """Whether the stand-in plays Nextcloud."""
        return self.env["NEXTCLOUD_IMAGE"] == STANDIN

    @property
    def url(self) -> str:
        """The MCP server's public URL."""
        return f"https://{MCP}/mcp"

    @property
    def keycloak(self) -> Keycloak:
        """Keycloak as the world knows it."""
        return Keycloak(f"https://{KEYCLOAK}")

    @property
    def administration(self) -> Keycloak:
        """Keycloak as its administrator reaches it, on the host alone."""
        password = (self.secrets / "keycloak_admin_password").read_text()
        return Keycloak(f"http://localhost:{self.env['KEYCLOAK_PORT']}", admin_password=password)

    @property
    def secrets(self) -> Path:
        """The folder of the live secrets."""
        data = self.env.get("DATA")
        return self.folder / "deploy" / "production" / (f"secrets-{data}" if data else "secrets")

    @property
    def address(self) -> str:
        """Where Caddy listens."""
        return self.env["BIND_ADDRESS"]

    def script(self, name: str) -> Path:
        """Return a script of `deploy/production`."""
        return self.folder / "deploy" / "production" / name

    def run(self, *command: str | Path) -> str:
        """Run a command as the administrator would, and return what it prints."""
        done = self.attempt(*command)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def attempt(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a command that may fail."""
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def environment(self) -> dict[str, str]:
        """What the administrator's shell has: nothing that `.env` says."""
        return {name: value for name, value in os.environ.items() if name not in self.env and name != "DATA"}

    def compose(self, *arguments: str) -> str:
        """Run a compose command, and return what it prints."""
        return self.run("docker", "compose", *arguments)

    def volumes(self) -> set[str]:
        """Return the names of the project's volumes, live ones and others, without the project's own name."""
        project = self.env["COMPOSE_PROJECT_NAME"]
        listed = self.run(
            "docker", "volume", "ls", "--quiet", "--filter", f"label=com.docker.compose.project={project}"
        )
        return {name.removeprefix(f"{project}_") for name in listed.split()}

    def remove(self) -> None:
        """Remove all of it, and what a restore may have left beside it."""
        project = self.env["COMPOSE_PROJECT_NAME"]
        self.compose("down", "--volumes", "--remove-orphans")
        self.run("docker", "compose", "--project-name", f"{project}-restore", "down", "--remove-orphans")
        for volume in self.volumes():
            self.run("docker", "volume", "rm", f"{project}_{volume}")


def prepare_deployment(folder: Path) -> Deployment:
    """Check the deployment out, choose names and ports, have the images, and make the secrets; nothing runs yet."""
    for name in CHECKED_OUT:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    for secrets in folder.glob("deploy/production/secrets*/"):
        shutil.rmtree(secrets)
    env = example_env() | {
        "COMPOSE_PROJECT_NAME": f"production-{os.getpid()}-{free_port()}",
        "MCP_DOMAIN": MCP,
        "KEYCLOAK_DOMAIN": KEYCLOAK,
        "NEXTCLOUD_DOMAIN": NEXTCLOUD,
        "BIND_ADDRESS": f"127.{random.randint(1, 254)}.{random.randint(1, 254)}.1",  # noqa: S311 - to be alone there
        "CADDY_OPTIONS": "local_certs",
        "MCP_CALLS_PER_MINUTE": "100000",
        "KEYCLOAK_PORT": str(free_port()),
        "NEXTCLOUD_PORT": str(free_port()),
    }
    shutil.copy(QUICK, folder)
    env["COMPOSE_FILE"] += f":{QUICK.name}"
    images = prepare_production({**os.environ, **env}, *OVERLAYS)
    env |= {name: value for name, value in images.items() if name.endswith("_IMAGE")}
    if env["NEXTCLOUD_IMAGE"] == STANDIN:
        shutil.copytree(STANDIN_FOLDER, folder / "standin")
        env["COMPOSE_FILE"] += ":standin/standin.yaml"
    deployment = Deployment(folder)
    write_env(deployment, env)
    deployment.run(deployment.script("secrets.sh"))
    return deployment


def example_env() -> dict[str, str]:
    """Return the variables of `example.env`."""
    lines = (PRODUCTION / "example.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def write_env(deployment: Deployment, env: dict[str, str]) -> None:
    """Write the deployment's `.env`."""
    (deployment.folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in env.items()))


def until_certified(address: str, trust: ssl.SSLContext) -> None:
    """Wait until Caddy has a certificate for each name.

    At its first start Caddy may clean up its storage while it writes there: it then deletes the new folder of a name,
    fails to store the certificate, and tries again after a minute (caddyserver/caddy, issue 4776).
    """
    deadline = time.monotonic() + CERTIFICATE_TIMEOUT
    for name in (MCP, KEYCLOAK, NEXTCLOUD):
        while not _is_certified(address, name, trust):
            assert time.monotonic() < deadline, f"Caddy has no certificate for {name}"
            time.sleep(0.2)


def _is_certified(address: str, name: str, trust: ssl.SSLContext) -> bool:
    try:
        with (
            socket.create_connection((address, 443), timeout=10) as connection,
            trust.wrap_socket(connection, server_hostname=name),
        ):
            return True
    except OSError:
        return False


@contextmanager
def known(deployment: Deployment) -> Iterator[None]:
    """Lead the three names to Caddy, and trust its authority, for as long as the block lasts."""
    authority = deployment.folder / "authority.crt"
    authority.write_text(deployment.compose("exec", "-T", "caddy", "cat", AUTHORITY))
    until_certified(deployment.address, ssl.create_default_context(cafile=authority))
    look_up = socket.getaddrinfo

    def ours(host: Any, *arguments: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        return look_up(deployment.address if name in {MCP, KEYCLOAK, NEXTCLOUD} else host, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", ours)
        patch.setenv("SSL_CERT_FILE", str(authority))
        patch.setattr("certifi.where", lambda: str(authority))
        yield


def add_carol(deployment: Deployment) -> None:
    """Give the realm a person, as its administrator would."""
    deployment.administration.admin().create_user(
        {
            "username": CAROL["username"],
            "email": "carol@example.test",
            "firstName": "Carol",
            "lastName": "Example",
            "enabled": True,
            "credentials": [{"type": "password", "value": CAROL["password"], "temporary": False}],
        }
    )


def create_table(deployment: Deployment) -> None:
    """Create one of the tables that Nextcloud's installer creates, by which backup.sh knows the database."""
    psql = ("psql", "--username", "nextcloud", "--command", "CREATE TABLE oc_appconfig (appid text)", "nextcloud")
    deployment.compose("exec", "-T", "nextcloud-db", *psql)
