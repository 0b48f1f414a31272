"""The redirect addresses that a realm admits beyond the shipped ones (`MCP_CLIENT_REDIRECTS`)."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from stack.keycloak import Keycloak
from tests.support.administration import one_more_realm
from tests.support.http import patient_client
from tests.support.oauth import LOOPBACK_CALLBACK, metadata

HOW_TO: Final = Path(__file__).parents[2] / "docs" / "how-to" / "admit-a-client.md"

ADMITTED: Final = {
    "ChatGPT": [
        "https://chatgpt.com/connector_platform_oauth_redirect",
        "https://chatgpt.com/connector/oauth/aBc-12_x",
    ],
    "Mistral": ["https://callback.mistral.ai/v1/integrations_auth/oauth2_callback"],
    "LibreChat": ["https://chat.example.org/api/mcp/nextcloud/oauth/callback"],
}
"""Redirect addresses of hosted clients, by the name in the how-to's list."""

REFUSED: Final = (
    "https://chatgptxcom/connector_platform_oauth_redirect",
    "https://chatgpt.com.attacker.example/connector_platform_oauth_redirect",
    "https://chatgpt.com/connector/oauth/../../attacker",
    "https://chatgpt.com/connector/oauth/abc?to=https://attacker.example",
    "https://attacker.example/https://chatgpt.com/connector_platform_oauth_redirect",
    "https://callback-mistral-ai.example/v1/integrations_auth/oauth2_callback",
    "https://chatxexample.org/api/mcp/nextcloud/oauth/callback",
    "http://chat.example.org/api/mcp/nextcloud/oauth/callback",
)


def documented() -> dict[str, str]:
    """Return the values of MCP_CLIENT_REDIRECTS in the how-to's list, by client."""
    return dict(re.findall(r"^- (\w+): `(https:[^`]+)`", HOW_TO.read_text(), re.MULTILINE))


async def registered(keycloak: Keycloak, *redirect_uris: str) -> httpx.Response:
    """Register a client, and return Keycloak's response."""
    client: dict[str, Any] = {"redirect_uris": list(redirect_uris), "token_endpoint_auth_method": "none"}
    async with patient_client() as http:
        return await http.post((await metadata(keycloak))["registration_endpoint"], json=client)


@pytest.fixture(scope="module")
def admitting(keycloak: Keycloak) -> Iterator[Keycloak]:
    """A realm that admits every client of the how-to's list."""
    values = {"MCP_CLIENT_REDIRECTS": "|".join(documented().values())}
    with one_more_realm(keycloak, "admitting", values) as realm:
        yield realm


def test_how_to_has_every_client() -> None:
    """The how-to's table has a value for each of these clients, without a character that the realm file can't take."""
    assert documented().keys() == ADMITTED.keys()
    assert not any(re.search(r"[\\\"$]", value) for value in documented().values())


@pytest.mark.parametrize("client", ADMITTED)
async def test_documented_value_admits_the_client(admitting: Keycloak, keycloak: Keycloak, client: str) -> None:
    """The client registers where its addresses are admitted, together with a loopback address, and nowhere else."""
    answer = await registered(admitting, *ADMITTED[client], LOOPBACK_CALLBACK)
    assert answer.status_code == 201, answer.text
    assert (await registered(keycloak, *ADMITTED[client])).status_code == 403


@pytest.mark.parametrize("redirect_uri", REFUSED)
async def test_similar_address_is_refused(admitting: Keycloak, redirect_uri: str) -> None:
    """An address that only resembles an admitted one is refused, also beside an admitted one."""
    assert (await registered(admitting, redirect_uri)).status_code in {400, 403}
    assert (await registered(admitting, LOOPBACK_CALLBACK, redirect_uri)).status_code in {400, 403}
