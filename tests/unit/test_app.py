"""`app`: the assembled application, as seen over HTTP."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Final

import httpx
import pytest
from structlog.testing import capture_logs

from nextcloud_mcp.app import create_app
from nextcloud_mcp.errors import SettingsError
from nextcloud_mcp.settings import load_settings
from tests.support.declared import TOOL_SCOPES
from tests.support.issuer import SERVER_URL, answer
from tests.support.mcp_http import HEADERS
from tests.support.nextcloud import NOTES
from tests.support.server import EVERYTHING, LEGACY, MODERN, PASS_THROUGH, Server, answered, challenge, serving

LIST_TOOLS = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}'
ORIGIN = "http://localhost:6274"


@pytest.mark.parametrize("version", [LEGACY, MODERN])
@pytest.mark.parametrize(
    "host", ["attacker.test", "localhost:8001", "localhost", "127.0.0.1:8000", "attacker.test:8000"]
)
async def test_answers_only_to_public_host(server: Server, host: str, version: str) -> None:
    """A request for another host is refused even with a valid token, which prevents DNS rebinding."""
    response = await server.call("nc_whoami", token=server.keycloak.mint(), version=version)
    assert response.status_code == 200
    response = await server.post(
        '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"nc_whoami"}}',
        token=server.keycloak.mint(),
        version=version,
        Host=host,
    )
    assert response.status_code == 421
    assert len(server.keycloak.exchanges()) == 1


@pytest.mark.parametrize(
    ("url", "host"),
    [
        pytest.param("https://mcp.example.org/mcp", "MCP.example.org", id="another case"),
        pytest.param("https://mcp.example.org:443/mcp", "mcp.example.org", id="default port of https"),
        pytest.param("http://mcp.example.org:80/mcp", "mcp.example.org:80", id="default port of http, written"),
        pytest.param("http://[::1]:8000/mcp", "[::1]:8000", id="IPv6"),
    ],
)
async def test_host_is_normalized(url: str, host: str) -> None:
    """Host names are case-insensitive, and clients omit the default port (RFC 9110 section 7.2)."""
    async with serving({**PASS_THROUGH, "NEXTCLOUD_MCP_SERVER_URL": url}) as server:
        token = server.keycloak.mint(aud=[url, "nextcloud"])
        assert (await server.post(LIST_TOOLS, token=token, Host=host)).status_code == 200


@pytest.mark.parametrize("path", ["/health/live", "/.well-known/oauth-protected-resource/mcp"])
async def test_public_endpoints_answer_to_any_host(server: Server, path: str) -> None:
    """Orchestrators request the health endpoints by IP address."""
    assert (await server.http.get(path, headers={"Host": "10.0.0.7:8000"})).status_code == 200


WELCOME: Final[Mapping[str, str]] = {
    "the Inspector's": ORIGIN,
    "loopback by address": "http://127.0.0.1:8080",
    "loopback by IPv6 address": "http://[::1]:8080",
    "the server's own": "https://mcp.example.org",
    "one that is allowed": "https://chat.example.org",
}

UNWELCOME: Final[Mapping[str, str]] = {
    "elsewhere": "https://attacker.example",
    "one like loopback": "http://localhost.attacker.example",
    "another port of what is allowed": "https://chat.example.org:8443",
    "another scheme of what is allowed": "http://chat.example.org",
    "null": "null",
    "empty": "",
    "no URL": "http://[",
}


async def listed_by_a_page_of(origin: str) -> httpx.Response:
    """List the tools of a server that is far from loopback, as a page of some origin with a good token would."""
    url = "https://mcp.example.org/mcp"
    settings = {"NEXTCLOUD_MCP_SERVER_URL": url, "MCP_ALLOWED_ORIGINS": "https://chat.example.org"}
    async with serving({**PASS_THROUGH, **settings}) as server:
        token = server.keycloak.mint(aud=[url, "nextcloud"])
        return await server.post(LIST_TOOLS, token=token, Host="mcp.example.org", Origin=origin)


@pytest.mark.requirement("transport-origin")
@pytest.mark.parametrize("origin", WELCOME.values(), ids=WELCOME.keys())
async def test_allowed_origins_may_call(origin: str) -> None:
    """Loopback origins, the server's own origin and the configured ones may call and read the response."""
    response = await listed_by_a_page_of(origin)
    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.requirement("transport-origin")
