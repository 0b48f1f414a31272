"""Who is calling, and what Nextcloud lets them do: user_oidc, OCS, and the CORS rule of the app APIs."""

import httpx
import pytest

from tests.contract.addresses import NOTES
from tests.contract.multistatus import exception, propfind
from tests.contract.people import Person

USER = "/ocs/v2.php/cloud/user?format=json"
CAPABILITIES = "/ocs/v2.php/cloud/capabilities?format=json"


async def test_status_is_open_to_all(anonymous: httpx.AsyncClient) -> None:
    """`status.php` tells whoever asks that Nextcloud is ready, so that our readiness check needs no token."""
    answer = await anonymous.get("/status.php")
    assert answer.status_code == 200
    assert answer.json()["installed"] is True
    assert answer.json()["maintenance"] is False


async def test_a_token_is_its_users(alice: Person, bob: Person) -> None:
    """OCS names the user id that the token was mapped to."""
    assert (alice.user, bob.user) == ("alice", "bob")


async def test_the_user_has_a_name_for_people(alice: Person) -> None:
    """OCS gives a display name, and an e-mail address or null."""
    data = (await alice.http.get(USER)).json()["ocs"]["data"]
    assert data["displayname"]
    assert "email" in data


@pytest.mark.parametrize("app", ["core", "notes", "dav", "files"])
async def test_apps_announce_themselves(alice: Person, app: str) -> None:
    """A signed-in user finds each app that they may use in the capabilities."""
    answer = await alice.http.get(CAPABILITIES)
    assert answer.status_code == 200
    assert app in answer.json()["ocs"]["data"]["capabilities"]


async def test_capabilities_do_not_check_the_token(anonymous: httpx.AsyncClient) -> None:
    """A bad token gets the few capabilities of strangers and no 401; that `core` is not among them tells it."""
    headers = {"Authorization": "Bearer nonsense", "OCS-APIRequest": "true"}
    answer = await anonymous.get(CAPABILITIES, headers=headers)
    assert answer.status_code == 200
    assert not {"core", "notes"} & answer.json()["ocs"]["data"]["capabilities"].keys()


@pytest.mark.parametrize("authorization", [None, "Bearer nonsense", "Bearer a.b.c"])
async def test_ocs_refuses_strangers(anonymous: httpx.AsyncClient, authorization: str | None) -> None:
    """Without a good token OCS answers 401, and its own status 997."""
    answer = await anonymous.get(USER, headers=_headers(authorization))
    assert answer.status_code == 401
    assert answer.json()["ocs"]["meta"]["statuscode"] == 997


@pytest.mark.parametrize("authorization", [None, "Bearer nonsense", "Bearer a.b.c"])
async def test_webdav_refuses_strangers(anonymous: httpx.AsyncClient, authorization: str | None) -> None:
    """Without a good token WebDAV answers 401 with an XML body."""
    path = "/remote.php/dav/files/alice/"
    answer = await anonymous.request("PROPFIND", path, headers=_headers(authorization))
    assert answer.status_code == 401
    assert exception(answer) == "NotAuthenticated"


@pytest.mark.parametrize("authorization", [None, "Bearer nonsense", "Bearer a.b.c"])
async def test_notes_refuse_strangers(anonymous: httpx.AsyncClient, authorization: str | None) -> None:
    """Without a good token the Notes API answers 401 with a message."""
    answer = await anonymous.get(NOTES, headers=_headers(authorization))
    assert answer.status_code == 401
    assert answer.json()["message"] == "Current user is not logged in"


async def test_a_token_for_another_audience_is_refused(anonymous: httpx.AsyncClient, foreign_token: str) -> None:
    """A token of the realm that was not made for Nextcloud opens none of its APIs."""
    headers = _headers(f"Bearer {foreign_token}")
    answers = [
        await anonymous.get(USER, headers=headers),
        await anonymous.get(NOTES, headers=headers),
        await anonymous.request("PROPFIND", "/remote.php/dav/files/alice/", headers=headers),
    ]
    assert [answer.status_code for answer in answers] == [401, 401, 401]


async def test_notes_want_the_ocs_header(alice: Person) -> None:
    """Without `OCS-APIRequest` a good token gets 401 from app APIs; with it, and no cookie, it gets in."""
    del alice.http.headers["OCS-APIRequest"]
    refused = await alice.http.get(NOTES)
    assert refused.status_code == 401
    assert refused.json() == {"message": "CORS requires basic auth"}
    assert (await alice.http.get(NOTES, headers={"OCS-APIRequest": "true"})).status_code == 200
    assert not alice.http.cookies


async def test_nobody_sees_anothers_files(alice: Person, bob: Person, folder: str) -> None:
    """Another's home looks empty, what is in it is not there, and nothing can be put into it."""
    home = alice.path()
    assert [entry.path for entry in await propfind(bob.http, home)] == [home]
    assert (await bob.http.get(alice.path(folder))).status_code == 404
    assert (await bob.http.request("PROPFIND", alice.path(folder))).status_code == 404
    assert (await bob.http.put(alice.path("mine.txt"), content=b"x")).status_code == 403
    assert (await bob.http.delete(alice.path(folder))).status_code == 404


async def test_nothing_can_be_moved_to_another(alice: Person, bob: Person, folder: str) -> None:
    """A `Destination` among another's files is refused, and the file stays."""
    await alice.http.put(alice.path(folder, "a.txt"), content=b"x")
    headers = {"Destination": bob.address("a.txt")}
    answer = await alice.http.request("MOVE", alice.path(folder, "a.txt"), headers=headers)
    assert answer.status_code == 403
    assert (await alice.http.get(alice.path(folder, "a.txt"))).content == b"x"


async def test_nobody_sees_anothers_notes(alice: Person, bob: Person, category: str) -> None:
    """A note's id is of no use to another."""
    note = (await alice.http.post(NOTES, json={"title": "Mine", "category": category})).json()
    assert (await bob.http.get(f"{NOTES}/{note['id']}")).status_code == 404
    assert (await bob.http.put(f"{NOTES}/{note['id']}", json={"content": "x"})).status_code == 404
    assert (await bob.http.delete(f"{NOTES}/{note['id']}")).status_code == 404


def _headers(authorization: str | None) -> dict[str, str]:
    headers = {"OCS-APIRequest": "true"}
    return headers | {"Authorization": authorization} if authorization else headers
