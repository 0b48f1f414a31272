"""Realm users without access to Nextcloud: one with the name of a local account, and one with a disabled account.

nextcloud/setup.sh closes local accounts to the realm (`soft_auto_provision=false`). Every Nextcloud has at least one:
its administrator's, `admin`.
"""

import json
import os
import re
import secrets
import shlex
import subprocess
from base64 import b64decode
from collections.abc import Iterator

import httpx
import pytest

from stack.chain import Chain
from stack.keycloak import Keycloak
from tests.contract.addresses import NOTES
from tests.contract.people import Person as Signed
from tests.support.administration import somebody_new
from tests.support.browser import Browser
from tests.support.http import patient_client
from tests.support.oauth import Person, sign_in

USER = "/ocs/v2.php/cloud/user?format=json"
SHARES = "/ocs/v2.php/apps/files_sharing/api/v1/shares?format=json"
FILES = "/remote.php/dav/files/admin/"


@pytest.fixture
def namesake(keycloak: Keycloak) -> Iterator[Person]:
    """Somebody in the realm who is called admin."""
    with somebody_new(keycloak.admin(), "admin") as (_, person):
        yield person


async def test_token_with_a_local_accounts_name_is_refused(
    anonymous: httpx.AsyncClient, keycloak: Keycloak, namesake: Person
) -> None:
    """Every API answers as to an untrusted token: the caller cannot tell the two apart."""
    headers = await _headers(keycloak, namesake)
    for path in (USER, SHARES, NOTES):
        answer = await anonymous.get(path, headers=headers)
        stranger = await anonymous.get(path, headers=headers | {"Authorization": "Bearer a.b.c"})
        assert (answer.status_code, answer.content) == (401, stranger.content)
        assert answer.headers.keys() == stranger.headers.keys()
        assert "x-user-id" not in answer.headers
    assert (await anonymous.request("PROPFIND", FILES, headers=headers)).status_code == 401
    assert (await anonymous.put(f"{FILES}captured.txt", headers=headers, content=b"x")).status_code == 401


async def test_local_account_names_ignore_case(anonymous: httpx.AsyncClient, chain: Chain, keycloak: Keycloak) -> None:
    """A realm user with another capitalization of the name of an `occ user:add` account has no access either."""
    if chain.config.nextcloud_occ is None:
        pytest.skip("NEXTCLOUD_OCC is not set: no real Nextcloud to make an account in")
    name = f"Local-{secrets.token_hex(4)}"
    run_occ(chain, "user:add", "--password-from-env", name)
    try:
        with somebody_new(keycloak.admin(), name.lower()) as (_, person):
            answer = await anonymous.get(USER, headers=await _headers(keycloak, person))
    finally:
        run_occ(chain, "user:delete", name)
    assert answer.status_code == 401


async def test_disabled_account_is_named_in_the_401(bob: Signed, chain: Chain) -> None:
    """The 401 for a disabled account contains the account's id, which no other 401 does."""
    if chain.config.nextcloud_occ is None:
        pytest.skip("NEXTCLOUD_OCC is not set: no real Nextcloud to disable an account in")
    run_occ(chain, "user:disable", bob.user)
    try:
        answers = [await bob.http.get(path) for path in (USER, SHARES, NOTES)]
    finally:
        run_occ(chain, "user:enable", bob.user)
    assert [(answer.status_code, answer.headers.get("x-user-id")) for answer in answers] == [(401, bob.user)] * 3


async def test_web_login_with_a_local_accounts_name_fails(nextcloud_url: str, chain: Chain, namesake: Person) -> None:
    """The web login ends at a page about a conflict, without a session."""
    if chain.nextcloud.kind == "stand-in":
        pytest.skip("the stand-in has no web login")
    async with patient_client(base_url=nextcloud_url) as http:
        to_keycloak = (await http.get(_web_login((await http.get("/index.php/login?direct=1")).text))).headers[
            "location"
        ]
        back = await Browser().authorize(to_keycloak, **namesake)
        answer = await http.get(back)
        assert answer.status_code == 400
        assert "conflict" in answer.text
        assert (await http.get(USER, headers={"OCS-APIRequest": "true"})).status_code == 401


def _web_login(page: str) -> str:
    """Return where the login page's button for the realm leads to; its buttons are JSON in base64."""
    (state,) = re.findall(r'id="initial-state-core-alternativeLogins" value="([^"]*)"', page)
    return next(str(login["href"]) for login in json.loads(b64decode(state)) if "user_oidc" in login["href"])


async def _headers(keycloak: Keycloak, person: Person) -> dict[str, str]:
    tokens = await sign_in(keycloak, **person, scope="nextcloud-mcp:pass-through")
    return {"Authorization": f"Bearer {tokens['access_token']}", "OCS-APIRequest": "true"}


def run_occ(chain: Chain, *arguments: str) -> None:
    """Run a command of occ."""
    command = [*shlex.split(str(chain.config.nextcloud_occ)), *arguments]
    environment = os.environ | {"OC_PASS": secrets.token_urlsafe(16)}
    subprocess.run(command, check=True, capture_output=True, env=environment)  # noqa: S603 - the one given