@pytest.mark.parametrize("origin", UNWELCOME.values(), ids=UNWELCOME.keys())
async def test_other_origins_are_refused(origin: str) -> None:
    """A page of any other origin gets 403, whatever token it has."""
    response = await listed_by_a_page_of(origin)
    assert response.status_code == 403


@pytest.mark.parametrize("path", ["/mcp", "/.well-known/oauth-protected-resource/mcp"])
async def test_preflight_allows_mcp_methods_and_headers(server: Server, path: str) -> None:
    """A preflight, which never has a token, allows MCP's methods and headers for any origin."""
    response = await server.http.options(
        path,
        headers={
            "Origin": ORIGIN,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type,mcp-protocol-version,mcp-method,mcp-name",
        },
    )
    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert {"GET", "POST", "DELETE"} <= set(response.headers["Access-Control-Allow-Methods"].split(", "))
    allowed = response.headers["Access-Control-Allow-Headers"].lower()
    assert all(name in allowed for name in ("authorization", "mcp-protocol-version", "mcp-method", "mcp-name"))
    assert "Access-Control-Allow-Credentials" not in response.headers


async def test_challenge_is_exposed_to_browsers(server: Server) -> None:
    """`WWW-Authenticate` is exposed, also on a 401: otherwise a client in a page could not sign in."""
    response = await server.http.post("/mcp", headers={"Origin": ORIGIN})
    assert response.status_code == 401
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert "WWW-Authenticate" in response.headers["Access-Control-Expose-Headers"].split(", ")


@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "not announced"])
async def test_body_size_is_limited(server: Server, *, chunked: bool) -> None:
    """More than 4 MiB is refused with 413, with or without Content-Length."""
    content = b" " * (4 * 1024 * 1024 + 1)

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(content), 65536):
            yield content[start : start + 65536]

    response = await server.http.post(
        "/mcp",
        content=chunks() if chunked else content,
        headers={"Authorization": f"Bearer {server.keycloak.mint()}"},
    )
    assert response.status_code == 413


async def test_large_body_without_token_gets_401(server: Server) -> None:
    """Without a token the response does not reveal the limits."""
    response = await server.http.post("/mcp", content=b" " * (4 * 1024 * 1024 + 1))
    assert response.status_code == 401


async def test_trailing_slash_is_served_without_redirect(server: Server) -> None:
    """`/mcp/` is the same endpoint, with the same challenge and responses."""
    refused = [await server.http.post(path, content=LIST_TOOLS) for path in ("/mcp", "/mcp/")]
    authorized = {**HEADERS, "Authorization": f"Bearer {server.keycloak.mint()}"}
    served = [await server.http.post(path, content=LIST_TOOLS, headers=authorized) for path in ("/mcp", "/mcp/")]
    metadata = [
        await server.http.get(f"/.well-known/oauth-protected-resource/mcp{slash}", follow_redirects=False)
        for slash in ("", "/")
    ]

    assert [response.status_code for response in (*refused, *served, *metadata)] == [401, 401, 200, 200, 200, 200]
    assert refused[0].headers["WWW-Authenticate"] == refused[1].headers["WWW-Authenticate"]
    assert served[0].text == served[1].text
    assert metadata[0].json() == metadata[1].json()


@pytest.mark.parametrize("path", ["/", "/mcp//", "/mcp/x", "/docs", "/sse"])
async def test_undocumented_paths_do_not_exist(server: Server, path: str) -> None:
    """They get 404 even with a token."""
    response = await server.http.post(
        path, content=LIST_TOOLS, headers={"Authorization": f"Bearer {server.keycloak.mint()}"}
    )
    assert response.status_code == 404


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        pytest.param("https://mcp.example.org", "/", id="root"),
        pytest.param("https://mcp.example.org/cloud/mcp", "/cloud/mcp", id="two levels"),
        pytest.param("https://mcp.example.org/mcp/", "/mcp", id="trailing slash"),
    ],
)
async def test_public_url_sets_path_and_host(url: str, endpoint: str) -> None:
    """The path of the public URL is the endpoint's, and its host the only accepted one."""
    async with serving({**PASS_THROUGH, "NEXTCLOUD_MCP_SERVER_URL": url}) as server:
        token = server.keycloak.mint(aud=[url.rstrip("/"), "nextcloud"])
        response = await server.http.post(
            endpoint,
            content=LIST_TOOLS,
            headers={
                "Host": "mcp.example.org",
                "Authorization": f"Bearer {token}",
                "Accept": "application/json, text/event-stream",
                "Content-Type": "application/json",
            },
        )
        assert response.status_code == 200


