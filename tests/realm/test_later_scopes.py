"""The scopes that a client may request after its registration, which decide what the first challenge must contain.

The reasoning is in docs/explanation/first-scopes.md.
"""

from typing import Any

import pytest

from stack.keycloak import Keycloak
from tests.realm.clients import Register
from tests.support.browser import Browser
from tests.support.oauth import ALICE, CLIENT_ID, LOOPBACK_CALLBACK, REDIRECT_URI, Pkce, authorize

READING = "nextcloud-mcp:exchange notes:read"
WRITING = f"{READING} notes:write"


async def outcome(keycloak: Keycloak, scope: str, **client: str) -> str:
    """Ask for a code with these scopes, and return what came of it: `granted`, or the error."""
    answer = await authorize(keycloak, Browser(), **ALICE, scope=scope, **client, **Pkce().parameters)
    return "granted" if "code" in answer else answer["error"]


@pytest.mark.parametrize(
    ("registration", "reading", "writing"),
    [
        ({}, "granted", "granted"),
        ({"scope": WRITING}, "granted", "granted"),
        ({"scope": READING}, "granted", "invalid_scope"),
        ({"scope": "openid"}, "invalid_scope", "invalid_scope"),
        ({"scope": ""}, "invalid_scope", "invalid_scope"),
    ],
    ids=["without scope", "for all", "for reading", "for openid", "for an empty scope"],
)
async def test_registered_client_is_limited_to_its_registered_scopes(
    keycloak: Keycloak, register: Register, registration: dict[str, Any], reading: str, writing: str
) -> None:
    """Keycloak takes `scope` in a registration (RFC 7591 section 2) as the client's complete list of scopes."""
    registered = (await register(token_endpoint_auth_method="none", **registration)).json()
    client = {"client_id": registered["client_id"], "redirect_uri": LOOPBACK_CALLBACK}

    assert await outcome(keycloak, READING, **client) == reading
    assert await outcome(keycloak, WRITING, **client) == writing


async def test_preregistered_client_may_request_more_scopes(keycloak: Keycloak) -> None:
    """It has all scopes that an MCP client can have."""
    client = {"client_id": CLIENT_ID, "redirect_uri": REDIRECT_URI}

    assert await outcome(keycloak, READING, **client) == "granted"
    assert await outcome(keycloak, WRITING, **client) == "granted"
