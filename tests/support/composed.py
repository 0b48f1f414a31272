"""The chain in containers, for the tests: the real `compose.yaml`, with its own project name and ports.

pytest-docker starts and stops it. The secrets are those of the demo. Without a Docker engine, the tests that need the
chain are skipped with a message.
"""

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pytest

from stack.chain import Chain
from stack.config import EXCHANGE_CLIENT_SECRET, JANITOR_CLIENT_SECRET, NEXTCLOUD_CLIENT_SECRET, USERS, Config
from stack.keycloak import Keycloak
from stack.nextcloud import Nextcloud
from tests.containers.images import STANDIN, Image, describe, prepare, table

COMPOSE_FILE: Final = Path(__file__).parents[2] / "compose.yaml"
IMAGES: Final = pytest.StashKey[list[Image]]()
RAN: Final = pytest.StashKey[list[str]]()
LOGS: Final[Mapping[str, str]] = {
    "keycloak": "keycloak.log",
    "nextcloud": "nextcloud.log",
    "mcp-exchange": "server-exchange.log",
    "mcp-pass-through": "server-pass-through.log",
}
"""The log file of each service, named as in the chain without containers."""


@dataclass(frozen=True)
class Project:
    """A running compose project.

    Attributes:
        name: the project's name.
        environment: the environment variables of the project, in addition to this process's.
    """

    name: str
    environment: Mapping[str, str]

    @property
    def command(self) -> list[str]:
        """`docker compose` for this project."""
        return ["docker", "compose", "--file", str(COMPOSE_FILE), "--project-name", self.name]

    def run(self, *arguments: str) -> str:
        """Run a compose command, and return its output."""
        environment = {**os.environ, **self.environment}
        done = subprocess.run(  # noqa: S603 - docker
            [*self.command, *arguments], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def require_engine() -> None:
    """Skip the test if there is no Docker engine with compose."""
    for command in (["docker", "info"], ["docker", "compose", "version"]):
        try:
            subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - docker
        except (OSError, subprocess.CalledProcessError):
            pytest.skip(f"`{' '.join(command)}` fails: the containers need a Docker engine with the compose plugin")


def variables(config: Config) -> dict[str, str]:
    """Return the environment variables of `compose.yaml`, without the images."""
    return {
        "KEYCLOAK_PORT": str(config.keycloak_port),
        "NEXTCLOUD_PORT": str(config.nextcloud_port),
        "MCP_EXCHANGE_PORT": str(config.exchange_port),
        "MCP_PASS_THROUGH_PORT": str(config.pass_through_port),
        "KEYCLOAK_ADMIN_PASSWORD": Keycloak("").admin_password,
        "NEXTCLOUD_ADMIN_PASSWORD": "nextcloud-demo-password",
        "NEXTCLOUD_DB_PASSWORD": "nextcloud-db-demo-password",
        "MCP_EXCHANGE_CLIENT_SECRET": EXCHANGE_CLIENT_SECRET,
        "NEXTCLOUD_CLIENT_SECRET": NEXTCLOUD_CLIENT_SECRET,
        "CLIENT_JANITOR_SECRET": JANITOR_CLIENT_SECRET,
        "ALICE_PASSWORD": USERS["alice"],
        "BOB_PASSWORD": USERS["bob"],
        "MCP_CALLS_PER_MINUTE": "100000",
        "LOG_LEVEL": "DEBUG",
    }


@pytest.fixture(scope="session")
def project(config: Config, docker_compose_project_name: str, pytestconfig: pytest.Config) -> Iterator[Project]:
    """Build the images and yield the project before it starts; remove all of it at the end."""
    require_engine()
    environment = variables(config)
    images = prepare({**os.environ, **environment})
    pytestconfig.stash[IMAGES] = describe(images)
    environment |= {name: value for name, value in images.items() if name.endswith("_IMAGE")}
    project = Project(docker_compose_project_name, environment)
    with pytest.MonkeyPatch.context() as environ:  # pytest-docker runs compose with this process's environment
        for name, value in environment.items():
            environ.setenv(name, value)
        yield project
        project.run("down", "--volumes", "--remove-orphans")


@pytest.fixture(scope="session")
def docker_compose_file() -> str:
    """Return the compose file that pytest-docker starts."""
    return str(COMPOSE_FILE)


@pytest.fixture(scope="session")
def docker_setup(project: Project) -> str:
    """Return the start command of pytest-docker; `project` has already built the images."""
    del project
    return "up --wait"


@pytest.fixture(scope="session")
def docker_cleanup() -> str:
    """Return no command: `project` removes the containers, even after a failed start."""
    return ""


@contextmanager
def run_composed(config: Config, project: Project) -> Iterator[Chain]:
    """Yield the running project as a chain, and write its logs to the files of the chain."""
    real = project.environment["NEXTCLOUD_IMAGE"] != STANDIN
    keycloak = Keycloak(f"http://localhost:{config.keycloak_port}")
    nextcloud = Nextcloud(f"http://localhost:{config.nextcloud_port}", "nextcloud" if real else "stand-in")
    with ExitStack() as following:
        for service, log in LOGS.items():
            following.enter_context(_followed(project, service, config.state / log))
        yield Chain(replace(config, nextcloud_url=nextcloud.url if real else None), keycloak, nextcloud)


@contextmanager
def _followed(project: Project, service: str, log: Path) -> Iterator[None]:
    command = [*project.command, "logs", "--follow", "--no-color", "--no-log-prefix", service]
    environment = {**os.environ, **project.environment}
    with log.open("wb") as output, ExitStack() as running:
        follower = subprocess.Popen(command, env=environment, stdout=output, stderr=output)  # noqa: S603 - docker
        running.callback(follower.wait)
        running.callback(follower.terminate)
        yield


_USER_OIDC: Final = "grep -ohm1 '<version>[^<]*' /var/www/html/*apps/user_oidc/appinfo/info.xml | cut -d'>' -f2"


def describe_nextcloud(compose: Callable[..., str]) -> str:
    """Return the versions of the running Nextcloud and its user_oidc, and the image's id.

    Args:
        compose: runs a compose command in the project, and returns its output.
    """
    status = json.loads(compose("exec", "-T", "nextcloud", "curl", "--silent", "http://localhost/status.php"))
    found = compose("exec", "-T", "nextcloud", "sh", "-c", f"{_USER_OIDC} || true").strip()
    image = compose("images", "--quiet", "nextcloud").strip()[:12]
    return f"{status['productname']} {status['versionstring']}, user_oidc {found or 'none'}, image {image}"


def summary(reporter: pytest.TerminalReporter, images: list[Image], ran: list[str]) -> None:
    """Print which images ran, and which Nextcloud versions they had."""
    reporter.section("the images that ran")
    reporter.write_line(table(images))
    for each in dict.fromkeys(ran):
        reporter.write_line(f"  {each}")
