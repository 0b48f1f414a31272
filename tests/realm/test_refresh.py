"""Refresh as clients really do it: from several windows, often, after a night; and what becomes of a stolen token.

Keycloak 26.7 knows for each sign-in the refresh token that was used last, and when (`TokenManager.validateTokenReuse`).
It accepts that token again up to `refreshTokenMaxReuse` times, and each token that was not issued in an earlier second
than this use. Any other token ends the sign-in of this client, with every token of it.
"""

import json
import math
import time

import anyio
import pytest
from keycloak import KeycloakAdmin

from stack.keycloak import REALM_FILE, Keycloak
from tests.realm.clients import Exchange
from tests.realm.refreshing import Window, is_exchanged, window
from tests.support.administration import realm_with
from tests.support.browser import Browser
from tests.support.oauth import CLIENT_ID, Person, claims

STALE = "Stale token"
ENDED = "Session doesn't have required client"
USES = 1 + int(json.loads(REALM_FILE.read_text())["refreshTokenMaxReuse"])


@pytest.mark.parametrize("seconds", [0, 2], ids=["at once", "two seconds apart"])
async def test_windows_with_a_common_store_survive(keycloak: Keycloak, someone: Person, seconds: int) -> None:
    """Two windows use the same refresh token; the later result is in the store, and both work on from there."""
    first = await window(keycloak, someone)
    second = first.copy()
    if seconds:
        assert await first.refresh() == ""
        await first.lasts(seconds)
        assert await second.refresh() == ""
    else:
        async with anyio.create_task_group() as group:
            group.start_soon(first.refresh)
            group.start_soon(second.refresh)
        assert len({first.refresh_token, second.refresh_token}) == 2
    store = max(first, second, key=Window.issued_at)
    for _ in range(4):
        await store.next_second()
        first, second = store.copy(), store.copy()
        assert (await first.refresh(), await second.refresh()) == ("", "")
        store = second


async def test_windows_at_once_may_use_a_token_ten_times(keycloak: Keycloak, someone: Person) -> None:
    """Ten windows that wake up together refresh with one token; the eleventh use ends the sign-in."""
    store = await window(keycloak, someone)
    windows = [store.copy() for _ in range(USES)]
    async with anyio.create_task_group() as group:
        for each in windows:
            group.start_soon(each.refresh)
    assert USES == 10
    assert len({each.refresh_token for each in windows} - {store.refresh_token}) == USES
    assert await store.refresh() == "Maximum allowed refresh token reuse exceeded"
    assert await windows[0].refresh() == ENDED


async def test_ten_refreshes_in_a_row(keycloak: Keycloak, someone: Person, as_exchange_server: Exchange) -> None:
    """A client may refresh before every call, several times a second."""
    client = await window(keycloak, someone)
    assert [await client.refresh() for _ in range(10)] == [""] * 10
    assert await is_exchanged(as_exchange_server, client)


async def test_windows_with_their_own_copies_end_each_other(keycloak: Keycloak, someone: Person) -> None:
    """Known limit: windows that never read what another window stored look like a thief and a victim."""
    first = await window(keycloak, someone)
    second = first.copy()
    assert await first.refresh() == ""
    await first.next_second()
    assert await second.refresh() == ""
    assert await first.refresh() == STALE
    assert await second.refresh() == ENDED


async def test_windows_with_sign_ins_of_their_own_live_side_by_side(keycloak: Keycloak, someone: Person) -> None:
    """Each sign-in has its own chain of tokens, also in one browser; they end together, if one token is stolen."""
    browser = Browser()
    first, second = [await window(keycloak, someone, browser=browser) for _ in range(2)]
    stolen = first.copy()
    for _ in range(3):
        await second.next_second()
        assert (await first.refresh(), await second.refresh()) == ("", "")
    assert await stolen.refresh() == STALE
    assert (await first.refresh(), await second.refresh()) == (ENDED, ENDED)


@pytest.mark.requirement("mcp-rotate-refresh-tokens")
async def test_stolen_old_token_ends_the_sign_in_at_once(
    keycloak: Keycloak, someone: Person, as_exchange_server: Exchange
) -> None:
    """Once its successor was used, a stolen token gives nothing, and thief and owner have to sign in."""
    owner = await window(keycloak, someone)
    thief = owner.copy()
    assert await owner.refresh() == ""
    await owner.next_second()
    assert await owner.refresh() == ""
    assert await thief.refresh() == STALE
    assert not await is_exchanged(as_exchange_server, owner)
    assert await owner.refresh() == ENDED