async def test_client_id_is_accepted_as_audience() -> None:
    """`aud` may have the configured client id in place of the URL."""
    async with serving({**PASS_THROUGH, "OIDC_CLIENT_ID": "mcp-server"}) as server:
        for audience, status in {"mcp-server": 200, SERVER_URL: 200, "mcp": 401}.items():
            response = await server.post(LIST_TOOLS, token=server.keycloak.mint(aud=[audience, "nextcloud"]))
            assert response.status_code == status, audience


def test_unknown_initial_scope_stops_the_start() -> None:
    """A misspelled scope would make every sign-in at Keycloak fail, so the start reports it."""
    settings = load_settings({**PASS_THROUGH, "MCP_FIRST_SCOPES": "notes:read note:write"})
    with pytest.raises(SettingsError, match="MCP_FIRST_SCOPES: no tool needs note:write; there are "):
        create_app(settings)


async def tools_of(server: Server) -> set[str]:
    """Return the tools that a client with every scope is shown."""
    response = await server.request("tools/list", token=server.keycloak.mint(scope=EVERYTHING))
    return {tool["name"] for tool in answered(response)["result"]["tools"]}


async def test_read_only_server_has_no_writing_tools() -> None:
    """No writing tool is listed, served or requested as scope, whatever the token allows."""
    async with serving({**PASS_THROUGH, "MCP_READ_ONLY": "true"}) as server:
        asked_for = challenge(await server.http.post("/mcp"))
        metadata = (await server.http.get("/.well-known/oauth-protected-resource/mcp")).json()
        writing = await server.misuse("nc_notes_delete_note", {"note_id": 7})
        tools = await tools_of(server)
    own, *scopes = asked_for["scope"].split()
    assert [own, *scopes] == metadata["scopes_supported"]
    assert own == "nextcloud-mcp:pass-through"
    assert {scope.partition(":")[2] for scope in scopes} == {"read"}
    assert tools == {name for name, needed in TOOL_SCOPES.items() if needed <= set(scopes)}
    assert writing == "There is no tool 'nc_notes_delete_note': call one that tools/list shows."
    assert server.nextcloud.asked() == []


async def test_server_can_be_limited_to_apps() -> None:
    """Nothing of other apps is listed, served or requested as scope."""
    async with serving({**PASS_THROUGH, "MCP_APPS": "notes"}) as server:
        asked_for = challenge(await server.http.post("/mcp"))
        other = await server.misuse("nc_webdav_list_directory", {})
        tools = await tools_of(server)
    assert asked_for["scope"] == "nextcloud-mcp:pass-through notes:read notes:write"
    assert {tool.split("_")[1] for tool in tools} == {"whoami", "notes"}
    assert other.startswith("There is no tool 'nc_webdav_list_directory'")
    assert server.nextcloud.asked() == []


@pytest.mark.parametrize("version", [LEGACY, MODERN])
async def test_output_schemas_can_be_left_out(version: str) -> None:
    """The list is less than half as long; results have the same structured content and text as with schemas."""
    note = {"id": 7, "title": "Plan", "category": "", "etag": "e", "modified": 1}
    lists, results = {}, {}
    for value in ("full", "none"):
        async with serving({**PASS_THROUGH, "MCP_OUTPUT_SCHEMAS": value}) as server:
            token = server.keycloak.mint(scope=EVERYTHING)
            server.nextcloud.on("GET", NOTES, answer(json=[note]))
            lists[value] = answered(await server.request("tools/list", token=token, version=version))["result"]["tools"]
            found = await server.call("nc_notes_search_notes", {"query": ""}, token=token, version=version)
            results[value] = answered(found)["result"]
    assert all(tool["outputSchema"]["type"] == "object" for tool in lists["full"])
    assert lists["none"] == [{key: tool[key] for key in tool if key != "outputSchema"} for tool in lists["full"]]
    assert len(json.dumps(lists["none"])) < len(json.dumps(lists["full"])) / 2
    for result in results.values():
        assert json.loads(result["content"][0]["text"]) == result["structuredContent"]
        result["structuredContent"].pop("timestamp")
    assert results["none"]["structuredContent"] == results["full"]["structuredContent"]
    assert results["full"]["structuredContent"]["results"]


