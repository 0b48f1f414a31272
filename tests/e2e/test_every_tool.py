"""A client for the seed project's tools calls each with its old name and arguments and gets the old result.

It can also use the apps that were added later.
"""

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
async def test_contract_tools_and_resources_work(old: OldClient, app: str) -> None:
    """In exchange mode, each tool and resource works with its old name and parameters, and gives its old result."""
    await JOURNEYS[app].journey(old)

    assert old.called == tools_of(app)
    assert old.read == resources_of(app)


@pytest.mark.parametrize("server", ["pass_through"], indirect=True)
@pytest.mark.parametrize("app", sorted(JOURNEYS))
async def test_one_contract_tool_per_app_works_in_pass_through(old: OldClient, app: str) -> None:
    """In pass-through mode, one tool of each app works."""
    tool, arguments = JOURNEYS[app].GLANCE
    await old.call(tool, arguments)

    assert old.called & tools_of(app) == {tool}


@pytest.mark.parametrize("app", sorted(LATER))
async def test_tools_outside_the_contract_work(old: OldClient, app: str) -> None:
    """In both modes, each tool of an app that the contract does not have works."""
    await LATER[app].walk(old)

    assert old.called == {name for name, scopes in TOOL_SCOPES.items() if app in map(app_of, scopes)}


def test_every_app_has_a_journey_or_walk() -> None:
    """Every app with tools has a journey or a walk, so that every tool is tested."""
    assert {tool["app"] for tool in KNOWN["tools"].values()} == JOURNEYS.keys()
    known = {app_of(scope) for tool in KNOWN["tools"].values() for scope in tool["scopes"]}
    assert {app_of(scope) for scopes in TOOL_SCOPES.values() for scope in scopes} - known == LATER.keys()
