"""The chain in containers, for the tests: `compose.yaml` as people run it, under a name and on ports of its own.

pytest-docker starts and ends it. The secrets are the demo's, which tests know; where no engine answers, everything that
needs the chain is skipped, and says so.
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
from stack.config import EXCHANGE_CLIENT_SECRET, NEXTCLOUD_CLIENT_SECRET, USERS, Config
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
"""Each service's log, by the name that it has in the chain without containers."""


@dataclass(frozen=True)
class Project:
    """A compose project that runs.

    Attributes:
        name: its name.
        environment: the variables of its own.
    """

    name: str
    environment: Mapping[str, str]

    @property
    def command(self) -> list[str]:
        """`docker compose` for this project."""
        return ["docker", "compose", "--file", str(COMPOSE_FILE), "--project-name", self.name]

    def run(self, *arguments: str) -> str:
        """Run a compose command, and return what it prints."""
        environment = {**os.environ, **self.environment}
        done = subprocess.run(  # noqa: S603 - docker
            [*self.command, *arguments], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def require_engine() -> None:
    """Skip where there is no Docker engine with compose."""
    for command in (["docker", "info"], ["docker", "compose", "version"]):
        try:
            subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - docker
        except (OSError, subprocess.CalledProcessError):
            pytest.skip(f"`{' '.join(command)}` fails: the containers need a Docker engine with the compose plugin")


def variables(config: Config) -> dict[str, str]:
    """Return what `compose.yaml` takes from the environment, but for the images."""
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
        "ALICE_PASSWORD": USERS["alice"],
        "BOB_PASSWORD": USERS["bob"],
        "MCP_CALLS_PER_MINUTE": "100000",
        "LOG_LEVEL": "DEBUG",
    }


@pytest.fixture(scope="session")
def project(config: Config, docker_compose_project_name: str, pytestconfig: pytest.Config) -> Iterator[Project]:
    """The project, with its images and its environment, before it starts and until nothing of it is left."""
    require_engine()
    environment = variables(config)
    images = prepare({**os.environ, **environment})
    pytestconfig.stash[IMAGES] = describe(images)
    environment |= {name: value for name, value in images.items() if name.endswith("_IMAGE")}
    project = Project(docker_compose_project_name, environment)
    with pytest.MonkeyPatch.context() as environ:  # pytest-docker hands its own environment to compose
        for name, value in environment.items():
            environ.setenv(name, value)
        yield project
        project.run("down", "--volumes", "--remove-orphans")


@pytest.fixture(scope="session")
def docker_compose_file() -> str:
    """What pytest-docker starts."""
    return str(COMPOSE_FILE)


@pytest.fixture(scope="session")
def docker_setup(project: Project) -> str:
    """How it starts it: as people do, `project` having built the images."""
    del project
    return "up --wait"


@pytest.fixture(scope="session")
def docker_cleanup() -> str:
    """How it ends it: not at all, for `project` does, a start that failed included."""
    return ""


@contextmanager
def run_composed(config: Config, project: Project) -> Iterator[Chain]:
    """Return the running project as a chain, and keep its logs where the chain's are."""
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
    """Return which Nextcloud runs, from its own status, and which user_oidc is in it.

    Args:
        compose: runs a compose command for its project.
    """
    status = json.loads(compose("exec", "-T", "nextcloud", "curl", "--silent", "http://localhost/status.php"))
    found = compose("exec", "-T", "nextcloud", "sh", "-c", f"{_USER_OIDC} || true").strip()
    image = compose("images", "--quiet", "nextcloud").strip()[:12]
    return f"{status['productname']} {status['versionstring']}, user_oidc {found or 'none'}, image {image}"


def summary(reporter: pytest.TerminalReporter, images: list[Image], ran: list[str]) -> None:
    """Say which images ran, and which Nextcloud was in them."""
    reporter.section("the images that ran")
    reporter.write_line(table(images))
    for each in dict.fromkeys(ran):
        reporter.write_line(f"  {each}")
