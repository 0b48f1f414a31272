"""`boundary.resources`: reading and completing resources follows the same rules as calling tools."""

import json
import re
from typing import Any, Final

import httpx
import pytest
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs

from nextcloud_mcp.auth.admission import Admission
from nextcloud_mcp.auth.scopes import Feature
from nextcloud_mcp.auth.verifier import Principal
from nextcloud_mcp.boundary.resources import MAX_PROPOSALS
from nextcloud_mcp.catalogue import create_server
from tests.support.declared import RESOURCE_SCOPES
from tests.support.issuer import TOKEN_PATH, FakeIssuer, answer
from tests.support.nextcloud import NOTES, FakeNextcloud, note
from tests.support.server import LEGACY, MODERN, Server, answered, challenge, services

VERSIONS: Final = [LEGACY, MODERN]
NOTE: Final = "nc://Notes/{note_id}"
COMPLETE_NOTE: Final = {"ref": {"type": "ref/resource", "uri": NOTE}, "argument": {"name": "note_id", "value": ""}}


def uri_of(template: str) -> str:
    """Return a URI of a template, every variable filled in."""
    return template.replace("{", "").replace("}", "")


def error_of(response: httpx.Response) -> tuple[int, str]:
    """Return code and sentence of a JSON-RPC error."""
    error = answered(response)["error"]
    return error["code"], error["message"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("template", [template for template, scopes in RESOURCE_SCOPES.items() if scopes])
async def test_resources_require_their_scope(server: Server, template: str, version: str) -> None:
    """The answer is 403 with the scope, before any exchange or request to Nextcloud."""
    response = await server.read(uri_of(template), scope="openid", version=version)
    assert response.status_code == 403
    assert challenge(response)["error"] == "insufficient_scope"
    assert RESOURCE_SCOPES[template] <= set(challenge(response)["scope"].split())
    assert server.keycloak.exchanges() == []
    assert server.nextcloud.requests == []


@pytest.mark.parametrize("version", VERSIONS)
async def test_completion_requires_reading_scope(server: Server, version: str) -> None:
    """The proposed values are user data, so completion requires the scope for reading it."""
    token = server.keycloak.mint(scope="files:read")
    response = await server.request("completion/complete", COMPLETE_NOTE, token=token, version=version)
    assert response.status_code == 403
    assert server.nextcloud.requests == []


async def test_missing_scope_is_refused_by_header(server: Server) -> None:
    """The header has the encoded URI; if the body has another one, nothing is read."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": {"uri": "nc://Notes/7"}})
    headers = {"Mcp_Method": "resources/read", "Mcp_Name": "=?base64?bm90ZXM6Ly9zZXR0aW5ncw==?="}
    refused = await server.post("{}", token=server.keycloak.mint(scope="openid"), version=MODERN, **headers)
    other = await server.post(body, token=server.keycloak.mint(scope="notes:read"), version=MODERN, **headers)
    assert (refused.status_code, other.status_code) == (403, 400)
    assert server.nextcloud.requests == []


@pytest.mark.parametrize("version", VERSIONS)
async def test_read_is_one_exchange(server: Server, version: str) -> None:
    """Each read uses a token exchanged for it."""
    server.nextcloud.on("GET", f"{NOTES}/7", answer(json=note()))
    issued = server.keycloak.issued()
    server.keycloak.instead[TOKEN_PATH] = answer(json=issued)
    with capture_logs() as events:
        response = await server.read("nc://Notes/7", version=version)
    (content,) = answered(response)["result"]["contents"]
    assert (content["uri"], content["mimeType"]) == ("nc://Notes/7", "application/json")
    assert json.loads(content["text"])["content"] == "# Plans"
    assert len(server.keycloak.exchanges()) == 1
    assert set(server.nextcloud.tokens()) == {issued["access_token"]}
    (done,) = [event for event in events if event["event"] == "resource.done"]
    assert (done["resource"], done["client"], done["subject"]) == (NOTE, "mcp-client", "f1c9-alice")


@pytest.mark.parametrize("version", VERSIONS)
async def test_inactive_token_gets_401(server: Server, version: str) -> None:
    """As for tools, the client has to sign in again."""
    server.keycloak.instead[TOKEN_PATH] = answer(
        400, json={"error": "invalid_request", "error_description": "Invalid token"}
    )
    assert (await server.read("nc://Notes/7", version=version)).status_code == 401


@pytest.mark.parametrize(
    ("nextcloud", "keycloak", "code", "sentence"),
    [
        pytest.param(404, 200, INVALID_PARAMS, "Nextcloud did not find note 7", id="not there"),
        pytest.param(423, 200, INTERNAL_ERROR, "Note 7 is locked", id="locked"),
        pytest.param(200, 500, INTERNAL_ERROR, "Keycloak failed at the token exchange", id="no exchange"),
    ],
)
async def test_failed_read_is_reported(server: Server, nextcloud: int, keycloak: int, code: int, sentence: str) -> None:
    """The client gets the same error as from a tool; the log has one event with its code, without the URI."""
    server.nextcloud.on("GET", f"{NOTES}/7", answer(nextcloud))
    if keycloak != 200:
        server.keycloak.instead[TOKEN_PATH] = answer(keycloak)
    with capture_logs() as events:
        shown = error_of(await server.read("nc://Notes/7"))
    assert shown[0] == code
    assert shown[1].startswith(sentence)
    (failed,) = [event for event in events if event["event"] == "resource.failed"]
    told = f"{failed['cause']}: {failed['remedy']}."
    assert (failed["resource"], told) == (NOTE, re.sub("[Nn]ote 7", "…", shown[1]))


@pytest.mark.parametrize(
    ("uri", "sentence"),
    [
        pytest.param("nc://Notes/seven", "Invalid note_id 'seven': pass a whole number.", id="wrong type"),
        pytest.param("nc://Notes/7/8/9", "There is no resource nc://Notes/7/8/9", id="no such template"),
        pytest.param("file:///etc/passwd", "There is no resource file:///etc/passwd", id="a file of the server"),
    ],
)
async def test_unknown_resource_is_invalid(server: Server, uri: str, sentence: str) -> None:
    """The error says what is wrong, and no request is sent to Nextcloud."""
    code, message = error_of(await server.read(uri))
    assert code == INVALID_PARAMS
    assert message.startswith(sentence)
    assert server.nextcloud.requests == []


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("method", ["resources/read", "completion/complete"])
async def test_unexpected_exception_is_not_disclosed(server: Server, method: str, version: str) -> None:
    """The client learns only that an internal error occurred."""

    def crash(_: httpx.Request) -> httpx.Response:
        raise LookupError("a secret")

    server.nextcloud.on("GET", f"{NOTES}/7", crash)
    server.nextcloud.on("GET", NOTES, crash)
    params = {"uri": "nc://Notes/7"} if method == "resources/read" else COMPLETE_NOTE
    token = server.keycloak.mint(scope="notes:read")
    response = await server.request(method, params, token=token, version=version)
    assert error_of(response)[0] == INTERNAL_ERROR
    assert "a secret" not in response.text


@pytest.mark.parametrize(
    "admitted",
    [None, Feature("tool", "nc_notes_get_note"), Feature("resource", "notes://settings"), Feature("completion", NOTE)],
)
@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("resources/read", {"uri": "nc://Notes/{note_id}/attachments/a"}),
        (
            "completion/complete",
            {"ref": {"type": "ref/resource", "uri": "notes://settings"}, "argument": {"name": "note_id", "value": ""}},
        ),
    ],
)
async def test_admission_covers_only_its_uri_and_method(
    method: str, params: dict[str, Any], admitted: Feature | None
) -> None:
    """If the SDK reads another URI or method than `auth.admission`, or none was admitted, nothing is read."""
    keycloak, nextcloud = FakeIssuer(), FakeNextcloud()
    app = create_server(services(nextcloud)).streamable_http_app(stateless_http=True, host="localhost")
    principal = Principal("issuer", "alice", "client", frozenset(), "token", 0)

    async def with_admission(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"] = {"admission": Admission(admitted, principal, "token")} if admitted else {}
        await app(scope, receive, send)

    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(with_admission), base_url="http://localhost:8000") as http,
    ):
        response = await Server(http, keycloak, nextcloud).request(method, params, token="token")
    assert error_of(response)[0] == INVALID_PARAMS


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("scope", ["openid", "notes:read", "files:read files:write"])
async def test_lists_have_readable_resources_only(server: Server, scope: str, version: str) -> None:
    """A client without step-up sees exactly the resources that its token can read."""
    token = server.keycloak.mint(scope=scope)
    resources = answered(await server.request("resources/list", token=token, version=version))
    templates = answered(await server.request("resources/templates/list", token=token, version=version))
    listed = [resource["uri"] for resource in resources["result"]["resources"]]
    listed += [template["uriTemplate"] for template in templates["result"]["resourceTemplates"]]
    assert set(listed) == {uri for uri, needed in RESOURCE_SCOPES.items() if needed <= set(scope.split())}


async def test_completions_are_limited(server: Server) -> None:
    """MCP allows a hundred values and a flag for more."""
    server.nextcloud.on("GET", NOTES, answer(json=[note(id=number) for number in range(1, MAX_PROPOSALS + 21)]))
    token = server.keycloak.mint(scope="notes:read")
    response = await server.request("completion/complete", COMPLETE_NOTE, token=token)
    completion = answered(response)["result"]["completion"]
    assert len(completion["values"]) == MAX_PROPOSALS
    assert (completion["total"], completion["hasMore"]) == (MAX_PROPOSALS + 20, True)


async def test_variable_without_completion_is_empty(server: Server) -> None:
    """It is no error, and no request is sent to Nextcloud."""
    template = "nc://Notes/{note_id}/attachments/{attachment_filename}"
    assert await server.completions(template, "attachment_filename", "a", note_id="7") == []
    assert server.nextcloud.requests == []


@pytest.mark.parametrize(
    "ref",
    [
        pytest.param({"type": "ref/resource", "uri": "nc://Notes/7"}, id="no template"),
        pytest.param({"type": "ref/resource", "uri": "nc://New/{id}"}, id="no such template"),
    ],
)
async def test_unknown_template_is_invalid(server: Server, ref: dict[str, str]) -> None:
    """The error lists the templates that can be completed."""
    params = COMPLETE_NOTE | {"ref": ref}
    code, message = error_of(await server.request("completion/complete", params, token=server.keycloak.mint()))
    assert code == INVALID_PARAMS
    assert "resources/templates/list" in message


async def test_failed_completion_is_reported(server: Server) -> None:
    """The client gets the error's message."""
    server.nextcloud.on("GET", NOTES, answer(507))
    token = server.keycloak.mint(scope="notes:read")
    code, message = error_of(await server.request("completion/complete", COMPLETE_NOTE, token=token))
    assert code == INTERNAL_ERROR
    assert "disk is full" in message
