"""`auth.admission`: every tool call requires its scope and costs one token exchange, shown in raw HTTP."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import httpx
import pytest
from starlette.applications import Starlette
from starlette.types import Message, Receive, Scope, Send
from structlog.testing import capture_logs

from nextcloud_mcp.auth.admission import AdmissionControl
from nextcloud_mcp.auth.challenge import Challenge
from nextcloud_mcp.auth.verifier import Principal
from nextcloud_mcp.errors import IssuerUnavailableError
from tests.support.declared import OFFER, TOOL_SCOPES
from tests.support.issuer import ISSUER, SERVER_URL, TOKEN_PATH, Answer, FakeIssuer, answer, failing
from tests.support.nextcloud import NOTES
from tests.support.server import LEGACY, MODERN, Server, answered, challenge, meta, refusal

VERSIONS: Final = [LEGACY, MODERN]

READER: Final = "nextcloud-mcp:exchange notes:read openid"


def reader(keycloak: FakeIssuer) -> str:
    """Sign a token that may read notes and nothing else."""
    return keycloak.mint(scope=READER)


@pytest.mark.requirement("mcp-insufficient-scope", "best-scope-enforced-here")
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("tool", sorted(tool for tool, scopes in TOOL_SCOPES.items() if scopes))
async def test_tools_require_their_scope(server: Server, tool: str, version: str) -> None:
    """Every tool with a scope is refused with 403 before any exchange or request to Nextcloud."""
    response = await server.call(tool, token=server.keycloak.mint(scope="openid profile"), version=version)
    assert response.status_code == 403
    assert challenge(response)["error"] == "insufficient_scope"
    assert server.keycloak.exchanges() == []
    assert server.nextcloud.requests == []


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("permissions", [31, "31", 3.0])
async def test_writable_share_requires_write_scope(server: Server, permissions: object, version: str) -> None:
    """With the reading scope only read-only shares can be made; the challenge names the scope that is missing."""
    token = server.keycloak.mint(scope="nextcloud-mcp:exchange files:read sharing:write")
    link = {"path": "/d", "share_with": "", "share_type": 3, "permissions": permissions}
    response = await server.call("nc_share_create", link, token=token, version=version)
    assert response.status_code == 403
    assert challenge(response)["scope"] == "nextcloud-mcp:exchange files:read files:write sharing:write"
    assert server.keycloak.exchanges() == []
    assert server.nextcloud.requests == []


@pytest.mark.requirement(
    "mcp-step-up-experience", "mcp-step-up-all-at-once", "mcp-scope-consistent", "best-scope-precise-challenge"
)
@pytest.mark.parametrize("version", VERSIONS)
async def test_step_up_challenge_includes_granted_scopes(server: Server, version: str) -> None:
    """The challenge has the token's scopes of this server plus the missing one, and the metadata URL."""
    response = await server.call("nc_notes_delete_note", token=reader(server.keycloak), version=version)
    parameters = challenge(response)
    assert parameters["scope"] == "nextcloud-mcp:exchange notes:read notes:write"
    assert parameters["resource_metadata"].endswith("/.well-known/oauth-protected-resource/mcp")
    assert "nc_notes_delete_note needs the scope notes:write" in parameters["error_description"]


@pytest.mark.requirement("best-scope-elevation-logged")
async def test_refused_call_is_one_log_event(server: Server) -> None:
    """The log has client, missing scope, tool and Keycloak session."""
    with capture_logs() as events:
        await server.call("nc_notes_delete_note", token=reader(server.keycloak))
    assert [event for event in events if event["event"] == "tool.refused"] == [
        {
            "event": "tool.refused",
            "log_level": "info",
            "tool": "nc_notes_delete_note",
            "missing": ["notes:write"],
            "client": "mcp-client",
            "subject": "f1c9-alice",
            "sid": "b7aa",
        }
    ]


@pytest.mark.requirement("mcp-no-passthrough")
@pytest.mark.parametrize("version", VERSIONS)
async def test_call_is_one_exchange(server: Server, version: str) -> None:
    """Each call exchanges the caller's token once, and Nextcloud receives only the exchanged token."""
    token = server.keycloak.mint()
    issued = server.keycloak.issued()
    server.keycloak.instead[TOKEN_PATH] = answer(json=issued)
    for calls in (1, 2, 3):
        assert (await server.call("nc_whoami", token=token, version=version)).status_code == 200
        assert [form["subject_token"] for form in server.keycloak.exchanges()] == [token] * calls
    assert set(server.nextcloud.tokens()) == {issued["access_token"]}


