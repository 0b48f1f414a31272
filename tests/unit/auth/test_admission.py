"""`auth.admission`: no tool without its scope, and one exchange a call: end to end, in raw HTTP."""

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
async def test_no_tool_runs_without_its_scope(server: Server, tool: str, version: str) -> None:
    """Every tool that needs a scope is refused with 403 before anything is exchanged or asked of Nextcloud."""
    response = await server.call(tool, token=server.keycloak.mint(scope="openid profile"), version=version)
    assert response.status_code == 403
    assert challenge(response)["error"] == "insufficient_scope"
    assert server.keycloak.exchanges() == []
    assert server.nextcloud.requests == []


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("permissions", [31, "31", 3.0])
async def test_a_share_for_writing_is_refused_without_the_scope_to_write(
    server: Server, permissions: object, version: str
) -> None:
    """A token that may read files shares them for reading alone; the challenge names what more needs."""
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
async def test_a_step_up_keeps_what_is_there(server: Server, version: str) -> None:
    """The challenge asks for what the token holds of this server's scopes besides what it lacks, and says where."""
    response = await server.call("nc_notes_delete_note", token=reader(server.keycloak), version=version)
    parameters = challenge(response)
    assert parameters["scope"] == "nextcloud-mcp:exchange notes:read notes:write"
    assert parameters["resource_metadata"].endswith("/.well-known/oauth-protected-resource/mcp")
    assert "nc_notes_delete_note needs the scope notes:write" in parameters["error_description"]


@pytest.mark.requirement("best-scope-elevation-logged")
async def test_a_refused_tool_is_one_event(server: Server) -> None:
    """The log says which client lacked what for which tool, and whose session at Keycloak it was."""
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
async def test_a_call_is_one_exchange(server: Server, version: str) -> None:
    """Each tool call exchanges the caller's token once, and Nextcloud sees the exchanged one alone."""
    token = server.keycloak.mint()
    issued = server.keycloak.issued()
    server.keycloak.instead[TOKEN_PATH] = answer(json=issued)
    for calls in (1, 2, 3):
        assert (await server.call("nc_whoami", token=token, version=version)).status_code == 200
        assert [form["subject_token"] for form in server.keycloak.exchanges()] == [token] * calls
    assert set(server.nextcloud.tokens()) == {issued["access_token"]}


@pytest.mark.parametrize("version", VERSIONS)
async def test_pass_through_exchanges_nothing(pass_through_server: Server, version: str) -> None:
    """In pass-through mode Nextcloud sees the caller's own token, and the token endpoint is never asked."""
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
async def test_what_reaches_no_nextcloud_exchanges_nothing(
    server: Server, method: str, params: Mapping[str, Any], version: str
) -> None:
    """Only a call of one of this server's tools costs Keycloak an exchange."""
    await server.request(method, params, token=server.keycloak.mint(), version=version)
    assert server.keycloak.exchanges() == []
    assert server.nextcloud.requests == []


@pytest.mark.parametrize("version", VERSIONS)
async def test_an_unknown_tool_is_a_tool_error(server: Server, version: str) -> None:
    """A tool that is not there says so, and where the names are."""
    response = await server.call("nc_no_such_tool", token=server.keycloak.mint(), version=version)
    assert refusal(response) == "There is no tool 'nc_no_such_tool': call one that tools/list shows."


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_token_that_keycloak_no_longer_honours_gets_401(server: Server, version: str) -> None:
    """Signed out or disabled: the client is to sign in again by itself, so the answer is HTTP 401."""
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
async def test_a_failed_exchange_is_a_tool_error(server: Server, failure: Answer, sentence: str, version: str) -> None:
    """Any other failure is told as MCP clients show it, and nothing goes on to Nextcloud in its place."""
    server.keycloak.instead[TOKEN_PATH] = failure
    response = await server.call("nc_whoami", token=server.keycloak.mint(), version=version)
    assert sentence in refusal(response)
    assert len(server.keycloak.exchanges()) == 1
    assert server.nextcloud.requests == []


async def test_a_failed_exchange_is_logged_with_its_code(server: Server) -> None:
    """The event of the failed call has the error's code and the sentence that the caller got."""
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


async def test_credentials_without_an_issuer_are_an_outage() -> None:
    """When there is no issuer to exchange at, the client gets 503 with `Retry-After`, and nothing runs."""
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


