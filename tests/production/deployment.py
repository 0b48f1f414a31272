"""The production overlays run for real on this machine, with names that only this process knows.

Caddy has an authority of its own to sign the certificates, and an address of loopback to itself. The three names
lead there because this process looks them up by itself.
"""

import os
import random
import socket
import subprocess
from collections.abc import Iterator, Mapping
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
FILES = (ROOT / "compose.yaml", *OVERLAYS)
FILLERS = (
    "ALICE_PASSWORD",
    "BOB_PASSWORD",
    "KEYCLOAK_ADMIN_PASSWORD",
    "MCP_EXCHANGE_CLIENT_SECRET",
    "NEXTCLOUD_ADMIN_PASSWORD",
    "NEXTCLOUD_CLIENT_SECRET",
)
MCP, KEYCLOAK, NEXTCLOUD = "mcp.example.test", "id.example.test", "cloud.example.test"
CAROL = Person(username="carol", password="a-password-of-carol's")
AUTHORITY = "/data/caddy/pki/authorities/local/root.crt"


@dataclass(frozen=True)
class Deployment:
    """A deployment: its folder on this machine, and the variables that name it to compose and to the scripts."""

    folder: Path
    environment: Mapping[str, str]

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
        return Keycloak(f"http://localhost:{self.environment['KEYCLOAK_PORT']}", admin_password=password)

    @property
    def secrets(self) -> Path:
        """The folder of the secrets."""
        return Path(self.environment["SECRETS"])

    @property
    def address(self) -> str:
        """Where Caddy listens."""
        return self.environment["BIND_ADDRESS"]

    def run(self, *command: str | Path) -> str:
        """Run a command as the administrator would, and return what it prints."""
        done = self.attempt(*command)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def attempt(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a command that may fail."""
        environment = {**os.environ, **self.environment}
        return subprocess.run(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )

    def compose(self, *arguments: str) -> str:
        """Run a compose command, and return what it prints."""
        return self.run("docker", "compose", *arguments)


def prepare_deployment(folder: Path) -> Deployment:
    """Choose names, ports and a folder, have the images, and make the secrets; nothing runs yet."""
    environment = dict.fromkeys(FILLERS, "unused") | {
        "COMPOSE_FILE": os.pathsep.join(map(str, FILES)),
        "COMPOSE_PROJECT_NAME": f"production-{os.getpid()}",
        "COMPOSE_DISABLE_ENV_FILE": "1",
        "MCP_DOMAIN": MCP,
        "KEYCLOAK_DOMAIN": KEYCLOAK,
        "NEXTCLOUD_DOMAIN": NEXTCLOUD,
        "BIND_ADDRESS": f"127.{random.randint(1, 254)}.{random.randint(1, 254)}.1",  # noqa: S311 - to be alone there
        "CADDY_OPTIONS": "local_certs",
        "KEYCLOAK_PORT": str(free_port()),
        "NEXTCLOUD_PORT": str(free_port()),
        "SECRETS": str(folder / "secrets"),
        "OCC": f"sh {_recorder(folder)}",
    }
    images = prepare_production({**os.environ, **environment}, *OVERLAYS)
    environment |= {name: value for name, value in images.items() if name.endswith("_IMAGE")}
    if environment["NEXTCLOUD_IMAGE"] == STANDIN:
        files = [*FILES, Path(__file__).with_name("standin.yaml")]
        environment["COMPOSE_FILE"] = os.pathsep.join(map(str, files))
    else:
        del environment["OCC"]
    deployment = Deployment(folder, environment)
    deployment.run(PRODUCTION / "secrets.sh", deployment.secrets)
    return deployment


def _recorder(folder: Path) -> Path:
    """Return a script in occ's place, for the stand-in has none: it writes down what it is asked."""
    script = folder / "occ.sh"
    script.write_text(f'echo "$*" >> {folder}/occ.log\n')
    return script


@contextmanager
def known(deployment: Deployment) -> Iterator[None]:
    """Lead the three names to Caddy, and trust its authority, for as long as the block lasts."""
    authority = deployment.folder / "authority.crt"
    authority.write_text(deployment.compose("exec", "-T", "caddy", "cat", AUTHORITY))
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