@pytest.mark.parametrize("version", VERSIONS)
async def test_pass_through_exchanges_nothing(pass_through_server: Server, version: str) -> None:
    """In pass-through mode Nextcloud receives the caller's own token, and the token endpoint is never called."""
    token = pass_through_server.keycloak.mint()
    assert (await pass_through_server.call("nc_whoami", token=token, version=version)).status_code == 200
    assert pass_through_server.keycloak.fetches(TOKEN_PATH) == 0
    assert set(pass_through_server.nextcloud.tokens()) == {token}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("method", "params"),
    [
        pytest.param("tools/call", {"name": "nc_no_such_tool", "arguments": {}}, id="unknown tool"),
        pytest.param("ping", {}, id="ping"),
    ],
)
async def test_requests_without_tool_call_exchange_nothing(
    server: Server, method: str, params: Mapping[str, Any], version: str
) -> None:
    """Only a call of an existing tool costs a token exchange."""
    await server.request(method, params, token=server.keycloak.mint(), version=version)
    assert server.keycloak.exchanges() == []
    assert server.nextcloud.requests == []


@pytest.mark.parametrize("version", VERSIONS)
async def test_unknown_tool_is_a_tool_error(server: Server, version: str) -> None:
    """The error says that the tool does not exist and where the names are listed."""
    response = await server.call("nc_no_such_tool", token=server.keycloak.mint(), version=version)
    assert refusal(response) == "There is no tool 'nc_no_such_tool': call one that tools/list shows."


@pytest.mark.parametrize("version", VERSIONS)
async def test_inactive_token_gets_401(server: Server, version: str) -> None:
    """After sign-out or deactivation the client has to sign in again, so the answer is HTTP 401."""
    server.keycloak.instead[TOKEN_PATH] = answer(
        400, json={"error": "invalid_request", "error_description": "Invalid token"}
    )
    response = await server.call("nc_whoami", token=server.keycloak.mint(), version=version)
    assert response.status_code == 401
    assert challenge(response)["error"] == "invalid_token"
    assert server.nextcloud.requests == []


FAILED_EXCHANGES: Final[Mapping[str, tuple[Answer, str]]] = {
    "wrong secret": (answer(401, json={"error": "invalid_client"}), "set OIDC_CLIENT_SECRET to its present secret"),
    "not in the audience": (
        answer(403, json={"error": "access_denied", "error_description": "Client is not within the token audience"}),
        "Client is not within the token audience",
    ),
    "500": (answer(500), "HTTP 500"),
    "connection refused": (failing(httpx.ConnectError), "can't be reached"),
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("failure", "sentence"), FAILED_EXCHANGES.values(), ids=FAILED_EXCHANGES.keys())
async def test_failed_exchange_is_a_tool_error(server: Server, failure: Answer, sentence: str, version: str) -> None:
    """Any other failure is a tool error, and no request is sent to Nextcloud with another token."""
    server.keycloak.instead[TOKEN_PATH] = failure
    response = await server.call("nc_whoami", token=server.keycloak.mint(), version=version)
    assert sentence in refusal(response)
    assert len(server.keycloak.exchanges()) == 1
    assert server.nextcloud.requests == []


async def test_failed_exchange_is_logged_with_its_code(server: Server) -> None:
    """The log event has the error's code and the message that the caller received."""
    server.keycloak.instead[TOKEN_PATH] = answer(500)
    with capture_logs() as events:
        response = await server.call("nc_whoami", token=server.keycloak.mint())
    (failed,) = [event for event in events if event["event"] == "tool.failed"]
    assert failed["code"] == "token_exchange.failed"
    assert refusal(response).startswith(failed["cause"])


class NoIssuer:
    """Credentials that can't be had, for the issuer has never been reached."""

    async def for_nextcloud(self, principal: Principal) -> str:
        """Fail as `Issuer` does."""
        raise IssuerUnavailableError("No metadata for {subject}", "try again shortly", subject=principal.subject)


async def test_unreachable_issuer_is_503() -> None:
    """Without a token endpoint the client gets 503 with `Retry-After`, and no tool runs."""
    admission = AdmissionControl(
        Starlette(),
        offer=OFFER,
        credentials=NoIssuer(),
        challenge=Challenge(SERVER_URL, server_scope="s", tool_scopes=[], first_scopes=[]),
    )

    async def as_alice(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"] = {"principal": Principal(ISSUER, "alice", "client", frozenset(), "token", 0)}
        await admission(scope, receive, send)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(as_alice), base_url="http://localhost:8000") as http:
        response = await http.post("/mcp", json={"method": "tools/call", "params": {"name": "nc_whoami"}})
    assert response.status_code == 503
    assert "Retry-After" in response.headers


