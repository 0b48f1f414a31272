"""Non-ASCII user ids, as user_oidc permits them, in headers, paths and addresses; and the user id in responses."""

import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import quote

import httpx
import pytest

from stack.chain import Chain
from stack.keycloak import Keycloak
from tests.contract.addresses import NOTES
from tests.contract.people import Person
from tests.contract.releases import of_release
from tests.support.administration import any_username, somebody_new
from tests.support.oauth import sign_in

USER = "/ocs/v2.php/cloud/user?format=json"


@asynccontextmanager
async def _somebody(keycloak: Keycloak, anonymous: httpx.AsyncClient, name: str) -> AsyncIterator[httpx.AsyncClient]:
    """Sign in a new person of that name, who has an account then."""
    admin = keycloak.admin()
    with any_username(admin), somebody_new(admin, name) as (_, person):
        tokens = await sign_in(keycloak, **person, scope="nextcloud-mcp:pass-through")
        anonymous.headers.update({"Authorization": f"Bearer {tokens['access_token']}", "OCS-APIRequest": "true"})
        answer = await anonymous.get(USER)
        assert answer.json()["ocs"]["data"]["id"] == name
        yield anonymous


def _named(answer: httpx.Response) -> list[bytes]:
    return [value for name, value in answer.headers.raw if name.lower() == b"x-user-id"]


NAMED_IN_DAV: Final[Mapping[int, list[bytes]]] = {32: [], 34: [b"alice"]}
"""The user ids in the header of a response of WebDAV."""


@pytest.mark.by_release
async def test_responses_have_the_user_id_in_a_header(alice: Person, release: int) -> None:
    """OCS and the apps return the user id in a header; WebDAV does so only since Nextcloud 34."""
    for path in (USER, NOTES):
        assert _named(await alice.http.get(path)) == [b"alice"]
    for path in ("files/alice/", "files/alice/not-there", "files/bob/", "calendars/bob/"):
        answer = await alice.http.request("PROPFIND", f"/remote.php/dav/{path}")
        assert _named(answer) == of_release(release, NAMED_IN_DAV)


async def test_webdav_of_another_account_reveals_nothing(alice: Person, bob: Person) -> None:
    """For another account, WebDAV returns an error or nothing but the home folder."""
    home = f"/remote.php/dav/files/{bob.user}/"
    listed = await alice.http.request("PROPFIND", home, headers={"Depth": "1"})
    assert (listed.status_code, listed.content.count(b"<d:response>")) == (207, 1)
    for path in ("calendars/bob/", "addressbooks/users/bob/", "trashbin/bob/trash/", "uploads/bob/"):
        answer = await alice.http.request("PROPFIND", f"/remote.php/dav/{path}", headers={"Depth": "1"})
        assert answer.is_client_error or answer.content.count(b"<d:response>") <= 1, (path, answer.text)


@pytest.mark.parametrize(
    "make",
    [
        lambda x: f"zoë.müller-{x}",
        lambda x: f"日本-{x}",
        lambda x: f"😀-{x}",
        lambda x: f"two words {x}",
        lambda x: f"{x}@example.org",
    ],
    ids=["umlauts", "another script", "emoji", "spaces", "an address"],
)
async def test_any_user_id_in_headers_and_paths(
    anonymous: httpx.AsyncClient, keycloak: Keycloak, make: Callable[[str], str]
) -> None:
    """User ids are in UTF-8 in headers, and percent-encoded in paths, `Destination` and hrefs."""
    name = make(secrets.token_hex(4))
    async with _somebody(keycloak, anonymous, name) as http:
        assert _named(await http.get(USER)) == [name.encode()]
        home = f"/remote.php/dav/files/{quote(name, safe='')}"
        assert (await http.put(f"{home}/a.txt", content=b"x")).status_code == 201
        destination = {"Destination": f"{str(http.base_url).rstrip('/')}{home}/b.txt", "Overwrite": "F"}
        assert (await http.request("MOVE", f"{home}/a.txt", headers=destination)).status_code == 201
        listed = await http.request("PROPFIND", f"{home}/b.txt", headers={"Depth": "0"})
        assert listed.status_code == 207
        for path in ("calendars", "addressbooks/users", "principals/users"):
            found = await http.request("PROPFIND", f"/remote.php/dav/{path}/{quote(name, safe='')}/")
            assert found.status_code == 207, path


@pytest.mark.parametrize("make", [lambda x: f"{x}+{x}", lambda x: f"{x}%2b"], ids=["a plus", "an escape"])
async def test_recipient_search_fails_for_some_user_ids(
    anonymous: httpx.AsyncClient, keycloak: Keycloak, make: Callable[[str], str]
) -> None:
    """The recipient search fails for a user whose own id has a `+` or a percent escape."""
    async with _somebody(keycloak, anonymous, make(secrets.token_hex(4))) as http:
        params = {"format": "json", "search": "bob", "itemType": "file", "shareType": "0", "lookup": "false"}
        answer = await http.get("/ocs/v2.php/apps/files_sharing/api/v1/sharees", params=params)
        assert answer.status_code == 500


async def test_plus_in_user_id_is_decoded_twice(anonymous: httpx.AsyncClient, keycloak: Keycloak, chain: Chain) -> None:
    """With `+` in the user id, files need a path that is encoded twice, and calendars and contacts are missing."""
    if chain.nextcloud.kind == "stand-in":
        pytest.skip("the stand-in decodes a path once, as the specifications have it")
    name = f"bob+{secrets.token_hex(4)}"
    async with _somebody(keycloak, anonymous, name) as http:
        once = quote(name, safe="")
        twice = quote(once, safe="")

        async def statuses(path: str) -> list[int]:
            answers = [await http.request("PROPFIND", f"/remote.php/dav/{path}/{user}/") for user in (once, twice)]
            return [answer.status_code for answer in answers]

        for path in ("files", "trashbin"):
            assert await statuses(path) == [404, 207], path
        for path in ("calendars", "addressbooks/users", "principals/users"):
            assert 207 not in await statuses(path), path
