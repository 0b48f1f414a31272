"""Fixtures for abuse tests: separate servers under the shipped memory limit."""

from collections.abc import Iterator

import pytest

from stack.chain import Chain
from tests.abuse.limited_server import LimitedServer, run_limited


@pytest.fixture(scope="module", autouse=True)
def processes_alone(pytestconfig: pytest.Config) -> None:
    """Attack servers that run as processes, whose memory can be limited and read."""
    if pytestconfig.getoption("chain") != "processes":
        pytest.skip("attacks servers of its own, which run as processes: `make abuse` and `make test` run it")


@pytest.fixture(scope="module", params=["exchange", "pass-through"])
def limited(chain: Chain, request: pytest.FixtureRequest) -> Iterator[LimitedServer]:
    """A server in each mode, under the limit; after the attacks it must be there, and never have needed more."""
    with run_limited(chain, mode=request.param) as server:
        yield server
        assert server.is_running, f"the server ended; the last lines of {server.log} may say why"
        assert server.peak_bytes <= server.limit_bytes


@pytest.fixture(scope="module")
def limited_exchange(chain: Chain) -> Iterator[LimitedServer]:
    """The server in exchange mode alone, where both modes share what is attacked."""
    with run_limited(chain, mode="exchange") as server:
        yield server
        assert server.is_running, f"the server ended; the last lines of {server.log} may say why"
        assert server.peak_bytes <= server.limit_bytes