async def test_disconnect_during_upload_is_no_error() -> None:
    """A request whose body is incomplete is not run or answered, and raises nothing."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    admission = AdmissionControl(
        Starlette(),
        offer=OFFER,
        credentials=NoIssuer(),
        challenge=Challenge(SERVER_URL, server_scope="s", tool_scopes=[], first_scopes=[]),
    )
    principal = Principal(ISSUER, "alice", "client", frozenset(), "token", 0)
    scope = {"type": "http", "method": "POST", "headers": [], "state": {"principal": principal}}
    await admission(scope, receive, send)
    assert sent == []


DELETE: Final = '{"name":"nc_notes_delete_note","arguments":{"note_id":7}}'
WHOAMI: Final = '{"name":"nc_whoami","arguments":{}}'

SMUGGLED: Final[Mapping[str, str]] = {
    "as it is": '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":' + DELETE + "}",
    "a notification": '{"jsonrpc":"2.0","method":"tools/call","params":' + DELETE + "}",
    "a batch": '[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":' + DELETE + "}]",
    "a batch behind a harmless call": '[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":'
    + WHOAMI
    + '},{"jsonrpc":"2.0","id":2,"method":"tools/call","params":'
    + DELETE
    + "}]",
    "method twice, the call first": '{"jsonrpc":"2.0","id":1,"method":"tools/call","method":"ping","params":'
    + DELETE
    + "}",
    "method twice, the call last": '{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call","params":'
    + DELETE
    + "}",
    "params twice, the tool first": '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":'
    + DELETE
    + ',"params":'
    + WHOAMI
    + "}",
    "params twice, the tool last": '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":'
    + WHOAMI
    + ',"params":'
    + DELETE
    + "}",
    "name twice, the tool first": '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":'
    '{"name":"nc_notes_delete_note","name":"nc_whoami","arguments":{"note_id":7}}}',
    "name twice, the tool last": '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":'
    '{"name":"nc_whoami","name":"nc_notes_delete_note","arguments":{"note_id":7}}}',
    "name escaped": '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":'
    '{"name":"nc_notes_delete\\u005fnote","arguments":{"note_id":7}}}',
    "method escaped": '{"jsonrpc":"2.0","id":1,"method":"tools\\/call","params":' + DELETE + "}",
    "method in another case": '{"jsonrpc":"2.0","id":1,"method":"Tools/Call","params":' + DELETE + "}",
    "method with a space": '{"jsonrpc":"2.0","id":1,"method":"tools/call ","params":' + DELETE + "}",
    "name with a space": '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":'
    '{"name":"nc_notes_delete_note ","arguments":{"note_id":7}}}',
    "name in a list": '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":'
    '{"name":["nc_notes_delete_note"],"arguments":{"note_id":7}}}',
    "params a list": '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":["nc_notes_delete_note",{"note_id":7}]}',
    "params a string": '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":"nc_notes_delete_note"}',
    "params missing": '{"jsonrpc":"2.0","id":1,"method":"tools/call"}',
    "a byte order mark": "\ufeff" + '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":' + DELETE + "}",
    "two documents": '{"jsonrpc":"2.0","id":1,"method":"ping"}{"jsonrpc":"2.0","id":2,"method":"tools/call","params":'
    + DELETE
    + "}",
    "nested without end": '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":' + "[" * 100_000,
    "not JSON": "tools/call nc_notes_delete_note",
    "empty": "",
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("body", SMUGGLED.values(), ids=SMUGGLED.keys())
async def test_crafted_body_can_not_bypass_scopes(server: Server, body: str, encoding: str, version: str) -> None:
    """However this server and the SDK parse the body, the note is not deleted."""
    if version == MODERN:
        body = body.replace('"params":{', '"params":{"_meta":' + json.dumps(meta()) + ",")
    headers = {"Mcp_Method": "tools/call", "Mcp_Name": "nc_notes_delete_note"} if version == MODERN else {}
    response = await server.post(body.encode(encoding), token=reader(server.keycloak), version=version, **headers)
    assert server.nextcloud.asked("DELETE") == []
    assert response.status_code in {200, 202, 400, 403, 404}
    assert response.status_code < 300 or "error" in response.json()


NOT_JSON: Final[Mapping[str, bytes]] = {
    "half a surrogate pair": b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"\\ud800"}}',
    "half a pair as the id": b'{"jsonrpc":"2.0","id":"\\udfff","method":"ping"}',
    "half a pair in a key": b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"\\ud800":1}}',
    "half a pair in bytes": b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"\xed\xa0\x80"}}',
    "no UTF-8": b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"\xff"}}',
    "UTF-16": '{"jsonrpc":"2.0","id":1,"method":"ping"}'.encode("utf-16"),
    "no JSON": b"ping",
    "a number without end": b'{"jsonrpc":"2.0","id":' + b"9" * 5000 + b',"method":"ping"}',
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON.keys())
async def test_invalid_json_or_utf_8_is_a_parse_error(server: Server, body: bytes, version: str) -> None:
    """Every protocol version answers a JSON-RPC parse error before any exchange or call."""
    response = await server.post(body, token=reader(server.keycloak), version=version)
    assert response.status_code == 400
    assert response.json()["error"]["code"] == -32700
    assert server.keycloak.exchanges() == []


async def test_nested_json_allows_no_lone_surrogates(server: Server) -> None:
    """Text parsed as JSON where a tool expects another type follows the same rules as the body."""
    arguments = {"addressbook": "contacts", "uid": "u", "contact_data": '{"fn": "\\ud800"}'}
    token = server.keycloak.mint(scope="contacts:write")
    assert "not written as JSON" in refusal(await server.call("nc_contacts_create_contact", arguments, token=token))
    assert server.nextcloud.requests == []


@pytest.mark.parametrize("body", [SMUGGLED["name twice, the tool last"], SMUGGLED["as it is"]], ids=["twice", "once"])
async def test_crafted_body_deletes_with_scope(server: Server, body: str) -> None:
    """The bodies of the bypass test do delete the note when the token has the scope."""
    server.nextcloud.on("DELETE", f"{NOTES}/7", answer(json=[]))
    await server.post(body, token=server.keycloak.mint(scope="notes:write"))
    assert f"DELETE {NOTES}/7" in server.nextcloud.asked()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"Mcp_Method": "tools/call", "Mcp_Name": "nc_whoami"}, 400, id="another tool"),
        pytest.param({"Mcp_Method": "tools/list"}, 403, id="another method"),
        pytest.param({"Mcp_Method": "tools/call"}, 403, id="no name"),
        pytest.param({}, 403, id="none"),
    ],
)
async def test_headers_can_not_hide_the_tool_in_the_body(
    server: Server, headers: Mapping[str, str], status: int
) -> None:
    """Where headers name the tool, the body still decides, and the two must agree."""
    body = json.dumps(
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": json.loads(DELETE) | {"_meta": meta()}}
    )
    response = await server.post(body, token=reader(server.keycloak), version=MODERN, **headers)
    assert response.status_code == status
    assert server.nextcloud.requests == []


async def test_header_and_body_mismatch_is_refused(server: Server) -> None:
    """Even with the scopes of both tools, neither runs."""
    body = json.dumps(
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": json.loads(DELETE) | {"_meta": meta()}}
    )
    response = await server.post(
        body,
        token=server.keycloak.mint(scope="notes:write"),
        version=MODERN,
        Mcp_Method="tools/call",
        Mcp_Name="nc_whoami",
    )
    assert response.status_code == 400
    assert "error" in answered(response)
    assert server.nextcloud.requests == []


@pytest.mark.requirement("best-no-session-as-authentication", "best-verify-all-requests")
async def test_admission_covers_one_request(server: Server) -> None:
    """An admitted request does not affect the next one on the same or another connection."""
    server.nextcloud.on("DELETE", f"{NOTES}/7", answer(json=[]))
    arguments = {"note_id": 7}
    writer = server.keycloak.mint(scope="notes:write")
    assert (await server.call("nc_notes_delete_note", arguments, token=writer)).status_code == 200
    response = await server.call("nc_notes_delete_note", arguments, token=reader(server.keycloak))
    assert response.status_code == 403
    assert len(server.nextcloud.asked("DELETE")) == 1


async def test_missing_scope_is_refused_by_header(server: Server) -> None:
    """If headers name the tool, a missing scope is refused before the body is read."""

    async def body() -> AsyncIterator[bytes]:
        raise AssertionError("the body was read")
        yield b""

    response = await server.http.post(
        "/mcp",
        content=body(),
        headers={
            "Authorization": f"Bearer {reader(server.keycloak)}",
            "MCP-Protocol-Version": MODERN,
            "Mcp-Method": "tools/call",
            "Mcp-Name": "nc_notes_delete_note",
        },
    )
    assert response.status_code == 403


async def test_refusal_body_is_a_json_rpc_error(server: Server) -> None:
    """The body has the request's id and names the missing scope, for clients that ignore the challenge."""
    response = await server.post(SMUGGLED["as it is"].replace('"id":1', '"id":"q-7"'), token=reader(server.keycloak))
    body = response.json()
    assert (body["jsonrpc"], body["id"]) == ("2.0", "q-7")
    assert body["error"]["data"] == {"error": "insufficient_scope"}
    assert "sign in again and grant it" in body["error"]["message"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "HEAD", "OPTIONS"])
async def test_endpoint_allows_post_only(server: Server, method: str, version: str) -> None:
    """Even with a valid token every other method gets 405 at once."""
    headers = {
        "Accept": "text/event-stream",
        "Authorization": f"Bearer {server.keycloak.mint()}",
        "MCP-Protocol-Version": version,
    }
    response = await server.http.request(method, "/mcp", headers=headers)
    assert response.status_code == 405
    assert response.headers["Allow"] == "POST"
