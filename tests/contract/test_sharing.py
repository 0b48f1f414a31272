"""Shares: responses of the OCS Share API.

https://docs.nextcloud.com/server/latest/developer_manual/client_apis/OCS/ocs-share-api.html
Nextcloud allows 20 new shares in ten minutes per user, so these tests create only a few.
"""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import httpx
import pytest

from tests.contract.people import Person
from tests.contract.releases import of_release

SHARES: Final = "/ocs/v2.php/apps/files_sharing/api/v1/shares"
USER, GROUP, LINK = 0, 1, 3
PASSWORD: Final = "Kq7-vermilion-otter"
NEXT_MONTH: Final = (date.today() + timedelta(days=30)).isoformat()  # noqa: DTZ011 - Nextcloud's own zone, within a day


@pytest.fixture
async def file(alice: Person, folder: str) -> AsyncIterator[str]:
    """The path of a file, as shares name it; its shares end with it."""
    await alice.http.put(alice.path(folder, "a.txt"), content=b"x")
    yield f"/{folder}/a.txt"
    for share in data(await ask(alice, "GET", params={"path": f"/{folder}/a.txt"})):
        await ask(alice, "DELETE", f"/{share['id']}")


async def ask(
    person: Person,
    method: str,
    path: str = "",
    *,
    json: dict[str, Any] | None = None,
    params: Mapping[str, str] | None = None,
) -> httpx.Response:
    """Send a request."""
    return await person.http.request(method, SHARES + path, params={"format": "json", **(params or {})}, json=json)


def data(answer: httpx.Response) -> Any:
    """Return what a successful answer is about."""
    assert answer.status_code == 200, answer.text
    return answer.json()["ocs"]["data"]


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """Return the status of a refusal, and the sentence for people."""
    meta = answer.json()["ocs"]["meta"]
    assert (meta["status"], meta["statuscode"]) == ("failure", answer.status_code)
    return answer.status_code, meta["message"]


SHAREES: Final = "/ocs/v2.php/apps/files_sharing/api/v1/sharees"


MAIL: Final = "bob@example.org"


@pytest.mark.parametrize("written", [MAIL, "BOB"])
async def test_inexact_recipient_id_shares_with_nobody(alice: Person, bob: Person, file: str, written: str) -> None:
    """A share with a mail address, or with an id in another case, does not reach bob.

    Nextcloud refuses it for an account of user_oidc; for a local account it reports success and stores the recipient as
    sent. So clients look up recipients first: the search finds exactly the intended account.
    """
    await knows_mail_address(bob)
    answer = await ask(alice, "POST", json={"path": file, "shareType": USER, "shareWith": written})
    if answer.status_code == 404:
        assert refusal(answer) == (404, "Please specify a valid account to share with")
    else:
        assert data(answer)["share_with"] == written
    seen = data(await ask(bob, "GET", params={"shared_with_me": "true"}))
    assert [each for each in seen if each["path"].endswith("/a.txt")] == []
    assert await found(alice, written, USER) == {bob.user}


async def knows_mail_address(bob: Person) -> None:
    """Let Nextcloud know bob's mail address, which tokens do not always tell it; the stand-in does."""
    answer = await bob.http.put(f"/ocs/v2.php/cloud/users/{bob.user}", json={"key": "email", "value": MAIL})
    assert answer.status_code in {200, 404, 405}, answer.text


@pytest.mark.parametrize(("called", "kind"), [("nobody@example.org", USER), ("Nobody At All", USER), ("nobody", GROUP)])
async def test_unknown_recipient_is_not_found(alice: Person, called: str, kind: int) -> None:
    """The recipient search returns an empty result with 200."""
    assert await found(alice, called, kind) == set()


async def found(person: Person, called: str, kind: int) -> set[str]:
    """Return the ids of the users or groups that are called exactly so."""
    params = {"format": "json", "search": called, "itemType": "file", "shareType": str(kind), "lookup": "false"}
    exact = data(await person.http.get(SHAREES, params=params))["exact"]
    return {each["value"]["shareWith"] for each in exact["users" if kind == USER else "groups"]}


async def test_share_with_a_user(alice: Person, bob: Person, file: str) -> None:
    """The id is a string; both users see the share, each under their own path; only the owner may change it."""
    with_bob = {"path": file, "shareType": USER, "shareWith": bob.user, "permissions": 1}
    share = data(await ask(alice, "POST", json=with_bob))
    assert share["id"].isdecimal()
    assert (share["share_type"], share["share_with"], share["uid_owner"]) == (USER, bob.user, alice.user)
    assert (share["path"], share["item_type"], share["permissions"]) == (file, "file", 1)
    assert (share["expiration"], share["note"], share["label"]) == (None, "", "")
    one = f"/{share['id']}"

    (read,) = data(await ask(alice, "GET", one))
    assert read["id"] == share["id"]
    (listed,) = data(await ask(alice, "GET", params={"path": file}))
    assert listed["id"] == share["id"]
    (seen,) = [
        each for each in data(await ask(bob, "GET", params={"shared_with_me": "true"})) if each["id"] == share["id"]
    ]
    assert seen["path"].startswith("/a")
    assert data(await ask(bob, "GET", one))[0]["path"] == seen["path"]

    again = data(await ask(alice, "POST", json=with_bob | {"permissions": 3}))
    assert (again["id"], again["permissions"]) == (share["id"], 1), "the same share, and not what was asked for now"
    assert (await ask(bob, "PUT", one, json={"permissions": 3})).status_code == 403
    assert data(await ask(alice, "PUT", one, json={"permissions": 3}))["permissions"] == 3
    assert data(await ask(alice, "DELETE", one)) == []
    assert (await ask(alice, "DELETE", one)).status_code == 404


