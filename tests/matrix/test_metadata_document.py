"""One tool of each app works, in both modes, for a client whose id is the URL of its metadata document.

Keycloak needs its experimental feature `cimd` for that, so these tests have a chain of their own.
"""

from collections.abc import Iterator

import pytest

from stack.chain import Chain
from stack.config import Config
from tests.matrix.calls import call_every_app
from tests.support.documents import CLAUDE_CODE, Documents
from tests.support.featured import run_featured
from tests.support.mcp_client import McpUser, Tokens, connected
from tests.support.oauth import ALICE

REDIRECT_URI = "http://localhost:51234/callback"


@pytest.fixture(scope="module")
def cimd_chain(config: Config, documents: Documents, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """A chain with the real Nextcloud, whose Keycloak has the feature."""
    state = tmp_path_factory.mktemp("cimd")
    with run_featured(config, documents, state, features=("cimd",), with_standin=False) as running:
        yield running


@pytest.fixture(scope="module")
def document(documents: Documents) -> str:
    """The URL of the client's metadata document."""
    return documents.publish(CLAUDE_CODE)


@pytest.mark.parametrize("client", ["metadata document"])
@pytest.mark.parametrize("mode", ["exchange", "pass-through"])
async def test_one_tool_of_each_app_works(cimd_chain: Chain, mode: str, client: str, document: str) -> None:
    """The client registers nothing, signs in once, and then its calls reach every app."""
    config = cimd_chain.config
    url = config.exchange_url if mode == "exchange" else config.pass_through_url
    tokens, person = Tokens(), McpUser(**ALICE)
    async with connected(url, person, tokens, document=document, redirect_uri=REDIRECT_URI) as mcp:
        await call_every_app(mcp)
    assert tokens.client is not None
    assert (tokens.client.client_id, person.sign_ins) == (document, 1), client
