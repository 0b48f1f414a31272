"""Sign-ins that outlast the session (OpenID Connect Core 11): not offered by default, and bounded where they are."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from keycloak import KeycloakAdmin

from stack.keycloak import Keycloak
from tests.realm.clients import Exchange, Register
from tests.realm.refreshing import SCOPE, is_exchanged, window
from tests.support.administration import realm_with
from tests.support.browser import Browser
from tests.support.oauth import ALICE, CLIENT_ID, Person, Pkce, authorize, claims, metadata

OFFLINE = f"{SCOPE} offline_access"
GONE = "Offline user session not found"


@contextmanager
def offered(admin: KeycloakAdmin) -> Iterator[None]:
    """Offer it for the block, as keycloak/README.md says under "Offline access"."""
    scope = admin.get_client_scope_by_name("offline_access")
    assert scope is not None
    key = str(admin.get_client_id(CLIENT_ID))
    listed = {"attributes": scope["attributes"] | {"include.in.openid.provider.metadata": "true"}}
    admin.update_client_scope(scope["id"], scope | listed)
    admin.add_default_optional_client_scope(scope["id"])
    admin.add_client_optional_client_scope(key, scope["id"], {})
    try:
        yield
    finally:
        admin.delete_client_optional_client_scope(key, scope["id"])
        admin.delete_default_optional_client_scope(scope["id"])
        admin.update_client_scope(scope["id"], scope)


@pytest.fixture
def on(admin: KeycloakAdmin) -> Iterator[None]:
    """A realm with offline access."""
    with offered(admin):
        yield


def identity(admin: KeycloakAdmin, person: Person) -> str:
    """Return the person's id."""
    return str(admin.get_user_id(person["username"]))


async def test_not_offered_by_default(keycloak: Keycloak, register: Register) -> None:
    """The metadata does not list it, new clients do not have it, and a client that asks for it gets `invalid_scope`."""
    assert "offline_access" not in (await metadata(keycloak))["scopes_supported"]
    assert "offline_access" not in (await register()).json()["scope"].split()
    answer = await authorize(keycloak, Browser(), **ALICE, scope=OFFLINE, **Pkce().parameters)
    assert answer["error"] == "invalid_scope"


@pytest.mark.usefixtures("on")
async def test_offered_where_chosen(keycloak: Keycloak, someone: Person, register: Register) -> None:
    """The metadata lists it, new clients have it, and the consent page shows it."""
    assert "offline_access" in (await metadata(keycloak))["scopes_supported"]
    assert "offline_access" in (await register()).json()["scope"].split()
    browser = Browser()
    client = await window(keycloak, someone, OFFLINE, browser)
    assert {"Stay signed in for up to 30 days", "It reaches only what is listed here."} < set(browser.consents[0])
    assert claims(client.refresh_token)["typ"] == "Offline"


def test_bounds(admin: KeycloakAdmin, keycloak: Keycloak) -> None:
    """A week unused, thirty days at most."""
    realm = admin.get_realm(keycloak.realm)
    assert realm["offlineSessionMaxLifespanEnabled"] is True
    assert (realm["offlineSessionIdleTimeout"], realm["offlineSessionMaxLifespan"]) == (7 * 86400, 30 * 86400)


@pytest.mark.usefixtures("on")
@pytest.mark.parametrize("limit", ["offlineSessionIdleTimeout", "offlineSessionMaxLifespan"])
async def test_it_ends(keycloak: Keycloak, admin: KeycloakAdmin, someone: Person, limit: str) -> None:
    """An offline sign-in that was unused for too long, or is too old, gives `invalid_grant`."""
    with realm_with(admin, **{limit: 3}):
        client = await window(keycloak, someone, OFFLINE)
        await client.lasts(4.1)
        assert await client.refresh() != ""


@pytest.mark.usefixtures("on")
async def test_it_outlasts_the_session(
    keycloak: Keycloak, admin: KeycloakAdmin, someone: Person, as_exchange_server: Exchange
) -> None:
    """After the session has ended, the client refreshes, and exchange works; rotation applies as always."""
    client = await window(keycloak, someone, OFFLINE)
    old = client.copy()
    for session in admin.get_sessions(identity(admin, someone)):
        path = f"/admin/realms/{keycloak.realm}/sessions/{session['id']}"
        assert admin.connection.raw_delete(path).status_code == 204
    assert await is_exchanged(as_exchange_server, client)
    assert await client.refresh() == ""
    await client.next_second()
    assert await client.refresh() == ""
    assert await is_exchanged(as_exchange_server, client)
    assert await old.refresh() == "Stale token"
    assert not await is_exchanged(as_exchange_server, client)


@pytest.mark.usefixtures("on")
async def test_sign_out_does_not_end_it(
    keycloak: Keycloak, admin: KeycloakAdmin, someone: Person, as_exchange_server: Exchange
) -> None:
    """Known limit, and the price: *Logout all* ends only sessions, and offline sign-ins go on."""
    client = await window(keycloak, someone, OFFLINE)
    admin.user_logout(identity(admin, someone))
    assert await is_exchanged(as_exchange_server, client)
    assert await client.refresh() == ""


def end_offline_session(admin: KeycloakAdmin, user_id: str) -> None:
    """End the offline session in the administration console (*Sessions*)."""
    realm = admin.connection.realm_name
    path = f"/admin/realms/{realm}/users/{user_id}/offline-sessions/{admin.get_client_id(CLIENT_ID)}"
    (session,) = admin.connection.raw_get(path).json()
    ended = admin.connection.raw_delete(f"/admin/realms/{realm}/sessions/{session['id']}", isOffline="true")
    assert ended.status_code == 204


ENDS: dict[str, Callable[[KeycloakAdmin, str], object]] = {
    "its session ended": end_offline_session,
    "consent withdrawn": lambda admin, user_id: admin.revoke_consent(user_id, CLIENT_ID),
    "account disabled": lambda admin, user_id: admin.update_user(user_id, admin.get_user(user_id) | {"enabled": False}),
}


@pytest.mark.usefixtures("on")
@pytest.mark.parametrize("event", ENDS)
async def test_what_ends_it_at_once(
    keycloak: Keycloak, admin: KeycloakAdmin, someone: Person, as_exchange_server: Exchange, event: str
) -> None:
    """The next exchange is refused, and so is the next refresh."""
    client = await window(keycloak, someone, OFFLINE)
    user_id = identity(admin, someone)
    for session in admin.get_sessions(user_id):  # the session of the sign-in itself, which may have ended long ago
        admin.connection.raw_delete(f"/admin/realms/{keycloak.realm}/sessions/{session['id']}")
    ENDS[event](admin, user_id)
    assert not await is_exchanged(as_exchange_server, client)
    assert await client.refresh() in {GONE, "User disabled"}