async def test_share_with_a_group(alice: Person, file: str) -> None:
    """A group is a recipient like a user; permissions that files cannot have are removed."""
    with_group = {"path": file, "shareType": GROUP, "shareWith": "admin", "permissions": 31}
    share = data(await ask(alice, "POST", json=with_group))
    assert (share["share_type"], share["share_with"], share["permissions"]) == (GROUP, "admin", 19)
    refused = await ask(alice, "PUT", f"/{share['id']}", json={"permissions": 31})
    assert refusal(refused)[0] == 400


@pytest.mark.by_release
async def test_public_link(alice: Person, file: str, release: int) -> None:
    """A link has a URL; its password is returned as a hash in two fields, and stays until it is removed."""
    asked = {"path": file, "shareType": LINK, "permissions": 1, "password": PASSWORD, "expireDate": NEXT_MONTH}
    share = data(await ask(alice, "POST", json=asked))
    assert share["url"].endswith(f"/s/{share['token']}")  # without index.php where the web server rewrites URLs
    assert share["permissions"] == 17, "whoever has a link can pass it on"
    assert share["password"] == share["share_with"]
    assert PASSWORD not in share["password"]
    assert share["expiration"] == f"{NEXT_MONTH} {of_release(release, EXPIRY_TIME)}"

    one = f"/{share['id']}"
    changed = data(await ask(alice, "PUT", one, json={"permissions": 17}))
    assert (changed["password"], changed["expiration"]) == (share["password"], share["expiration"])
    bare = data(await ask(alice, "PUT", one, json={"password": "", "expireDate": ""}))
    assert (bare["password"], bare["share_with"], bare["expiration"]) == (None, None, None)


REFUSED: Final[Mapping[str, tuple[dict[str, Any], int]]] = {
    "no such file": ({"path": "/none", "shareType": LINK}, 404),
    "the root folder": ({"path": "/", "shareType": LINK}, 403),
    "nobody of that name": ({"shareType": USER, "shareWith": "nobody-of-that-name"}, 404),
    "no such group": ({"shareType": GROUP, "shareWith": "no-such-group"}, 404),
    "oneself": ({"shareType": USER, "shareWith": "alice"}, 403),
    "a type that is none": ({"shareType": 99, "shareWith": "bob"}, 400),
    "a day that is over": ({"shareType": LINK, "expireDate": "2020-01-01"}, 404),
    "a date that is none": ({"shareType": LINK, "expireDate": "soon"}, 404),
    "a weak password": ({"shareType": LINK, "password": "abc"}, 400),
}


@pytest.mark.parametrize(("asked", "status"), REFUSED.values(), ids=REFUSED.keys())
async def test_invalid_share_is_refused_with_a_message(
    alice: Person, file: str, asked: dict[str, Any], status: int
) -> None:
    """Each refusal has a readable message; the status is not specific: an expiration date in the past gets 404."""
    found, sentence = refusal(await ask(alice, "POST", json={"path": file} | asked))
    assert found == status
    assert sentence


async def test_missing_share_or_file_is_404(alice: Person) -> None:
    """A missing share or file gets 404 with a message."""
    for method, body in (("GET", None), ("PUT", {"permissions": 1}), ("DELETE", None)):
        assert refusal(await ask(alice, method, "/999999", json=body))[0] == 404
    assert refusal(await ask(alice, "GET", params={"path": "/none"}))[0] == 404


async def test_sharing_requires_a_token(anonymous: httpx.AsyncClient) -> None:
    """Without a token, OCS returns its own error message."""
    answer = await anonymous.get(SHARES, params={"format": "json"}, headers={"OCS-APIRequest": "true"})
    assert answer.status_code == 401
    assert answer.json()["ocs"]["meta"]["statuscode"] == 997


@pytest.mark.by_release
@pytest.mark.parametrize("expire", ["tomorrow", "2027-01-01T10:00:00+05:00"])
async def test_expiration_date_is_parsed_leniently(alice: Person, file: str, release: int, expire: str) -> None:
    """PHP parses the date, and a time can become the day before, so clients must check it."""
    made = data(await ask(alice, "POST", json={"path": file, "shareType": LINK, "expireDate": expire}))
    assert made["expiration"].endswith(of_release(release, EXPIRY_TIME))


EXPIRY_TIME: Final = {32: "00:00:00", 34: "23:59:59"}
"""The time of the last day at which a share ends."""

SHARED_UNTIL_TODAY: Final = {32: 404, 34: 200}
"""The status for a share whose last day is today."""


@pytest.mark.by_release
async def test_expiration_day_depends_on_the_version(alice: Person, file: str, release: int) -> None:
    """Nextcloud 32 ends a share when its last day begins, so it refuses today; Nextcloud 34 ends it when the day ends.

    The time in the response shows which of the two applies.
    """
    today = datetime.now(UTC).date()
    asked = {"path": file, "shareType": LINK, "permissions": 1}
    for_today = await ask(alice, "POST", json=asked | {"expireDate": today.isoformat()})
    later = today + timedelta(days=30)
    kept = data(await ask(alice, "POST", json=asked | {"expireDate": later.isoformat()}))["expiration"]
    assert for_today.status_code == of_release(release, SHARED_UNTIL_TODAY)
    assert kept == f"{later} {of_release(release, EXPIRY_TIME)}"