async def test_a_client_that_leaves_while_it_sends_is_nobodys_error() -> None:
    """Nothing is run, answered or raised for a request whose body never came whole."""
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
async def test_no_body_smuggles_a_tool_past_its_scope(server: Server, body: str, encoding: str, version: str) -> None:
    """However a body is written, and however this server and the SDK read it, the note stays."""
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
async def test_what_is_no_json_in_utf_8_is_refused_at_once(server: Server, body: bytes, version: str) -> None:
    """In every era of the protocol it is a parse error of JSON-RPC, before anything is exchanged or run."""
    response = await server.post(body, token=reader(server.keycloak), version=version)
    assert response.status_code == 400
    assert response.json()["error"]["code"] == -32700
    assert server.keycloak.exchanges() == []


async def test_json_in_a_text_is_held_to_the_same(server: Server) -> None:
    """A text is read as JSON where a tool expects something else: half a surrogate pair has no place there either."""
    arguments = {"addressbook": "contacts", "uid": "u", "contact_data": '{"fn": "\\ud800"}'}
    token = server.keycloak.mint(scope="contacts:write")
    assert "not written as JSON" in refusal(await server.call("nc_contacts_create_contact", arguments, token=token))
    assert server.nextcloud.requests == []


@pytest.mark.parametrize("body", [SMUGGLED["name twice, the tool last"], SMUGGLED["as it is"]], ids=["twice", "once"])
async def test_with_the_scope_the_same_body_deletes(server: Server, body: str) -> None:
    """The bodies that must not get through without the scope are such as do something with it."""
    server.nextcloud.on("DELETE", f"{NOTES}/7", answer(json=[]))
    await server.post(body, token=server.keycloak.mint(scope="notes:write"))
    assert server.nextcloud.asked() == [f"DELETE {NOTES}/7"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"Mcp_Method": "tools/call", "Mcp_Name": "nc_whoami"}, 400, id="another tool"),
        pytest.param({"Mcp_Method": "tools/list"}, 403, id="another method"),
        pytest.param({"Mcp_Method": "tools/call"}, 403, id="no name"),
        pytest.param({}, 403, id="none"),
    ],
)
async def test_headers_cannot_hide_the_tool_in_the_body(
    server: Server, headers: Mapping[str, str], status: int
) -> None:
    """In the protocol that names the tool in headers, the body decides all the same, and may not contradict them."""
    body = json.dumps(
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": json.loads(DELETE) | {"_meta": meta()}}
    )
    response = await server.post(body, token=reader(server.keycloak), version=MODERN, **headers)
    assert response.status_code == status
    assert server.nextcloud.requests == []


async def test_a_header_that_names_another_tool_is_refused(server: Server) -> None:
    """With the scope for both, a request whose header and body disagree still runs neither."""
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
async def test_an_admission_is_for_one_request(server: Server) -> None:
    """Having been admitted once opens nothing for the next request, on the same connection or another."""
    server.nextcloud.on("DELETE", f"{NOTES}/7", answer(json=[]))
    arguments = {"note_id": 7}
    writer = server.keycloak.mint(scope="notes:write")
    assert (await server.call("nc_notes_delete_note", arguments, token=writer)).status_code == 200
    response = await server.call("nc_notes_delete_note", arguments, token=reader(server.keycloak))
    assert response.status_code == 403
    assert len(server.nextcloud.asked("DELETE")) == 1


async def test_headers_are_enough_to_refuse(server: Server) -> None:
    """Where headers name the tool, a missing scope is refused before the body is read."""

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


async def test_a_refusal_is_readable_for_clients_that_do_not_step_up(server: Server) -> None:
    """The body is the JSON-RPC error of this very request, and says in words what is missing."""
    response = await server.post(SMUGGLED["as it is"].replace('"id":1', '"id":"q-7"'), token=reader(server.keycloak))
    body = response.json()
    assert (body["jsonrpc"], body["id"]) == ("2.0", "q-7")
    assert body["error"]["data"] == {"error": "insufficient_scope"}
    assert "sign in again and grant it" in body["error"]["message"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
async def test_there_is_no_stream_and_no_session(server: Server, method: str, version: str) -> None:
    """With a good token, too, the endpoint takes POST alone, and says so at once."""
    headers = {
        "Accept": "text/event-stream",
        "Authorization": f"Bearer {server.keycloak.mint()}",
        "MCP-Protocol-Version": version,
    }
    response = await server.http.request(method, "/mcp", headers=headers)
    assert response.status_code == 405
    assert response.headers["Allow"] == "POST"
