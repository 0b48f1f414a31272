"""`boundary.server`: what a client is shown, and the boundary around every call."""

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
from nextcloud_mcp.catalogue import create_server
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
        if name not in {"title", "description", "maxItems", "maxLength"}
    }


def in_full(parameter: dict[str, Any]) -> dict[str, Any]:
    """Write a parameter that may be null as the contract does; long schemas have a shorter form of the same."""
    if not isinstance(parameter.get("type"), list):
        return parameter
    rest = {key: value for key, value in parameter.items() if key != "type"}
    return {"anyOf": [{"type": name} for name in parameter["type"]], "default": None} | rest


def accepted_types(schema: Mapping[str, Any]) -> set[str]:
    """Return the JSON types that a property may have."""
    return {str(option["type"]) for option in schema.get("anyOf", [schema]) if "type" in option}


def test_everything_of_the_contract_is_there() -> None:
    """All 90 tools, 4 resources and 10 resource templates that clients of the seed project know."""
    assert (len(CONTRACT), len(RESOURCES)) == (90, 14)
    assert CONTRACT.keys() - TOOL_SCOPES.keys() == set()
    assert RESOURCES - RESOURCE_SCOPES.keys() == set()


@pytest.mark.parametrize("name", CONTRACT)
async def test_a_tool_takes_what_it_always_took(server: Server, name: str) -> None:
    """Each parameter of the contract is there with its type and default; nothing more is required."""
    schema = without_titles((await listed(server))[name]["inputSchema"])
    expected = CONTRACT[name]["input"]
    assert {name: in_full(schema["properties"][name]) for name in expected["properties"]} == expected["properties"]
    assert schema.get("required", []) == expected.get("required", [])


async def test_every_list_has_a_limit(server: Server) -> None:
    """In its schema, where a client sees it: of items, or of characters where it is written with commas between."""
    lists = {
        f"{name}.{parameter}": json.dumps(part)
        for name, tool in (await listed(server)).items()
        for parameter, part in tool["inputSchema"]["properties"].items()
        if '"array"' in json.dumps(part) or parameter in {"attendees", "categories", "new_categories"}
    }
    assert len(lists) > 10
    assert not {name for name, part in lists.items() if not re.search('"max(Items|Length)"', part)}


@pytest.mark.parametrize("name", [name for name, tool in CONTRACT.items() if tool["output"]])
async def test_a_result_has_what_it_always_had(server: Server, name: str) -> None:
    """Each field of the contract is there, its type is one that clients know, and those that were sure still are."""
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
def test_a_tool_needs_the_scopes_it_always_needed(name: str) -> None:
    """A realm that was set up for the contract's scopes goes on working; a few tools need one of the others besides."""
    assert TOOL_SCOPES[name] == {*CONTRACT[name]["scopes"], *MORE_SCOPES.get(name, ())}


@pytest.mark.parametrize("version", [LEGACY, MODERN])
async def test_every_tool_says_what_it_is(server: Server, version: str) -> None:
    """Each has a title, a description, and annotations; what the server lends a tool is no parameter."""
    tools = await listed(server, version=version)
    assert tools.keys() == TOOL_SCOPES.keys()
    for tool in tools.values():
        assert tool["title"]
        assert tool["description"].strip()
        assert tool["annotations"]["openWorldHint"] is False
        assert not {"nextcloud", "admission", "shared", "ctx"} & tool["inputSchema"].get("properties", {}).keys()


@pytest.mark.parametrize("version", [LEGACY, MODERN])
@pytest.mark.parametrize("scope", ["openid", "notes:read", "notes:read files:write", EVERYTHING])
async def test_the_list_is_what_the_token_allows(server: Server, scope: str, version: str) -> None:
    """A client that can't step up is shown exactly the tools that it can call."""
    allowed = {name for name, needed in TOOL_SCOPES.items() if needed <= set(scope.split())}
    assert (await listed(server, scope=scope, version=version)).keys() == allowed


@pytest.mark.parametrize(("version", "method"), [(LEGACY, "initialize"), (MODERN, "server/discover")])
async def test_what_is_there_is_announced(server: Server, version: str, method: str) -> None:
    """Tools, resources with completion, and prompts; no client waits for changes that never come."""
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
async def test_what_is_not_announced_is_not_served(
    server: Server, method: str, params: Mapping[str, Any], version: str
) -> None:
    """There is no such method: neither an internal error, nor a stream that outlives its token."""
    response = await server.request(method, params, token=server.keycloak.mint(), version=version)
    assert answered(response)["error"]["code"] == METHOD_NOT_FOUND


WHOAMI_ALONE: Final = Admission(
    Feature("tool", "nc_whoami"), Principal("issuer", "alice", "client", frozenset(), "token", 0), "token"
)


@pytest.mark.parametrize("admission", [None, WHOAMI_ALONE, "nc_notes_delete_note"])
async def test_without_an_admission_for_it_no_tool_runs(admission: object) -> None:
    """Should the SDK ever read another name in a body than `auth.admission` did, or none have, that tool does not run.

    Whoever reaches a tool by any other way is told that there is none.
    """
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


async def test_an_error_of_nextcloud_is_a_sentence_for_the_caller(server: Server) -> None:
    """What Nextcloud answered becomes a tool error with the next step, in HTTP 200 as MCP has it."""
    server.nextcloud.on("GET", f"{NOTES}/7", answer(404))
    server.nextcloud.on("GET", NOTES, answer(404))
    assert await server.misuse("nc_notes_get_note", {"note_id": 7}) == (
        "Nextcloud did not find note 7 among what you may see: check the name, or list what is there."
    )


async def test_an_error_is_one_event_with_its_code(server: Server) -> None:
    """The log has the tool, the person, the client and the error's code."""
    server.nextcloud.on("GET", f"{NOTES}/7", answer(423))
    with capture_logs() as events:
        await server.misuse("nc_notes_get_note", {"note_id": 7})
    (failed,) = [event for event in events if event["event"] == "tool.failed"]
    assert failed["code"] == "nextcloud.locked"
    assert (failed["tool"], failed["client"], failed["subject"]) == ("nc_notes_get_note", "mcp-client", "f1c9-alice")
    assert not [event for event in events if event["event"] == "tool.done"]


async def test_a_defect_tells_the_caller_nothing(server: Server) -> None:
    """What nobody foresaw is for the log: its text may hold anything, so none of it reaches the caller."""

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
async def test_wrong_arguments_reach_no_nextcloud(server: Server, arguments: dict[str, Any]) -> None:
    """Arguments are checked against the schema before anything is asked."""
    token = server.keycloak.mint(scope=EVERYTHING)
    assert "note_id" in refusal(await server.call("nc_notes_get_note", arguments, token=token))
    assert server.nextcloud.requests == []


async def test_two_people_at_once_are_not_mixed_up(server: Server) -> None:
    """Each call goes on with a token exchanged from its own caller's."""
    for name in ("alice", "bob", "alice", "bob"):
        token = server.keycloak.mint(sub=f"sub-{name}", scope="notes:read")
        issued = server.keycloak.issued(sub=f"sub-{name}")
        server.keycloak.instead["/realms/cloud/protocol/openid-connect/token"] = answer(json=issued)
        server.nextcloud.on("GET", NOTES, answer(json=[]))
        await server.call("nc_notes_search_notes", {"query": ""}, token=token)
        assert server.keycloak.exchanges()[-1]["subject_token"] == token
        assert server.nextcloud.tokens()[-1] == issued["access_token"]
