"""`journey.endpoint`: who may use the endpoints, and that they do one fixed thing with the request's own token."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import httpx
import pytest
from structlog.testing import capture_logs

from tests.support.issuer import TOKEN_PATH, answer, failing
from tests.support.nextcloud import USER_PATH
from tests.support.server import EXCHANGE, PASS_THROUGH, Server, challenge, serving

API: Final = "/mcp/journey/api"
TOKENS: Final = f"{API}/tokens"
RECEIVED: Final = f"{API}/nextcloud/received"
SENT: Final = f"{API}/nextcloud/sent"
ENDPOINTS: Final = [TOKENS, RECEIVED, SENT]
OTHER: Final = "https://other.example.org"
ON: Final[Mapping[str, str]] = {**EXCHANGE, "MCP_JOURNEY": "true", "MCP_OTHER_SERVER_URL": f"{OTHER}/mcp"}


@pytest.fixture
async def journey() -> AsyncIterator[Server]:
    """A server in exchange mode with the journey."""
    async with serving(ON) as server:
        yield server


@pytest.fixture
async def passing_journey() -> AsyncIterator[Server]:
    """A server in pass-through mode with the journey."""
    async with serving({**PASS_THROUGH, "MCP_JOURNEY": "true"}) as server:
        yield server


def visitor(server: Server, **changes: Any) -> str:
    """Sign the token of a person with the role, by the page's client."""
    return server.keycloak.mint(**({"azp": "journey", "roles": ["journey"]} | changes))


async def ask(server: Server, path: str, token: str | None, **headers: str) -> httpx.Response:
    """Send a request to an endpoint."""
    bearer = {} if token is None else {"Authorization": f"Bearer {token}"}
    return await server.http.post(path, headers=bearer | headers)


async def test_claims_of_both_tokens(journey: Server) -> None:
    """The response has the claims of the received token and of the exchanged one, whose only audience is Nextcloud."""
    response = await ask(journey, TOKENS, visitor(journey))
    assert response.status_code == 200
    body = response.json()
    assert body["mode"] == "exchange"
    assert (body["received"]["azp"], body["sent"]["azp"]) == ("journey", "http://localhost:8000/mcp")
    assert body["received"]["aud"] == ["http://localhost:8000/mcp", "nextcloud"]
    assert body["sent"]["aud"] == "nextcloud"
    assert response.headers["cache-control"] == "no-store"


async def test_pass_through_sends_what_it_received(passing_journey: Server) -> None:
    """In pass-through mode both are the same token."""
    body = (await ask(passing_journey, TOKENS, visitor(passing_journey))).json()
    assert body["mode"] == "pass-through"
    assert body["sent"] == body["received"]


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_no_response_has_a_token(journey: Server, path: str) -> None:
    """Neither token is in a response, nor a part of it: no signature, no header, no encoded claims."""
    token, issued = visitor(journey), journey.keycloak.issued()
    journey.keycloak.instead[TOKEN_PATH] = answer(json=issued)
    journey.nextcloud.on("GET", USER_PATH, answer(401, text=f"refused: {token}"))
    response = await ask(journey, path, token)
    assert response.status_code == 200
    for part in (*token.split("."), *issued["access_token"].split(".")):
        assert part not in response.text + str(response.headers)


async def test_other_claims_stay_here(journey: Server) -> None:
    """Only the claims that the page explains are returned: no name, no e-mail address, no role."""
    issued = journey.keycloak.issued(email="alice@example.org", name="Alice Liddell", groups=["staff"])
    journey.keycloak.instead[TOKEN_PATH] = answer(json=issued)
    body = (await ask(journey, TOKENS, visitor(journey, email="alice@example.org"))).json()
    shown = {"iss", "aud", "azp", "sub", "sid", "scope", "typ", "exp", "preferred_username"}
    assert set(body["received"]) == shown
    assert set(body["sent"]) == shown


