"""`prompts`: prompts, which are listed if their tools are available."""

import re
from typing import Final

import pytest
from mcp_types import INVALID_PARAMS, METHOD_NOT_FOUND

from nextcloud_mcp.boundary.declaration import Prompt
from nextcloud_mcp.prompts import PROMPTS
from tests.support.declared import TOOL_SCOPES
from tests.support.nextcloud import CAPABILITIES_PATH, ocs_capabilities
from tests.support.server import EVERYTHING, LEGACY, MODERN, PASS_THROUGH, Server, answered, serving

VERSIONS: Final = [LEGACY, MODERN]
ARGUMENTS: Final = {"weeks_review": {"week": "2026-11-23"}, "prepare_meeting": {"meeting": "Budget"}}


async def listed(server: Server, *, scope: str = EVERYTHING, version: str = LEGACY) -> dict[str, dict[str, object]]:
    """Return the prompts that a client with these scopes is shown."""
    response = await server.request("prompts/list", token=server.keycloak.mint(scope=scope), version=version)
    return {prompt["name"]: prompt for prompt in answered(response)["result"]["prompts"]}


async def text_of(server: Server, name: str, arguments: dict[str, str], version: str = LEGACY) -> str:
    """Return the one message of a prompt."""
    params = {"name": name, "arguments": arguments}
    response = await server.request("prompts/get", params, token=server.keycloak.mint(), version=version)
    (message,) = answered(response)["result"]["messages"]
    assert message["role"] == "user"
    text: str = message["content"]["text"]
    return text


@pytest.mark.parametrize("version", VERSIONS)
async def test_prompts_are_listed_and_read(server: Server, version: str) -> None:
    """Each has title, description and described arguments; its text includes their values."""
    prompts = await listed(server, version=version)
    assert prompts.keys() == ARGUMENTS.keys()
    for name, arguments in ARGUMENTS.items():
        assert prompts[name]["title"]
        assert prompts[name]["description"]
        text = await text_of(server, name, arguments, version)
        assert all(value in text for value in arguments.values())
    assert server.nextcloud.asked() == []


@pytest.mark.parametrize("prompt", PROMPTS, ids=lambda prompt: prompt.function.__name__)
def test_prompt_mentions_only_declared_tools(prompt: Prompt) -> None:
    """The text mentions exactly the declared tools, and none of them writes."""
    text = prompt.function(**ARGUMENTS[prompt.function.__name__])
    assert set(re.findall(r"\bnc_\w+", text)) == prompt.tools
    assert prompt.tools <= TOOL_SCOPES.keys()
    assert all(scope.endswith(":read") for tool in prompt.tools for scope in TOOL_SCOPES[tool])


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("scope", "shown"),
    [
        pytest.param("calendar:read todo:read notes:read", {"weeks_review", "prepare_meeting"}, id="all it takes"),
        pytest.param("calendar:read notes:read", {"prepare_meeting"}, id="no tasks"),
        pytest.param("notes:read", set(), id="no calendar"),
    ],
)
async def test_prompt_requires_scopes_of_its_tools(server: Server, scope: str, shown: set[str], version: str) -> None:
    """Without one of the scopes it is not listed."""
    assert (await listed(server, scope=scope, version=version)).keys() == shown


async def test_prompt_requires_apps_of_its_tools(server: Server) -> None:
    """If Nextcloud lacks one of the apps, it is not listed."""
    server.nextcloud.on("GET", CAPABILITIES_PATH, ocs_capabilities("core", "dav"))
    assert await listed(server) == {}


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        pytest.param({"name": "prepare_dinner"}, "There is no prompt 'prepare_dinner'", id="no such prompt"),
        pytest.param({"name": "prepare_meeting"}, "Missing meeting: pass text.", id="missing"),
        pytest.param(
            {"name": "weeks_review", "arguments": {"month": "5"}},
            "Unknown argument 'month': weeks_review takes week.",
            id="unknown",
        ),
    ],
)
async def test_invalid_request_is_explained(server: Server, params: dict[str, object], sentence: str) -> None:
    """The client gets one sentence with the valid form."""
    response = await server.request("prompts/get", params, token=server.keycloak.mint())
    error = answered(response)["error"]
    assert error["code"] == INVALID_PARAMS
    assert sentence in error["message"]


async def test_prompt_arguments_are_not_completed(server: Server) -> None:
    """Completion returns no values and no error, and sends no request."""
    params = {"ref": {"type": "ref/prompt", "name": "weeks_review"}, "argument": {"name": "week", "value": "2026"}}
    response = await server.request("completion/complete", params, token=server.keycloak.mint())
    assert answered(response)["result"]["completion"]["values"] == []
    assert server.nextcloud.requests == []


async def test_limited_server_has_no_prompts() -> None:
    """If the settings leave no prompt, none is announced or served."""
    initialize = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "unit-test", "version": "1"}}
    async with serving({**PASS_THROUGH, "MCP_APPS": "files"}) as server:
        token = server.keycloak.mint()
        announced = answered(await server.request("initialize", initialize, token=token))
        refused = answered(await server.request("prompts/list", token=token))
    assert "prompts" not in announced["result"]["capabilities"]
    assert refused["error"]["code"] == METHOD_NOT_FOUND
