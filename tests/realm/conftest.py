"""Fixtures for tests of the realm: temporary users and clients, and the exchange server's credentials."""

import secrets
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

import httpx
import pytest
from keycloak import KeycloakAdmin

from stack.keycloak import Keycloak
from tests.realm.clients import EXCHANGE_SECRET, Exchange, Register
from tests.support.http import patient_client
from tests.support.oauth import LOOPBACK_CALLBACK, Person, exchange, metadata
from tests.support.run import ServerUrls


@pytest.fixture(scope="session")
def admin(keycloak: Keycloak) -> KeycloakAdmin:
    """Keycloak's administration API."""
    return keycloak.admin()


@pytest.fixture
def someone(admin: KeycloakAdmin) -> Iterator[Person]:
    """A person for this test alone, who may be locked out, signed out or disabled."""
    person = Person(username=f"someone-{secrets.token_hex(4)}", password=secrets.token_urlsafe(16))
    user_id = admin.create_user(
        {
            "username": person["username"],
            "email": f"{person['username']}@example.org",
            "firstName": "Some",
            "lastName": "One",
            "enabled": True,
            "credentials": [{"type": "password", "value": person["password"]}],
        }
    )
    yield person
    admin.delete_user(user_id)


@pytest.fixture
async def register(keycloak: Keycloak, admin: KeycloakAdmin) -> AsyncIterator[Register]:
    """Dynamic client registration (RFC 7591), by nobody in particular; what was registered goes after the test."""
    endpoint = (await metadata(keycloak))["registration_endpoint"]
    registered: list[str] = []

    async def send(**client: Any) -> httpx.Response:
        async with patient_client() as http:
            answer = await http.post(
                endpoint, json={"client_name": "A client", "redirect_uris": [LOOPBACK_CALLBACK]} | client
            )
        if answer.status_code == 201:
            registered.append(answer.json()["client_id"])
        return answer

    yield send
    for client_id in registered:
        admin.delete_client(str(admin.get_client_id(client_id)))


@pytest.fixture
def as_exchange_server(keycloak: Keycloak, server_urls: ServerUrls) -> Exchange:
    """A token exchange by the MCP server in exchange mode; called with the subject token and further parameters."""
    return partial(exchange, keycloak, client_id=server_urls.exchange, client_secret=EXCHANGE_SECRET)
