"""Fixtures for the whole run: the event loop, and a chain of real parts for each process, on its own ports.

By default the chain consists of processes; with `--chain=compose`, of the containers of compose.yaml; with
`--chain=testcontainers`, of processes and a container for Keycloak. `--chain=cluster` is only for tests/cluster, which
needs no chain, and `--chain=clients` for tests/clients, which has one of its own.
"""

import os
from collections.abc import Iterator
from dataclasses import replace

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from stack.chain import Chain, run_chain
from stack.config import Config, config_from
from stack.keycloak import Keycloak
from stack.process import free_port
from tests.support import composed, shared_keycloak
from tests.support.composed import docker_cleanup, docker_compose_file, docker_setup, project
from tests.support.contained import run_contained
from tests.support.documents import Documents, run_documents
from tests.support.featured import run_featured
from tests.support.oauth import ALICE, sign_in
from tests.support.recipe_page import RecipePage, known_page, page_in_container, page_on_this_machine
from tests.support.run import PEOPLE, ServerUrls, TokenFor
from tests.support.secrets_in_logs import check_logs

__all__ = ["docker_cleanup", "docker_compose_file", "docker_setup", "project"]  # fixtures


WITHOUT_CHAIN = frozenset({"unit", "helm", "nextcloud", "cluster", "test_requirements.py"})
"""The folders and files whose tests use no chain."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the run choose what the chain is made of."""
    kinds = ["processes", "compose", "testcontainers", "cluster", "clients"]
    parser.addoption("--chain", choices=kinds, default=kinds[0], help="what the chain is made of")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which images ran, where some did."""
    images = config.stash.get(composed.IMAGES, None)
    if images is not None:
        composed.summary(terminalreporter, images, config.stash.get(composed.RAN, []))


class ByFile(LoadScopeScheduling):
    """Divide the test files among several processes (`-n 2`); each process starts its own chain.

    With NEXTCLOUD_URL there is only one Nextcloud, so one process runs all tests that use the chain.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        is_alone = "NEXTCLOUD_URL" not in os.environ or WITHOUT_CHAIN.intersection(file.split("/"))
        return file if is_alone else "chain"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    """Return the scheduler that divides the tests by files."""
    return ByFile(config, log)


@pytest.fixture(scope="session", autouse=True)
def every_event() -> Iterator[None]:
    """Let the servers of the run log all that they ever do."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("LOG_LEVEL", "DEBUG")
        yield


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Asyncio alone: what the servers run on."""
    return "asyncio"


@pytest.fixture(scope="session")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """Free ports and fresh data for the run, and the Nextcloud that the environment names.

    A Nextcloud that nobody here can set up again trusts the realm at one address, and finds Keycloak only there.
    """
    given = config_from(os.environ)
    fixed = given.nextcloud_url is not None and given.nextcloud_occ is None
    return replace(
        given,
        state=tmp_path_factory.mktemp("stack"),
        keycloak_port=given.keycloak_port if fixed else free_port(),
        nextcloud_port=free_port(),
        exchange_port=free_port(),
        pass_through_port=free_port(),
    )


@pytest.fixture(scope="session")
def chain(config: Config, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """The whole chain, for the whole run, none of whose logs may have a secret."""
    kind = request.config.getoption("chain")
    if kind == "compose":
        project: composed.Project = request.getfixturevalue("project")
        request.getfixturevalue("docker_services")
        with composed.run_composed(config, project) as running:
            request.config.stash[composed.RAN] = [composed.describe_nextcloud(project.run)]
            yield running
    elif kind == "testcontainers":
        with run_contained(config) as (running, request.config.stash[composed.IMAGES]):
            yield running
    elif shared_keycloak.VARIABLE in os.environ:
        with shared_keycloak.run_on_shared_keycloak(config) as running:
            yield running
    else:
        with run_chain(config) as running:
            yield running
    check_logs(tmp_path_factory.getbasetemp().rglob("*.log"))


@pytest.fixture(scope="session")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Documents]:
    """A server of client ID metadata documents."""
    with run_documents(tmp_path_factory.mktemp("documents")) as running:
        yield running


@pytest.fixture(scope="session")
def featured(
    config: Config, documents: Documents, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[Chain]:
    """A second chain, for what needs Keycloak's experimental features; started by the first test that asks."""
    if pytestconfig.getoption("chain") != "processes":
        pytest.skip("needs a Keycloak with experimental features, which compose.yaml has not: `make test` runs it")
    with run_featured(config, documents, tmp_path_factory.mktemp("featured")) as running:
        yield running


@pytest.fixture(scope="session")
def keycloak(chain: Chain) -> Keycloak:
    """The shipped realm on a real Keycloak, fresh."""
    return chain.keycloak


@pytest.fixture(scope="session")
def server_urls(chain: Chain) -> ServerUrls:
    """The addresses that the realm was imported with."""
    return ServerUrls(
        exchange=chain.config.exchange_url,
        pass_through=chain.config.pass_through_url,
        nextcloud=chain.nextcloud.url,
    )


@pytest.fixture(scope="session")
def nextcloud_url(chain: Chain) -> str:
    """A Nextcloud that trusts the realm: a real one or the stand-in."""
    return chain.nextcloud.url


@pytest.fixture(scope="session")
def recipe_page(chain: Chain, request: pytest.FixtureRequest) -> RecipePage:
    """A web page with a recipe, which that Nextcloud can fetch."""
    if chain.nextcloud.kind == "stand-in":
        return known_page
    if request.config.getoption("chain") == "compose":
        return page_in_container(request.getfixturevalue("project"))
    return page_on_this_machine


@pytest.fixture
def token_for(keycloak: Keycloak) -> TokenFor:
    """Sign somebody in, by name, for a token that Nextcloud accepts."""

    async def token_for(username: str) -> str:
        tokens = await sign_in(keycloak, **PEOPLE[username], scope="nextcloud-mcp:pass-through")
        return str(tokens["access_token"])

    return token_for


@pytest.fixture
async def foreign_token(keycloak: Keycloak) -> str:
    """Return a genuine token of Alice's which does not name Nextcloud as audience."""
    tokens = await sign_in(keycloak, **ALICE, scope="nextcloud-mcp:exchange")
    return str(tokens["access_token"])