def test_unknown_app_stops_the_start() -> None:
    """A misspelled app would otherwise be missing silently."""
    settings = load_settings({**PASS_THROUGH, "MCP_APPS": "notes file"})
    with pytest.raises(SettingsError, match="MCP_APPS: there is no app file; there are "):
        create_app(settings)


@pytest.mark.parametrize(
    ("settings", "needed"),
    [
        pytest.param(
            {"MCP_APPS": "files todo"}, "todo is left, for its tools need calendar:read, todo:", id="another app"
        ),
        pytest.param(
            {"MCP_APPS": "files sharing", "MCP_READ_ONLY": "true"},
            "sharing is left, for its tools need files:read, sharing:write",
            id="writing",
        ),
    ],
)
def test_app_without_remaining_tools_stops_the_start(settings: Mapping[str, str], needed: str) -> None:
    """If none of a configured app's tools can be offered, the error says why."""
    with pytest.raises(SettingsError, match=f"MCP_APPS: nothing of {needed}"):
        create_app(load_settings({**PASS_THROUGH, **settings}))


async def test_server_is_stateless(server: Server) -> None:
    """It assigns no session id, and a call requires no `initialize`."""
    response = await server.call("nc_whoami", token=server.keycloak.mint())
    assert response.status_code == 200
    assert "Mcp-Session-Id" not in response.headers


async def test_each_response_has_a_request_id(server: Server) -> None:
    """This includes refusals and health checks."""
    paths = ["/mcp", "/mcp", "/health/live", "/nowhere"]
    ids = [(await server.http.get(path)).headers["X-Request-Id"] for path in paths]
    assert len(set(ids)) == len(paths)


async def test_callers_request_id_is_not_returned(server: Server) -> None:
    """The caller's id neither replaces the server's nor appears in the response."""
    response = await server.http.get("/health/live", headers={"X-Request-Id": "mine"})
    assert response.headers.get_list("X-Request-Id") != ["mine"]
    assert len(response.headers.get_list("X-Request-Id")) == 1


async def test_start_sends_no_request(server: Server) -> None:
    """The server starts without Keycloak and Nextcloud, which may start later."""
    assert server.keycloak.requests == []
    assert server.nextcloud.requests == []
    assert (await server.http.get("/health/live")).status_code == 200


async def test_log_has_no_token_and_no_content(server: Server) -> None:
    """A whole call logs events without token or content, and one that says what was done."""
    server.nextcloud.on(
        "GET",
        "/index.php/apps/notes/api/v1/notes/7",
        lambda _: httpx.Response(
            200, json={"id": 7, "title": "private-title", "content": "private-text", "modified": 1, "etag": "e"}
        ),
    )
    token = server.keycloak.mint()
    with capture_logs() as events:
        await server.call("nc_notes_get_note", {"note_id": 7}, token=token)
    (done,) = [event for event in events if event["event"] == "tool.done"]
    assert (done["tool"], done["client"], done["subject"]) == ("nc_notes_get_note", "mcp-client", "f1c9-alice")
    told = str(events)
    exchanged = server.nextcloud.tokens()[0]
    parts = [*token.split("."), *exchanged.split(".")]
    assert not any(secret in told for secret in ("private-", "s3cret", *(part for part in parts if len(part) > 40)))


@pytest.mark.requirement("rfc6750-no-cookies")
async def test_no_response_sets_a_cookie(server: Server) -> None:
    """There is no session that a page could abuse, with or without a token."""
    answers = [
        await server.call("nc_whoami", token=server.keycloak.mint()),
        await server.call("nc_whoami", token=None),
        await server.http.get("/.well-known/oauth-protected-resource/mcp"),
        await server.http.get("/health/ready"),
    ]
    assert [answer.status_code for answer in answers] == [200, 401, 200, 200]
    assert not any("set-cookie" in answer.headers for answer in answers)
