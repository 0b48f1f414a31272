"""What all unit tests share."""

from collections.abc import AsyncIterator

import pytest

from tests.support.server import EXCHANGE, PASS_THROUGH, Server, serving


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """A server in exchange mode."""
    async with serving(EXCHANGE) as running:
        yield running


@pytest.fixture
async def pass_through_server() -> AsyncIterator[Server]:
    """A server in pass-through mode."""
    async with serving(PASS_THROUGH) as running:
        yield running