@pytest.mark.parametrize(("path", "which"), [(RECEIVED, "received"), (SENT, "sent")])
async def test_nextcloud_gets_the_named_token(journey: Server, path: str, which: str) -> None:
    """One try sends the received token to Nextcloud, the other the exchanged one; the status is Nextcloud's."""
    token, issued = visitor(journey), journey.keycloak.issued()
    journey.keycloak.instead[TOKEN_PATH] = answer(json=issued)
    journey.nextcloud.on("GET", USER_PATH, answer(401 if which == "received" else 200))
    response = await ask(journey, path, token)
    assert response.json() == {"request": f"GET {USER_PATH}", "status": 401 if which == "received" else 200}
    (sent,) = journey.nextcloud.requests
    assert sent.headers["authorization"] == f"Bearer {token if which == 'received' else issued['access_token']}"


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_addresses_of_the_request_are_ignored(journey: Server, path: str) -> None:
    """No part of a request selects an address, a token or a claim: Keycloak and Nextcloud get the fixed requests."""
    journey.nextcloud.on("GET", USER_PATH, answer(200))
    body = {"url": "http://169.254.169.254/", "token": "x", "audience": "another", "claim": "email"}
    response = await journey.http.post(
        f"{path}?url=http://attacker.test/&path=/status.php&token=x&audience=another",
        content=json.dumps(body),
        headers={
            "Authorization": f"Bearer {visitor(journey)}",
            "X-Forwarded-Host": "attacker.test",
            "Forwarded": "host=attacker.test",
        },
    )
    assert response.status_code == 200
    assert {request.url.host for request in journey.nextcloud.requests} <= {"cloud.test"}
    assert {str(request.url) for request in journey.nextcloud.requests} <= {
        f"https://cloud.test{USER_PATH}?format=json"
    }
    assert {request.url.host for request in journey.keycloak.requests} == {"keycloak.test"}
    assert [each["audience"] for each in journey.keycloak.exchanges()] == ["nextcloud"]


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"azp": "mcp-client"}, "Only the page /journey may show a token's journey"),
        ({"azp": None}, "Only the page /journey may show a token's journey"),
        ({"roles": None}, "You may not see the token journey"),
        ({"roles": ["offline_access"]}, "You may not see the token journey"),
        ({"roles": "journey"}, "You may not see the token journey"),
    ],
)
async def test_client_and_role_are_required(journey: Server, path: str, changes: dict[str, Any], message: str) -> None:
    """A token of another client, or of a person without the role, gets 403, without an exchange or a request."""
    with capture_logs() as events:
        response = await ask(journey, path, visitor(journey, **changes))
    assert response.status_code == 403
    assert response.json()["error"]["message"].startswith(message)
    assert journey.keycloak.exchanges() == []
    assert journey.nextcloud.requests == []
    assert [event["event"] for event in events if event["event"].startswith("journey.")] == ["journey.refused"]


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("changes", [{"aud": "nextcloud"}, {"exp": 1}, {"typ": "ID"}, {"iss": "http://another.test"}])
async def test_token_is_verified_as_for_a_tool(journey: Server, path: str, changes: dict[str, Any]) -> None:
    """A token that the tools refuse is refused here by the same challenge."""
    response = await ask(journey, path, visitor(journey, **changes))
    assert response.status_code == 401
    assert challenge(response)["error"] == "invalid_token"


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_cookie_is_no_token(journey: Server, path: str) -> None:
    """Without a bearer token the answer is 401, whatever cookies the browser sends: no other site can use it (CSRF)."""
    response = await ask(journey, path, None, Cookie=f"token={visitor(journey)}")
    assert response.status_code == 401


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("origin", ["https://attacker.example", "null", f"{OTHER}.attacker.example"])
async def test_foreign_pages_are_refused(journey: Server, path: str, origin: str) -> None:
    """Pages of other origins may not call the endpoints, even with a valid token."""
    response = await ask(journey, path, visitor(journey), Origin=origin)
    assert response.status_code == 403
    assert journey.keycloak.exchanges() == []


@pytest.mark.parametrize("path", [TOKENS, "/mcp"])
async def test_page_of_the_other_server_may_call(journey: Server, path: str) -> None:
    """The page of the server in `MCP_OTHER_SERVER_URL` may call the endpoints and the tools; without it, not."""
    headers = {"Origin": OTHER, "Authorization": f"Bearer {visitor(journey)}"}
    assert (await journey.http.post(path, headers=headers)).status_code != 403
    async with serving({**EXCHANGE, "MCP_OTHER_SERVER_URL": f"{OTHER}/mcp"}) as without:
        assert (await without.http.post("/mcp", headers=headers)).status_code == 403


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_off_by_default(server: Server, path: str) -> None:
    """Without `MCP_JOURNEY` the addresses do not exist."""
    assert (await ask(server, path, visitor(server))).status_code == 404


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_only_post(journey: Server, path: str) -> None:
    """A link or an image causes no exchange: GET is not allowed."""
    response = await journey.http.get(path, headers={"Authorization": f"Bearer {visitor(journey)}"})
    assert response.status_code == 405
    assert journey.keycloak.exchanges() == []


async def test_shares_the_limit_of_the_tools() -> None:
    """The journey and the tools count towards one limit of a person."""
    async with serving({**ON, "MCP_CALLS_PER_MINUTE": "2"}) as server:
        token = visitor(server)
        assert (await ask(server, TOKENS, token)).status_code == 200
        assert (await server.call("nc_whoami", token=server.keycloak.mint())).status_code == 200
        assert (await ask(server, TOKENS, token)).status_code == 429


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_refused_exchange_is_the_tools_challenge(journey: Server, path: str) -> None:
    """If Keycloak no longer honours the token, as after a sign-out, the answer is 401, as of a tool."""
    refusal = {"error": "invalid_request", "error_description": "Invalid token"}
    journey.keycloak.instead[TOKEN_PATH] = answer(400, json=refusal)
    response = await ask(journey, path, visitor(journey))
    assert response.status_code == 401
    assert challenge(response)["error"] == "invalid_token"
    assert journey.nextcloud.requests == []


@pytest.mark.parametrize("path", [TOKENS, SENT])
async def test_failed_exchange_is_told(journey: Server, path: str) -> None:
    """Another failure of the exchange is 502 with the cause, and one event in the log."""
    journey.keycloak.instead[TOKEN_PATH] = answer(500)
    with capture_logs() as events:
        response = await ask(journey, path, visitor(journey))
    assert response.status_code == 502
    assert "Keycloak failed at the token exchange with HTTP 500" in response.json()["error"]["message"]
    assert [event["event"] for event in events if event["event"].startswith("journey.")] == ["journey.failed"]


async def test_silent_nextcloud_is_told(journey: Server) -> None:
    """If Nextcloud is unreachable, the answer is 502, without its address."""
    journey.nextcloud.on("GET", USER_PATH, failing(httpx.ConnectError))
    response = await ask(journey, SENT, visitor(journey))
    assert response.status_code == 502
    assert response.json()["error"]["message"] == "Nextcloud does not answer (ConnectError): try again shortly."


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_log_has_no_token_and_no_hostile_line(journey: Server, path: str) -> None:
    """The log names the client, the person and the session, and neither token; claims cannot forge an event."""
    journey.nextcloud.on("GET", USER_PATH, answer(200))
    token = visitor(journey, preferred_username='alice\n{"event": "forged"}', scope="<script>")
    with capture_logs() as events:
        assert (await ask(journey, path, token)).status_code == 200
    text = json.dumps(events)
    assert "forged" not in text
    assert all(part not in text for part in token.split("."))
