"""One tool of each app works, in both modes, for a client that is registered by hand or registers itself."""

import pytest

from tests.e2e.servers import Server
from tests.matrix.calls import call_every_app
from tests.support.mcp_client import McpUser, Tokens, connected, registered_by_hand
from tests.support.oauth import ALICE


@pytest.mark.parametrize("client", ["pre-registered", "dynamic registration"])
async def test_one_tool_of_each_app_works(server: Server, client: str) -> None:
    """The client signs in once, and then its calls reach every app."""
    tokens, person = registered_by_hand() if client == "pre-registered" else Tokens(), McpUser(**ALICE)
    async with connected(server.url, person, tokens) as mcp:
        await call_every_app(mcp)
    assert person.sign_ins == 1
