"""`app`: the parts together, as HTTP shows them."""

from collections.abc import AsyncIterator, Mapping
from typing import Final

import httpx
import pytest
from structlog.testing import capture_logs

from nextcloud_mcp.app import create_app
from nextcloud_mcp.errors import SettingsError
from nextcloud_mcp.settings import load_settings
from tests.support.declared import TOOL_SCOPES
from tests.support.issuer import SERVER_URL
from tests.support.mcp_http import HEADERS
from tests.support.server import EVERYTHING, LEGACY, MODERN, PASS_THROUGH, Server, answered, challenge, serving

LIST_TOOLS = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}'
ORIGIN = "http://localhost:6274"


@pytest.mark.parametrize("version", [LEGACY, MODERN])
@pytest.mark.parametrize(
    "host", ["attacker.test", "localhost:8001", "localhost", "127.0.0.1:8000", "attacker.test:8000"]
)
async def test_answers_to_its_public_name_alone(server: Server, host: str, version: str) -> None:
    """A request for another host is refused even with a good token: no other name can be pointed here."""
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
async def test_its_name_may_be_written_as_clients_do(url: str, host: str) -> None:
    """Case does not matter in a host name, and clients leave a default port out (RFC 9110 section 7.2)."""
    async with serving({**PASS_THROUGH, "NEXTCLOUD_MCP_SERVER_URL": url}) as server:
        token = server.keycloak.mint(aud=[url, "nextcloud"])
        assert (await server.post(LIST_TOOLS, token=token, Host=host)).status_code == 200


@pytest.mark.parametrize("path", ["/health/live", "/.well-known/oauth-protected-resource/mcp"])
async def test_what_needs_no_token_answers_to_any_name(server: Server, path: str) -> None:
    """Orchestrators ask for health by address."""
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
async def test_a_page_of_a_welcome_origin_may_call(origin: str) -> None:
    """Pages on loopback, of the server's own origin and of those that are set may call, and read the answer."""
    response = await listed_by_a_page_of(origin)
    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.requirement("transport-origin")
@pytest.mark.parametrize("origin", UNWELCOME.values(), ids=UNWELCOME.keys())
async def test_a_page_of_another_origin_may_not(origin: str) -> None:
    """A page of any other origin is refused with 403, whatever token it has."""
    response = await listed_by_a_page_of(origin)
    assert response.status_code == 403


@pytest.mark.parametrize("path", ["/mcp", "/.well-known/oauth-protected-resource/mcp"])
async def test_a_browser_may_ask_with_what_it_needs(server: Server, path: str) -> None:
    """A preflight, which never carries a token, admits the methods and headers of MCP in any origin."""
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


async def test_a_browser_can_read_the_challenge(server: Server) -> None:
    """`WWW-Authenticate` is exposed to the page, also on a 401: else a client there could not sign in."""
    response = await server.http.post("/mcp", headers={"Origin": ORIGIN})
    assert response.status_code == 401
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert "WWW-Authenticate" in response.headers["Access-Control-Expose-Headers"].split(", ")


@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "not announced"])
async def test_a_body_has_a_limit(server: Server, *, chunked: bool) -> None:
    """More than 4 MiB is refused with 413, whether the length was announced or not."""
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


async def test_without_a_token_a_large_body_is_just_unauthorized(server: Server) -> None:
    """Who has no token learns nothing of limits."""
    response = await server.http.post("/mcp", content=b" " * (4 * 1024 * 1024 + 1))
    assert response.status_code == 401


async def test_a_slash_at_the_end_is_served_in_place(server: Server) -> None:
    """`/mcp/` is the same endpoint: the same challenge and the same answers, and no redirect on the way."""
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


@pytest.mark.parametrize("path", ["/", "/mcp//", "/mcp/x", "/docs", "/sse", "/.well-known/oauth-protected-resource"])
async def test_there_is_nothing_else(server: Server, path: str) -> None:
    """Paths that are not documented are not there, not even with a token."""
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
async def test_the_endpoint_is_where_the_url_says(url: str, endpoint: str) -> None:
    """The path of the public URL is the path of the endpoint, and its host the name that is answered to."""
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


