"""What an account takes from a token: user_oidc's bearer provisioning of display name and e-mail address."""

import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from keycloak import KeycloakAdmin, KeycloakError

from stack.chain import Chain
from stack.config import EXCHANGE_CLIENT_SECRET
from stack.keycloak import Keycloak
from tests.support.administration import somebody_new
from tests.support.oauth import Person, exchange, sign_in

USER = "/ocs/v2.php/cloud/user?format=json"


@dataclass
class Newcomer:
    """Somebody who has never opened Nextcloud, as the administrator of the realm and Nextcloud see them."""

    chain: Chain
    admin: KeycloakAdmin
    http: httpx.AsyncClient
    user_id: str
    person: Person

    async def sign_in(self, mode: str = "pass-through") -> None:
        """Get a new token for Nextcloud."""
        token = (await sign_in(self.chain.keycloak, **self.person, scope=f"nextcloud-mcp:{mode}"))["access_token"]
        if mode == "exchange":
            requester = {"client_id": self.chain.config.exchange_url, "client_secret": EXCHANGE_CLIENT_SECRET}
            answer = await exchange(self.chain.keycloak, token, **requester, audience="nextcloud")
            token = answer.json()["access_token"]
        self.http.headers.update({"Authorization": f"Bearer {token}", "OCS-APIRequest": "true"})

    def change(self, **values: Any) -> None:
        """Change the person in Keycloak."""
        self.admin.update_user(self.user_id, self.admin.get_user(self.user_id) | values)

    async def profile(self) -> tuple[str, str | None]:
        """Return display name and e-mail address; the first response with a new token has the former name."""
        await self.http.get(USER)
        data = (await self.http.get(USER)).json()["ocs"]["data"]
        return data["displayname"], data["email"]


@pytest.fixture
def admin(keycloak: Keycloak) -> KeycloakAdmin:
    """The realm's administration API."""
    return keycloak.admin()


@pytest.fixture
def name() -> str:
    """A user name that nobody had before."""
    return f"new-{secrets.token_hex(4)}"


@pytest.fixture
async def newcomer(
    chain: Chain, admin: KeycloakAdmin, anonymous: httpx.AsyncClient, name: str
) -> AsyncIterator[Newcomer]:
    """Somebody new."""
    with somebody_new(admin, name) as (user_id, person):
        yield Newcomer(chain, admin, anonymous, user_id, person)


@pytest.mark.parametrize("mode", ["pass-through", "exchange"])
async def test_first_token_makes_a_whole_account(newcomer: Newcomer, name: str, mode: str) -> None:
    """A person whose first visit is by MCP has a display name and an e-mail address, in both modes."""
    await newcomer.sign_in(mode)
    assert await newcomer.profile() == ("Some One", f"{name}@example.org")


async def test_changes_in_keycloak_reach_the_account(newcomer: Newcomer, name: str) -> None:
    """With the next token, the account has the new name and address."""
    await newcomer.sign_in()
    await newcomer.profile()
    newcomer.change(firstName="Other", email=f"{name}@example.com")
    assert await newcomer.profile() == ("Some One", f"{name}@example.org")
    await newcomer.sign_in()
    assert await newcomer.profile() == ("Other One", f"{name}@example.com")


async def test_missing_address_erases_none(newcomer: Newcomer, name: str) -> None:
    """If Keycloak no longer has an e-mail address, the account keeps the last one."""
    await newcomer.sign_in()
    await newcomer.profile()
    newcomer.change(email="")
    await newcomer.sign_in()
    assert await newcomer.profile() == ("Some One", f"{name}@example.org")


async def test_people_without_an_address(newcomer: Newcomer) -> None:
    """They sign in without being asked for one, and their account has none."""
    newcomer.change(email="")
    await newcomer.sign_in()
    assert await newcomer.profile() == ("Some One", None)


async def test_address_set_in_nextcloud(newcomer: Newcomer, name: str) -> None:
    """The address of the realm replaces one set in Nextcloud; without one in the realm, Nextcloud's stays."""
    if newcomer.chain.nextcloud.kind == "stand-in":
        pytest.skip("the stand-in's accounts have no settings of their own")
    newcomer.change(email="")
    await newcomer.sign_in()
    form = {"key": "email", "value": f"{name}@example.net"}
    assert (await newcomer.http.put(f"/ocs/v2.php/cloud/users/{name}", data=form)).status_code == 200
    assert await newcomer.profile() == ("Some One", f"{name}@example.net")
    newcomer.change(email=f"{name}@example.org")
    await newcomer.sign_in()
    assert await newcomer.profile() == ("Some One", f"{name}@example.org")


def test_two_people_cannot_have_one_address(admin: KeycloakAdmin, someone_else: str) -> None:
    """Keycloak refuses an address that somebody has."""
    payload = {"username": f"other-{secrets.token_hex(4)}", "email": someone_else}
    with pytest.raises(KeycloakError, match="same email"):
        admin.create_user(payload)


@pytest.fixture
def someone_else(admin: KeycloakAdmin) -> Iterator[str]:
    """The address of somebody in the realm."""
    with somebody_new(admin) as (user_id, _):
        yield str(admin.get_user(user_id)["email"])
