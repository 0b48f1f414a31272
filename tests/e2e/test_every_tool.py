"""A client written for the seed project's tools calls each by its old name and arguments, and finds the old result."""

from collections.abc import AsyncIterator

import pytest

from tests.conftest import PEOPLE
from tests.e2e.conftest import NextcloudOf, Server
from tests.e2e.journeys import JOURNEYS
from tests.support.contract import KNOWN
from tests.support.declared import RESOURCE_SCOPES
from tests.support.mcp_client import Somebody, Tokens, connected
from tests.support.old_client import RESOURCES, OldClient
from tests.support.recipe_page import RecipePage


@pytest.fixture
async def old(
    server: Server,
    keychain: dict[tuple[str, str], Tokens],
    nextcloud_of: NextcloudOf,
    recipe_page: RecipePage,
    unique: str,
) -> AsyncIterator[OldClient]:
    """Connect alice with an old client, which speaks an old version of the protocol too."""
    tokens = keychain.setdefault(("alice", server.url), Tokens())
    async with connected(server.url, Somebody(**PEOPLE["alice"]), tokens, mode="legacy") as client:
        yield OldClient(client, unique=unique, nextcloud_of=nextcloud_of, recipe_page=recipe_page)


def tools_of(app: str) -> set[str]:
    """Return the tools of an app that the contract has."""
    return {name for name, tool in KNOWN["tools"].items() if tool["app"] == app}


def resources_of(app: str) -> set[str]:
    """Return the same of its resources, by URI template; their scopes tell whose they are."""
    return {uri for uri in RESOURCES if f"{app}:read" in RESOURCE_SCOPES[uri]}


@pytest.mark.parametrize("server", ["exchange"], indirect=True)
@pytest.mark.parametrize("app", sorted(JOURNEYS))
async def test_every_tool_of_an_app(old: OldClient, app: str) -> None:
    """In exchange mode: each tool and resource under its old name, with its old parameters alone, to its old result."""
    await JOURNEYS[app].journey(old)

    assert old.called == tools_of(app)
    assert old.read == resources_of(app)


@pytest.mark.parametrize("server", ["pass_through"], indirect=True)
@pytest.mark.parametrize("app", sorted(JOURNEYS))
async def test_one_tool_of_an_app(old: OldClient, app: str) -> None:
    """In pass-through mode: one tool of the app."""
    tool, arguments = JOURNEYS[app].GLANCE
    await old.call(tool, arguments)

    assert old.called & tools_of(app) == {tool}


def test_every_app_has_a_journey() -> None:
    """No tool is left out because nobody wrote down how to use it."""
    assert {tool["app"] for tool in KNOWN["tools"].values()} == JOURNEYS.keys()
