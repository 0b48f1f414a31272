"""A stand-in in this process, behind an issuer that the tests command."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from stack.standin.app import Options, create_app
from tests.support.issuer import DISCOVERY_URL, FakeIssuer


@asynccontextmanager
async def running(options: Options) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a stand-in that lives as long as the block."""
    app = create_app(options)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        headers = {"OCS-APIRequest": "true"}
        async with httpx.AsyncClient(transport=transport, base_url="http://nextcloud", headers=headers) as client:
            yield client


@pytest.fixture
def issuer() -> FakeIssuer:
    """The issuer that the stand-in trusts."""
    return FakeIssuer()


@pytest.fixture
def options(issuer: FakeIssuer, tmp_path: Path) -> Options:
    """What the stand-in is told, with an empty data folder."""
    return Options(tmp_path, DISCOVERY_URL, realm_transport=issuer.transport)


@pytest.fixture
async def client(options: Options) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a fresh stand-in."""
    async with running(options) as client:
        yield client
