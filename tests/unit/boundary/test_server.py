"""`boundary.server`: what clients see, and the error handling around every call."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

import httpx
import pytest
from mcp_types import METHOD_NOT_FOUND
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs

from nextcloud_mcp.auth.admission import Admission
from nextcloud_mcp.auth.scopes import Feature
from nextcloud_mcp.auth.verifier import Principal
from nextcloud_mcp.catalogue import APPS, create_server
from tests.support.contract import KNOWN
from tests.support.declared import RESOURCE_SCOPES, TOOL_SCOPES
from tests.support.issuer import FakeIssuer, answer
from tests.support.nextcloud import NOTES, FakeNextcloud
from tests.support.old_client import RESOURCES
from tests.support.server import EVERYTHING, LEGACY, MODERN, Server, answered, refusal, services

CONTRACT: Final = KNOWN["tools"]

MORE_SCOPES: Final[Mapping[str, set[str]]] = {
    **{f"nc_share_{verb}": {"files:read"} for verb in ("create", "delete", "get", "list", "update")},
    "nc_webdav_move_resource": {"files:read"},
    "nc_webdav_copy_resource": {"files:read"},
    "nc_cookbook_set_config": {"files:read", "files:write"},
    "nc_tables_update_row": {"tables:read"},
    "nc_tables_delete_row": {"tables:read"},
    "nc_calendar_bulk_operations": {"calendar:read"},
    "nc_calendar_manage_calendar": {"calendar:read"},
}
"""What the contract's scopes gave away: files by another way, or what was there before a change."""


async def listed(server: Server, *, scope: str = EVERYTHING, version: str = MODERN) -> dict[str, dict[str, Any]]:
    """Return the tools that a client with these scopes is shown."""
    response = await server.request("tools/list", token=server.keycloak.mint(scope=scope), version=version)
    return {tool["name"]: tool for tool in answered(response)["result"]["tools"]}


