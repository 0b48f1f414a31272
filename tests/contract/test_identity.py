"""The identity and permissions of a caller: user_oidc, OCS, and the CORS check of the app APIs."""

import httpx
import pytest

from tests.contract.addresses import NOTES
from tests.contract.multistatus import exception, propfind
from tests.contract.people import Person

USER = "/ocs/v2.php/cloud/user?format=json"
CAPABILITIES = "/ocs/v2.php/cloud/capabilities?format=json"


async def test_status_needs_no_token(anonymous: httpx.AsyncClient) -> None:
    """`status.php` returns Nextcloud's readiness without a token, so the readiness check needs none."""
    answer = await anonymous.get("/status.php")
    assert answer.status_code == 200
    assert answer.json()["installed"] is True
    assert answer.json()["maintenance"] is False


async def test_token_maps_to_its_user(alice: Person, bob: Person) -> None:
    """OCS returns the user id that the token maps to."""
    assert (alice.user, bob.user) == ("alice", "bob")


async def test_user_has_display_name_and_email(alice: Person) -> None:
    """OCS returns a display name, and an e-mail address or null."""
    data = (await alice.http.get(USER)).json()["ocs"]["data"]
    assert data["displayname"]
    assert "email" in data


@pytest.mark.parametrize("app", ["core", "notes", "dav", "files"])
async def test_capabilities_list_the_users_apps(alice: Person, app: str) -> None:
    """The capabilities of a signed-in user list each app that the user may use."""
    answer = await alice.http.get(CAPABILITIES)
    assert answer.status_code == 200
    assert app in answer.json()["ocs"]["data"]["capabilities"]


async def test_capabilities_do_not_check_the_token(anonymous: httpx.AsyncClient) -> None:
    """A bad token gets the public capabilities instead of 401; a missing `core` reveals this."""
    headers = {"Authorization": "Bearer nonsense", "OCS-APIRequest": "true"}
    answer = await anonymous.get(CAPABILITIES, headers=headers)
    assert answer.status_code == 200
    assert not {"core", "notes"} & answer.json()["ocs"]["data"]["capabilities"].keys()


@pytest.mark.parametrize("authorization", [None, "Bearer nonsense", "Bearer a.b.c"])
async def test_ocs_requires_a_valid_token(anonymous: httpx.AsyncClient, authorization: str | None) -> None:
    """Without a valid token, OCS returns 401 and its own status 997."""
    answer = await anonymous.get(USER, headers=_headers(authorization))
    assert answer.status_code == 401
    assert answer.json()["ocs"]["meta"]["statuscode"] == 997


@pytest.mark.parametrize("authorization", [None, "Bearer nonsense", "Bearer a.b.c"])
async def test_webdav_requires_a_valid_token(anonymous: httpx.AsyncClient, authorization: str | None) -> None:
    """Without a valid token, WebDAV returns 401 with an XML body."""
    path = "/remote.php/dav/files/alice/"
    answer = await anonymous.request("PROPFIND", path, headers=_headers(authorization))
    assert answer.status_code == 401
    assert exception(answer) == "NotAuthenticated"


@pytest.mark.parametrize("authorization", [None, "Bearer nonsense", "Bearer a.b.c"])
async def test_notes_require_a_valid_token(anonymous: httpx.AsyncClient, authorization: str | None) -> None:
    """Without a valid token, the Notes API returns 401 with a message."""
    answer = await anonymous.get(NOTES, headers=_headers(authorization))
    assert answer.status_code == 401
    assert answer.json()["message"] == "Current user is not logged in"


async def test_token_for_another_audience_is_refused(anonymous: httpx.AsyncClient, foreign_token: str) -> None:
    """No API accepts a token of the realm without the audience Nextcloud."""
    headers = _headers(f"Bearer {foreign_token}")
    answers = [
        await anonymous.get(USER, headers=headers),
        await anonymous.get(NOTES, headers=headers),
        await anonymous.request("PROPFIND", "/remote.php/dav/files/alice/", headers=headers),
    ]
    assert [answer.status_code for answer in answers] == [401, 401, 401]


async def test_app_apis_require_the_ocs_header(alice: Person) -> None:
    """App APIs return 401 for a valid token without `OCS-APIRequest`, and accept it with the header and no cookie."""
    del alice.http.headers["OCS-APIRequest"]
    refused = await alice.http.get(NOTES)
    assert refused.status_code == 401
    assert refused.json() == {"message": "CORS requires basic auth"}
    assert (await alice.http.get(NOTES, headers={"OCS-APIRequest": "true"})).status_code == 200
    assert not alice.http.cookies


async def test_files_of_other_users_are_not_accessible(alice: Person, bob: Person, folder: str) -> None:
    """Another user's home looks empty, its files get 404, and nothing can be written to it."""
    home = alice.path()
    assert [entry.path for entry in await propfind(bob.http, home)] == [home]
    assert (await bob.http.get(alice.path(folder))).status_code == 404
    assert (await bob.http.request("PROPFIND", alice.path(folder))).status_code == 404
    assert (await bob.http.put(alice.path("mine.txt"), content=b"x")).status_code == 403
    assert (await bob.http.delete(alice.path(folder))).status_code == 404


async def test_move_to_another_users_files_is_refused(alice: Person, bob: Person, folder: str) -> None:
    """A `Destination` in another user's files is refused, and the file stays."""
    await alice.http.put(alice.path(folder, "a.txt"), content=b"x")
    headers = {"Destination": bob.address("a.txt")}
    answer = await alice.http.request("MOVE", alice.path(folder, "a.txt"), headers=headers)
    assert answer.status_code == 403
    assert (await alice.http.get(alice.path(folder, "a.txt"))).content == b"x"


async def test_notes_of_other_users_are_not_accessible(alice: Person, bob: Person, category: str) -> None:
    """A user cannot use the id of another user's note."""
    note = (await alice.http.post(NOTES, json={"title": "Mine", "category": category})).json()
    assert (await bob.http.get(f"{NOTES}/{note['id']}")).status_code == 404
    assert (await bob.http.put(f"{NOTES}/{note['id']}", json={"content": "x"})).status_code == 404
    assert (await bob.http.delete(f"{NOTES}/{note['id']}")).status_code == 404


def _headers(authorization: str | None) -> dict[str, str]:
    headers = {"OCS-APIRequest": "true"}
    return headers | {"Authorization": authorization} if authorization else headers
