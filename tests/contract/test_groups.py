"""Groups from the realm, as an option: nextcloud/setup.sh with NEXTCLOUD_GROUPS, and the realm's claim `groups`.

They run on a real Nextcloud, whose provider is changed and restored; the stand-in has no groups.
"""

import os
import secrets
import subprocess
from collections.abc import Callable, Iterator
from shlex import split

import httpx
import pytest
from keycloak import KeycloakAdmin

from stack.chain import Chain
from stack.config import NEXTCLOUD_CLIENT_SECRET
from stack.keycloak import Keycloak
from stack.nextcloud import SETUP
from tests.support.administration import somebody_new
from tests.support.eventually import eventually
from tests.support.oauth import Person, sign_in

USER = "/ocs/v2.php/cloud/user?format=json"

Occ = Callable[..., None]


@pytest.fixture
def occ(chain: Chain) -> Occ:
    """The real Nextcloud's occ."""
    command = chain.config.nextcloud_occ
    if command is None:
        pytest.skip("NEXTCLOUD_OCC is not set: the stand-in has no groups")

    def run(*arguments: str) -> None:
        subprocess.run([*split(command), *arguments], check=True, capture_output=True, env=os.environ)  # noqa: S603

    return run


@pytest.fixture
def claim(keycloak: Keycloak) -> Iterator[KeycloakAdmin]:
    """A realm that was imported with `GROUPS_CLAIM=true`: its pass-through tokens have the claim."""
    admin = keycloak.admin()
    scope = admin.get_client_scope_by_name("nextcloud-mcp:pass-through")
    assert scope is not None
    (mapper,) = [each for each in scope["protocolMappers"] if each["name"] == "groups"]
    on = mapper | {"config": mapper["config"] | {"access.token.claim": "true"}}
    admin.update_mapper_in_client_scope(scope["id"], mapper["id"], on)
    yield admin
    admin.update_mapper_in_client_scope(scope["id"], mapper["id"], mapper)


@pytest.fixture
def managed(chain: Chain, keycloak: Keycloak, occ: Occ) -> Iterator[str]:
    """The group that the realm decides; afterwards, it decides none."""
    name = f"sales.{secrets.token_hex(4)}"

    def set_up(groups: str) -> None:
        settings = {
            "OCC": str(chain.config.nextcloud_occ),
            "OIDC_DISCOVERY_URL": keycloak.discovery_url,
            "NEXTCLOUD_OIDC_CLIENT_SECRET": NEXTCLOUD_CLIENT_SECRET,
            "NEXTCLOUD_LINK_LOCAL_ACCOUNTS": "false",
            "NEXTCLOUD_GROUPS": groups,
        }
        subprocess.run(["sh", str(SETUP)], check=True, capture_output=True, env=os.environ | settings)  # noqa: S603, S607

    set_up(name)
    yield name
    set_up("")
    occ("group:delete", name)


async def test_realm_decides_the_named_groups_alone(
    keycloak: Keycloak, anonymous: httpx.AsyncClient, claim: KeycloakAdmin, occ: Occ, managed: str
) -> None:
    """The claim adds to and removes from the named group; `admin` is never granted; Nextcloud's own groups stay."""
    own, other = f"own-{secrets.token_hex(4)}", f"salesx{managed.removeprefix('sales.')}"
    groups = {name: str(claim.create_group({"name": name})) for name in (managed, other, "admin")}
    occ("group:add", own)
    try:
        with somebody_new(claim) as (user_id, person):
            for group in groups.values():
                claim.group_user_add(user_id, group)
            member = Member(keycloak, anonymous, person)
            await member.sign_in()
            await eventually(lambda: member.has({managed}))
            occ("group:adduser", own, person["username"])
            await eventually(lambda: member.has({managed, own}))
            claim.group_user_remove(user_id, groups[managed])
            await member.sign_in()
            await eventually(lambda: member.has({own}))
    finally:
        occ("group:delete", own)
        for group in groups.values():
            claim.delete_group(group)


class Member:
    """Somebody who is in groups."""

    def __init__(self, keycloak: Keycloak, http: httpx.AsyncClient, person: Person) -> None:
        self._keycloak = keycloak
        self._http = http
        self._person = person

    async def sign_in(self) -> None:
        """Get a new token, with the claim as it is now."""
        token = (await sign_in(self._keycloak, **self._person, scope="nextcloud-mcp:pass-through"))["access_token"]
        self._http.headers.update({"Authorization": f"Bearer {token}", "OCS-APIRequest": "true"})

    async def has(self, groups: set[str]) -> bool:
        """Return whether these are the account's groups."""
        found = set((await self._http.get(USER)).json()["ocs"]["data"]["groups"])
        assert "admin" not in found
        return found == groups
