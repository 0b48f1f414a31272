"""A client written for the seed project's tools calls each by its old name and arguments, and finds the old result; and
it can use the apps that came later.
"""  # noqa: D205 - one sentence, which takes two lines

from collections.abc import AsyncIterator

import pytest

from nextcloud_mcp.auth.scopes import app_of
from tests.e2e.journeys import JOURNEYS
from tests.e2e.later import LATER
from tests.e2e.servers import NextcloudOf, Server
from tests.support.contract import KNOWN
from tests.support.declared import RESOURCE_SCOPES, TOOL_SCOPES
from tests.support.mcp_client import McpUser, Tokens, connected
from tests.support.old_client import RESOURCES, OldClient
from tests.support.recipe_page import RecipePage
from tests.support.run import PEOPLE


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
    async with connected(server.url, McpUser(**PEOPLE["alice"]), tokens, mode="legacy") as client:
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


@pytest.mark.parametrize("app", sorted(LATER))
async def test_every_tool_of_a_later_app(old: OldClient, app: str) -> None:
    """In both modes: each tool of an app that the contract does not have."""
    await LATER[app].walk(old)

    assert old.called == {name for name, scopes in TOOL_SCOPES.items() if app in map(app_of, scopes)}


def test_every_app_has_a_walk() -> None:
    """No tool is left out because nobody wrote down how to use it."""
    assert {tool["app"] for tool in KNOWN["tools"].values()} == JOURNEYS.keys()
    known = {app_of(scope) for tool in KNOWN["tools"].values() for scope in tool["scopes"]}
    assert {app_of(scope) for scopes in TOOL_SCOPES.values() for scope in scopes} - known == LATER.keys()