async def test_the_client_id_is_an_audience_too() -> None:
    """A token may name the configured client in place of the URL."""
    async with serving({**PASS_THROUGH, "OIDC_CLIENT_ID": "mcp-server"}) as server:
        for audience, status in {"mcp-server": 200, SERVER_URL: 200, "mcp": 401}.items():
            response = await server.post(LIST_TOOLS, token=server.keycloak.mint(aud=[audience, "nextcloud"]))
            assert response.status_code == status, audience


def test_a_first_scope_that_no_tool_needs_stops_the_start() -> None:
    """A misspelt scope would make every sign-in fail at Keycloak; it is named before anybody tries."""
    settings = load_settings({**PASS_THROUGH, "MCP_FIRST_SCOPES": "notes:read note:write"})
    with pytest.raises(SettingsError, match="MCP_FIRST_SCOPES: no tool needs note:write; there are "):
        create_app(settings)


async def tools_of(server: Server) -> set[str]:
    """Return the tools that a client with every scope is shown."""
    response = await server.request("tools/list", token=server.keycloak.mint(scope=EVERYTHING))
    return {tool["name"] for tool in answered(response)["result"]["tools"]}


async def test_a_server_can_be_limited_to_reading() -> None:
    """Nothing that writes is shown, served or asked for, whatever the token would allow."""
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


async def test_a_server_can_be_limited_to_some_apps() -> None:
    """Of other apps nothing is shown, served or asked for."""
    async with serving({**PASS_THROUGH, "MCP_APPS": "notes"}) as server:
        asked_for = challenge(await server.http.post("/mcp"))
        other = await server.misuse("nc_webdav_list_directory", {})
        tools = await tools_of(server)
    assert asked_for["scope"] == "nextcloud-mcp:pass-through notes:read notes:write"
    assert {tool.split("_")[1] for tool in tools} == {"whoami", "notes"}
    assert other.startswith("There is no tool 'nc_webdav_list_directory'")
    assert server.nextcloud.asked() == []


def test_an_app_that_there_is_not_stops_the_start() -> None:
    """A misspelt app would be missing without a word."""
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
def test_an_app_of_which_nothing_is_left_stops_the_start(settings: Mapping[str, str], needed: str) -> None:
    """An app is named to be offered; where its tools need what is not, that is said in place of offering none."""
    with pytest.raises(SettingsError, match=f"MCP_APPS: nothing of {needed}"):
        create_app(load_settings({**PASS_THROUGH, **settings}))


async def test_no_session_is_kept(server: Server) -> None:
    """The server is stateless: it gives no session id, and a call needs no `initialize` before it."""
    response = await server.call("nc_whoami", token=server.keycloak.mint())
    assert response.status_code == 200
    assert "Mcp-Session-Id" not in response.headers


async def test_each_request_has_an_id_of_its_own(server: Server) -> None:
    """Every answer names its request, refusals and health checks included."""
    paths = ["/mcp", "/mcp", "/health/live", "/nowhere"]
    ids = [(await server.http.get(path)).headers["X-Request-Id"] for path in paths]
    assert len(set(ids)) == len(paths)


async def test_a_callers_request_id_is_not_echoed(server: Server) -> None:
    """What a caller calls their request is theirs; it can't pass for ours, nor come back to them."""
    response = await server.http.get("/health/live", headers={"X-Request-Id": "mine"})
    assert response.headers.get_list("X-Request-Id") != ["mine"]
    assert len(response.headers.get_list("X-Request-Id")) == 1


async def test_nobody_is_asked_before_the_first_request(server: Server) -> None:
    """The server starts without Keycloak and Nextcloud, which may start after it."""
    assert server.keycloak.requests == []
    assert server.nextcloud.requests == []
    assert (await server.http.get("/health/live")).status_code == 200


async def test_no_token_and_no_content_in_the_log(server: Server) -> None:
    """A whole call leaves events without a token or what was read, and one that says what was done."""
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
async def test_sets_no_cookie(server: Server) -> None:
    """No answer sets a cookie, with a token or without one: there is no session that a page could ride on."""
    answers = [
        await server.call("nc_whoami", token=server.keycloak.mint()),
        await server.call("nc_whoami", token=None),
        await server.http.get("/.well-known/oauth-protected-resource/mcp"),
        await server.http.get("/health/ready"),
    ]
    assert [answer.status_code for answer in answers] == [200, 401, 200, 200]
    assert not any("set-cookie" in answer.headers for answer in answers)