async def test_stolen_last_token_ends_the_sign_in_at_the_owners_next_refresh(
    keycloak: Keycloak, someone: Person, as_exchange_server: Exchange
) -> None:
    """The price of reuse: the last token works for a thief too, until the owner refreshes, who then has to sign in."""
    owner = await window(keycloak, someone)
    thief = owner.copy()
    assert await owner.refresh() == ""
    await owner.next_second()
    assert await thief.refresh() == ""
    assert await is_exchanged(as_exchange_server, thief)
    assert await owner.refresh() == STALE
    assert not await is_exchanged(as_exchange_server, thief)
    assert await thief.refresh() == ENDED


@pytest.mark.parametrize(
    "limit", ["ssoSessionIdleTimeout", "ssoSessionMaxLifespan"], ids=["unused for too long", "at its end"]
)
async def test_sessions_end(
    keycloak: Keycloak, admin: KeycloakAdmin, someone: Person, as_exchange_server: Exchange, limit: str
) -> None:
    """A session that was idle for too long, as while a laptop sleeps, or is too old, gives `invalid_grant`."""
    browser, before = Browser(), time.monotonic()
    client = await window(keycloak, someone, browser=browser)
    seconds = math.ceil(time.monotonic() - before) + 10  # the session began with the sign-in
    with realm_with(admin, **{limit: seconds}):
        assert await client.refresh() == ""
        assert client.expires_at() - client.issued_at() <= seconds
        await client.expires()
        assert await client.refresh() == "Token is not active"
        assert not await is_exchanged(as_exchange_server, client)
    assert await (await window(keycloak, someone, browser=browser)).refresh() == ""


async def test_use_prolongs_a_session_up_to_its_end(keycloak: Keycloak, admin: KeycloakAdmin, someone: Person) -> None:
    """A client that refreshes in time outlasts the idle limit."""
    client = await window(keycloak, someone)
    with realm_with(admin, ssoSessionIdleTimeout=12):
        assert await client.refresh() == ""
        first = client.expires_at()
        while client.issued_at() <= first:
            await client.lasts(5)
            assert await client.refresh() == ""


def test_session_limits(admin: KeycloakAdmin, keycloak: Keycloak) -> None:
    """Eight hours unused, a day at most: the limits that the documentation names."""
    realm = admin.get_realm(keycloak.realm)
    assert (realm["ssoSessionIdleTimeout"], realm["ssoSessionMaxLifespan"]) == (8 * 3600, 24 * 3600)
    assert (realm["revokeRefreshToken"], realm["refreshTokenMaxReuse"]) == (True, 9)


async def test_refresh_after_a_scope_was_taken_from_the_client(
    keycloak: Keycloak, admin: KeycloakAdmin, someone: Person
) -> None:
    """The next access token lacks a scope that the client no longer has; the sign-in goes on."""
    client = await window(keycloak, someone)
    key = str(admin.get_client_id(CLIENT_ID))
    (scope,) = [each["id"] for each in admin.get_client_scopes() if each["name"] == "notes:read"]
    admin.delete_client_optional_client_scope(key, scope)
    try:
        assert await client.refresh() == ""
        assert claims(client.access_token)["scope"] == "nextcloud-mcp:exchange"
    finally:
        admin.add_client_optional_client_scope(key, scope, {})
    assert await client.refresh() == ""
    assert set(claims(client.access_token)["scope"].split()) == {"nextcloud-mcp:exchange", "notes:read"}


async def test_refresh_after_consent_was_withdrawn(keycloak: Keycloak, admin: KeycloakAdmin, someone: Person) -> None:
    """The refresh token is refused at once."""
    client = await window(keycloak, someone)
    admin.revoke_consent(str(admin.get_user_id(someone["username"])), CLIENT_ID)
    assert await client.refresh() == ENDED


async def test_refresh_after_the_password_was_changed(
    keycloak: Keycloak, admin: KeycloakAdmin, someone: Person
) -> None:
    """A new password alone ends no sign-in."""
    client = await window(keycloak, someone)
    admin.set_user_password(str(admin.get_user_id(someone["username"])), "another password of hers", temporary=False)
    assert await client.refresh() == ""