def without_titles(schema: Any) -> Any:
    """Drop what a contract of names, types and defaults does not cover: words, and limits beyond what anybody sends."""
    if isinstance(schema, list):
        return [without_titles(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: {key: without_titles(value) for key, value in part.items()}
        if name in {"properties", "$defs"}
        else without_titles(part)
        for name, part in schema.items()
        if name not in {"title", "description", "enum", "maxItems", "maxLength"}
    }


def may_be_null(parameter: Mapping[str, Any]) -> bool:
    """Return whether a parameter of the contract may be null."""
    return {"type": "null"} in parameter.get("anyOf", [])


def declared(parameter: dict[str, Any]) -> dict[str, Any]:
    """Return how a parameter of the contract is declared: without null, which not every model accepts there."""
    if not may_be_null(parameter):
        return parameter
    (kept,) = (option for option in parameter["anyOf"] if option != {"type": "null"})
    return dict(kept)


def accepted_types(schema: Mapping[str, Any]) -> set[str]:
    """Return the JSON types that a property may have."""
    return {str(option["type"]) for option in schema.get("anyOf", [schema]) if "type" in option}


def test_contract_is_complete() -> None:
    """All 90 tools, 4 resources and 10 resource templates of the seed project exist."""
    assert (len(CONTRACT), len(RESOURCES)) == (90, 14)
    assert CONTRACT.keys() - TOOL_SCOPES.keys() == set()
    assert RESOURCES - RESOURCE_SCOPES.keys() == set()


@pytest.mark.parametrize("name", CONTRACT)
async def test_parameters_match_contract(server: Server, name: str) -> None:
    """Each parameter of the contract has its type and default, and no other is required.

    A parameter that may be null is never required: a model can't pass null for a type without null.
    """
    schema = without_titles((await listed(server))[name]["inputSchema"])
    expected = CONTRACT[name]["input"]
    known: dict[str, dict[str, Any]] = expected["properties"]
    assert {name: schema["properties"][name] for name in known} == {n: declared(part) for n, part in known.items()}
    required = [name for name in expected.get("required", []) if not may_be_null(known[name])]
    assert schema.get("required", []) == required


EXAMPLES: Final = {"integer": 1, "string": "x", "boolean": True, "array": ["x"], "object": {"x": "y"}}


@pytest.mark.parametrize("name", CONTRACT)
def test_null_is_accepted_where_the_contract_has_it(name: str) -> None:
    """A client that sends null for what it does not set needs no change, although no schema declares null."""
    (tool,) = (tool for app in APPS for tool in app.tools if tool.name == name)
    expected = CONTRACT[name]["input"]
    required = {
        each: EXAMPLES[part["type"]]
        for each, part in tool.parameters["properties"].items()
        if each in tool.parameters.get("required", [])
    }
    nullable = [each for each, part in expected["properties"].items() if may_be_null(part)]
    assert tool.arguments.read(required | dict.fromkeys(nullable)) == required


async def test_every_list_parameter_has_a_limit(server: Server) -> None:
    """The schema limits the items, or the characters of text with commas."""
    lists = {
        f"{name}.{parameter}": json.dumps(part)
        for name, tool in (await listed(server)).items()
        for parameter, part in tool["inputSchema"]["properties"].items()
        if '"array"' in json.dumps(part) or parameter in {"attendees", "categories", "new_categories"}
    }
    assert len(lists) > 10
    assert not {name for name, part in lists.items() if not re.search('"max(Items|Length)"', part)}


@pytest.mark.parametrize("name", [name for name, tool in CONTRACT.items() if tool["output"]])
async def test_results_match_contract(server: Server, name: str) -> None:
    """Each field of the contract has a type that clients know, and required fields stay required."""
    schema = without_titles((await listed(server))[name]["outputSchema"])
    expected = CONTRACT[name]["output"]
    pairs = [(schema, expected), *((schema["$defs"][kind], model) for kind, model in expected.get("$defs", {}).items())]
    for ours, theirs in pairs:
        for field, known in theirs.get("properties", {}).items():
            shown = ours["properties"][field]
            assert accepted_types(shown) <= accepted_types(known), field
            assert (shown.get("items"), shown.get("$ref")) == (known.get("items"), known.get("$ref")), field
        assert set(theirs.get("required", [])) <= set(ours.get("required", []))
        assert ours.get("additionalProperties") == theirs.get("additionalProperties")


@pytest.mark.parametrize("name", CONTRACT)
def test_scopes_match_contract(name: str) -> None:
    """Realms set up for the contract's scopes still work; a few tools require one more of them."""
    assert TOOL_SCOPES[name] == {*CONTRACT[name]["scopes"], *MORE_SCOPES.get(name, ())}


@pytest.mark.parametrize("version", [LEGACY, MODERN])
async def test_every_tool_is_described(server: Server, version: str) -> None:
    """Each has a title, a description and annotations; injected services are not parameters."""
    tools = await listed(server, version=version)
    assert tools.keys() == TOOL_SCOPES.keys()
    for tool in tools.values():
        assert tool["title"]
        assert tool["description"].strip()
        assert tool["annotations"]["openWorldHint"] is False
        assert not {"nextcloud", "admission", "shared", "ctx"} & tool["inputSchema"].get("properties", {}).keys()


@pytest.mark.parametrize("version", [LEGACY, MODERN])
@pytest.mark.parametrize("scope", ["openid", "notes:read", "notes:read files:write", EVERYTHING])
async def test_list_has_callable_tools_only(server: Server, scope: str, version: str) -> None:
    """A client without step-up sees exactly the tools that its token can call."""
    allowed = {name for name, needed in TOOL_SCOPES.items() if needed <= set(scope.split())}
    assert (await listed(server, scope=scope, version=version)).keys() == allowed


@pytest.mark.parametrize(("version", "method"), [(LEGACY, "initialize"), (MODERN, "server/discover")])
async def test_capabilities_are_announced(server: Server, version: str, method: str) -> None:
    """Tools, resources, completion and prompts are announced; change notifications are not."""
    params = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "unit-test", "version": "1"}}
    response = await server.request(
        method, params if version == LEGACY else None, token=server.keycloak.mint(), version=version
    )
    assert answered(response)["result"]["capabilities"] == {
        "tools": {"listChanged": False},
        "resources": {"listChanged": False, "subscribe": False},
        "prompts": {"listChanged": False},
        "completions": {},
    }


