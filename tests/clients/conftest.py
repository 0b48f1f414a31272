"""The chain for real clients: the servers behind recording proxies, which have the public addresses."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from stack.chain import Chain, run_chain
from stack.config import Config
from stack.process import free_port
from tests.clients.recorder import Recorder, recorded


@dataclass(frozen=True)
class ProxiedConfig(Config):
    """A chain whose servers are reached through proxies.

    Attributes:
        public_ports: the ports of the proxies: exchange, pass-through.
    """

    public_ports: tuple[int, int] = (0, 0)

    @property
    def exchange_url(self) -> str:
        """The URL of the proxy in front of the exchange server."""
        return f"http://localhost:{self.public_ports[0]}/mcp"

    @property
    def pass_through_url(self) -> str:
        """The URL of the proxy in front of the pass-through server."""
        return f"http://localhost:{self.public_ports[1]}/mcp"


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Leave these tests to `make clients`, which installs what they import."""
    return None if config.getoption("chain") == "clients" else True


@pytest.fixture(scope="session")
def clients_chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """A chain on ports of its own."""
    config = ProxiedConfig(
        state=tmp_path_factory.mktemp("stack"),
        keycloak_port=free_port(),
        nextcloud_port=free_port(),
        exchange_port=free_port(),
        pass_through_port=free_port(),
        public_ports=(free_port(), free_port()),
    )
    with run_chain(config) as chain:
        yield chain


@pytest.fixture(params=["exchange", "pass-through"])
def mode(request: pytest.FixtureRequest) -> str:
    """Each mode in turn."""
    return str(request.param)


@pytest.fixture
def url(clients_chain: Chain, mode: str) -> str:
    """The public URL of the server in this mode."""
    return {"exchange": clients_chain.config.exchange_url, "pass-through": clients_chain.config.pass_through_url}[mode]


@pytest.fixture
def recorder(clients_chain: Chain, mode: str) -> Iterator[Recorder]:
    """The proxy in front of the server in this mode."""
    config = clients_chain.config
    assert isinstance(config, ProxiedConfig)
    public = config.public_ports[0 if mode == "exchange" else 1]
    own = {"exchange": config.exchange_port, "pass-through": config.pass_through_port}[mode]
    with recorded(public, f"http://localhost:{own}") as recorder:
        yield recorder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home folder."""
    return tmp_path / "home"
