"""`auth.bearer`: requests require a valid bearer token (RFC 6750), shown in raw HTTP."""

from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from tests.support.forged import REFUSED, BadToken
from tests.support.issuer import SERVER_URL
from tests.support.server import Server, challenge

LIST_TOOLS = b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}'


@pytest.mark.requirement(
    "mcp-validate-token",
    "mcp-invalid-is-401",
    "mcp-no-leak",
    "mcp-secure-token-storage",
    "rfc6750-invalid-token",
    "rfc6750-safeguard",
    "rfc9068-invalid-token",
)
@pytest.mark.parametrize("token", REFUSED.values(), ids=REFUSED.keys())
async def test_invalid_token_gets_401(server: Server, token: BadToken) -> None:
    """No request reaches token endpoint or Nextcloud; the one log event has no part of the token."""
    minted = token.mint(server.keycloak)
    with capture_logs() as events:
        response = await server.http.post(
            "/mcp", content=LIST_TOOLS, headers=[(b"Authorization", b"Bearer " + minted.encode())]
        )
    assert response.status_code == 401
    assert challenge(response)["error"] == "invalid_token"
    assert server.keycloak.exchanges() == []
    assert server.nextcloud.requests == []
    (refused,) = [event for event in events if event["event"] == "token.refused"]
    assert refused["code"] == "token.invalid"
    assert not any(part in str(events) for part in minted.split(".") if len(part) > 8)


@pytest.mark.parametrize(
    "credentials",
    [
        pytest.param("Basic YWxpY2U6c2VjcmV0", id="Basic"),
        pytest.param("DPoP abc", id="DPoP"),
        pytest.param("Bearertoken", id="no space"),
        pytest.param("", id="empty"),
    ],
)
async def test_other_scheme_counts_as_no_token(server: Server, credentials: str) -> None:
    """The answer is 401 without an error code."""
    response = await server.http.post("/mcp", content=LIST_TOOLS, headers={"Authorization": credentials})
    assert response.status_code == 401
    assert "error" not in challenge(response)


async def test_bearer_without_a_token_is_refused(server: Server) -> None:
    """The scheme `Bearer` without a token is refused."""
    response = await server.http.post("/mcp", content=LIST_TOOLS, headers={"Authorization": "Bearer"})
    assert response.status_code == 401


@pytest.mark.requirement("rfc6750-header")
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_scheme_is_case_insensitive(server: Server, scheme: str) -> None:
    """RFC 9110 section 11.1: authentication schemes are case-insensitive."""
    response = await server.post(LIST_TOOLS, Authorization=f"{scheme} {server.keycloak.mint()}")
    assert response.status_code == 200


@pytest.mark.requirement("mcp-status-codes", "rfc6750-one-method", "rfc6750-invalid-request")
@pytest.mark.parametrize("second", ["the same", "another", "another scheme"])
async def test_two_authorization_headers_are_refused(server: Server, second: str) -> None:
    """The answer is 400 `invalid_request`, even if one of the two tokens is valid."""
    token = server.keycloak.mint()
    other = {"the same": f"Bearer {token}", "another": "Bearer abc", "another scheme": "Basic abc"}[second]
    response = await server.http.post(
        "/mcp", content=LIST_TOOLS, headers=[("Authorization", f"Bearer {token}"), ("Authorization", other)]
    )
    assert response.status_code == 400
    assert challenge(response)["error"] == "invalid_request"


@pytest.mark.requirement("mcp-not-in-query", "rfc6750-not-in-query", "rfc6750-not-in-page-urls")
async def test_token_in_query_is_ignored(server: Server) -> None:
    """RFC 6750 section 2.3 is not supported, since URLs end up in logs."""
    response = await server.http.post("/mcp", params={"access_token": server.keycloak.mint()}, content=LIST_TOOLS)
    assert response.status_code == 401
    assert "error" not in challenge(response)


async def test_token_in_body_is_ignored(server: Server) -> None:
    """RFC 6750 section 2.2 is not supported."""
    response = await server.http.post("/mcp", data={"access_token": server.keycloak.mint()})
    assert response.status_code == 401
    assert "error" not in challenge(response)


async def test_body_of_unauthorized_request_is_not_read(server: Server) -> None:
    """Without a valid token no request body is read."""

    async def body() -> AsyncIterator[bytes]:
        raise AssertionError("the body was read")
        yield b""

    response = await server.http.post("/mcp", content=body())
    assert response.status_code == 401


async def test_cached_keys_verify_during_outage(server: Server) -> None:
    """If Keycloak fails after the keys were fetched, valid tokens are still accepted."""
    token = server.keycloak.mint()
    assert (await server.post(LIST_TOOLS, token=token)).status_code == 200
    server.keycloak.down()
    assert (await server.post(LIST_TOOLS, token=token)).status_code == 200


async def test_unknown_key_during_outage_is_503(server: Server) -> None:
    """A token signed with an unknown key can't be verified while Keycloak is down: 503, never 401."""
    assert (await server.post(LIST_TOOLS, token=server.keycloak.mint())).status_code == 200
    server.keycloak.rotate()
    server.keycloak.down()
    with capture_logs() as events:
        response = await server.post(LIST_TOOLS, token=server.keycloak.mint())
    assert response.status_code == 503
    assert "Retry-After" in response.headers
    assert [event["code"] for event in events if event["event"] == "token.not_checked"] == ["issuer.unavailable"]


@pytest.mark.parametrize(
    ("audience", "status"),
    [
        pytest.param([SERVER_URL, "nextcloud"], 200, id="both"),
        pytest.param([SERVER_URL], 401, id="this server alone"),
        pytest.param(["nextcloud"], 401, id="nextcloud alone"),
    ],
)
async def test_pass_through_requires_both_audiences(
    pass_through_server: Server, audience: list[str], status: int
) -> None:
    """A token without Nextcloud or without this server in `aud` is refused."""
    response = await pass_through_server.post(LIST_TOOLS, token=pass_through_server.keycloak.mint(aud=audience))
    assert response.status_code == status