@pytest.mark.parametrize("version", [LEGACY, MODERN])
@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("resources/subscribe", {"uri": "notes://settings"}),
        ("subscriptions/listen", {"notifications": {"toolsListChanged": True}}),
    ],
)
async def test_unannounced_methods_do_not_exist(
    server: Server, method: str, params: Mapping[str, Any], version: str
) -> None:
    """The answer is neither an internal error nor a stream that outlives its token."""
    response = await server.request(method, params, token=server.keycloak.mint(), version=version)
    assert answered(response)["error"]["code"] == METHOD_NOT_FOUND


WHOAMI_ALONE: Final = Admission(
    Feature("tool", "nc_whoami"), Principal("issuer", "alice", "client", frozenset(), "token", 0), "token"
)


@pytest.mark.parametrize("admission", [None, WHOAMI_ALONE, "nc_notes_delete_note"])
async def test_tool_requires_its_own_admission(admission: object) -> None:
    """If the SDK reads another name than `auth.admission`, or none was admitted, that tool does not run."""
    keycloak, nextcloud = FakeIssuer(), FakeNextcloud()
    app = create_server(services(nextcloud)).streamable_http_app(stateless_http=True, host="localhost")

    async def admitted(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"] = {"admission": admission} if admission else {}
        await app(scope, receive, send)

    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(admitted), base_url="http://localhost:8000") as http,
    ):
        response = await Server(http, keycloak, nextcloud).call("nc_notes_delete_note", {"note_id": 7}, token="token")
    assert refusal(response).startswith("There is no tool 'nc_notes_delete_note'")


async def test_nextcloud_error_is_a_tool_error(server: Server) -> None:
    """The tool error has the next step and comes with HTTP 200, as MCP requires."""
    server.nextcloud.on("GET", f"{NOTES}/7", answer(404))
    server.nextcloud.on("GET", NOTES, answer(404))
    assert await server.misuse("nc_notes_get_note", {"note_id": 7}) == (
        "Nextcloud did not find note 7 among what you may see: check the name, or list what is there."
    )


async def test_error_is_one_log_event_with_its_code(server: Server) -> None:
    """The event has tool, user, client and error code."""
    server.nextcloud.on("GET", f"{NOTES}/7", answer(423))
    with capture_logs() as events:
        await server.misuse("nc_notes_get_note", {"note_id": 7})
    (failed,) = [event for event in events if event["event"] == "tool.failed"]
    assert failed["code"] == "nextcloud.locked"
    assert (failed["tool"], failed["client"], failed["subject"]) == ("nc_notes_get_note", "mcp-client", "f1c9-alice")
    assert not [event for event in events if event["event"] == "tool.done"]


async def test_unexpected_exception_is_not_disclosed(server: Server) -> None:
    """Its text may contain anything, so it goes only to the log."""

    def defect(_: httpx.Request) -> httpx.Response:
        raise ZeroDivisionError("private-words")

    server.nextcloud.on("GET", f"{NOTES}/7", defect)
    sentence = await server.misuse("nc_notes_get_note", {"note_id": 7})
    assert "private-words" not in sentence
    assert "nc_notes_get_note" in sentence


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param({}, id="missing"),
        pytest.param({"note_id": "7.5"}, id="no whole number"),
        pytest.param({"note_id": None}, id="null"),
        pytest.param({"note_id": [7]}, id="a list"),
    ],
)
async def test_invalid_arguments_reach_no_nextcloud(server: Server, arguments: dict[str, Any]) -> None:
    """Arguments are validated against the schema before any request."""
    token = server.keycloak.mint(scope=EVERYTHING)
    assert "note_id" in refusal(await server.call("nc_notes_get_note", arguments, token=token))
    assert server.nextcloud.requests == []


async def test_concurrent_users_are_kept_apart(server: Server) -> None:
    """Each call uses a token exchanged from its own caller's token."""
    for name in ("alice", "bob", "alice", "bob"):
        token = server.keycloak.mint(sub=f"sub-{name}", scope="notes:read")
        issued = server.keycloak.issued(sub=f"sub-{name}")
        server.keycloak.instead["/realms/cloud/protocol/openid-connect/token"] = answer(json=issued)
        server.nextcloud.on("GET", NOTES, answer(json=[]))
        await server.call("nc_notes_search_notes", {"query": ""}, token=token)
        assert server.keycloak.exchanges()[-1]["subject_token"] == token
        assert server.nextcloud.tokens()[-1] == issued["access_token"]
