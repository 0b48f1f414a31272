"""`nextcloud.sharing`: the OCS Share API, as Nextcloud 32 answers."""

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import pytest

from nextcloud_mcp.apps.sharing import api as sharing
from nextcloud_mcp.apps.sharing.api import LINK, Share
from nextcloud_mcp.errors import (
    ForbiddenError,
    InvalidArgumentError,
    NextcloudMCPError,
    NextcloudUnavailableError,
    NotFoundError,
    RateLimitedError,
)
from nextcloud_mcp.nextcloud.client import Nextcloud
from tests.support.issuer import Answer, answer
from tests.support.nextcloud import SHARES, USER_PATH, FakeNextcloud, ocs, share

HASH: Final = "3|$argon2id$v=19$m=65536,t=4,p=1$hash"


async def create(nextcloud: Nextcloud, **changes: Any) -> Share:
    """Share a file with bob."""
    usual: dict[str, Any] = {
        "share_type": 0,
        "share_with": "bob",
        "permissions": 1,
        "password": None,
        "expires": None,
    }
    return await sharing.create(nextcloud, "d/a.txt", **(usual | changes))


async def test_shares_with_a_person(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Nextcloud gets the path from the root, and no more than was asked; numbers come back with their names."""
    fake.on("POST", SHARES, ocs(share(permissions=19)))
    made = await create(nextcloud, permissions=19)
    assert made.model_dump() == {
        "id": 5,
        "share_type": 0,
        "path": "/d/a.txt",
        "item_type": "file",
        "permissions": 19,
        "uid_owner": "alice",
        "share_with": "bob",
        "share_with_displayname": "Bob Builder",
        "url": None,
        "has_password": False,
        "expiration": None,
        "expires": None,
        "note": "",
        "label": "",
        "kind": "user",
        "permission_names": ["read", "update", "share"],
    }
    assert json.loads(fake.requests[-1].content) == {
        "path": "/d/a.txt",
        "shareType": 0,
        "shareWith": "bob",
        "permissions": 19,
    }
    assert fake.asked() == [f"POST {SHARES}?format=json"]


async def test_makes_a_link(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Password and last day go with it; the hash that comes back is seen by nobody."""
    link = share(
        share_type=LINK, share_with=HASH, password=HASH, url="https://cloud.test/s/x", expiration="2027-05-01 23:59:59"
    )
    fake.on("POST", SHARES, ocs(link))
    made = await create(nextcloud, share_type=LINK, share_with="", password="Kq7-vermilion-otter", expires="2027-05-01")
    assert (made.kind, made.has_password, made.share_with) == ("link", True, None)
    assert (made.url, made.expiration) == ("https://cloud.test/s/x", "2027-05-01 23:59:59")
    assert "argon2" not in made.model_dump_json()
    sent = json.loads(fake.requests[-1].content)
    assert (sent["password"], sent["expireDate"]) == ("Kq7-vermilion-otter", "2027-05-01")


async def test_a_last_day_counts(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Nextcloud 32 ends a share when the day begins that it is given, so it is given the day after."""
    early, right = share(expiration="2027-05-01 00:00:00"), share(expiration="2027-05-02 00:00:00")
    fake.on("POST", SHARES, ocs(early))
    fake.on("PUT", f"{SHARES}/5", ocs(right))
    made = await create(nextcloud, expires="2027-05-01")
    assert (made.expiration, made.expires) == ("2027-05-01 23:59:59", date(2027, 5, 1))
    assert json.loads(fake.requests[-1].content) == {"expireDate": "2027-05-02"}
    fake.on("PUT", f"{SHARES}/5", ocs(early), ocs(right))
    changed = await update(nextcloud, expires="2027-05-01")
    assert changed.expires == date(2027, 5, 1)


async def test_a_share_that_was_there_keeps_its_last_day(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Nextcloud 34 returns it as it was, and a day before is no sign of Nextcloud 32."""
    fake.on("POST", SHARES, ocs(share(expiration="2027-04-30 23:59:59")))
    assert (await create(nextcloud, expires="2027-05-01")).expires == date(2027, 4, 30)
    assert fake.asked("PUT") == []


async def test_today_is_a_last_day(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """For Nextcloud 32 it is over already."""
    today = datetime.now(UTC).date()
    tomorrow = today + timedelta(days=1)
    fake.on("GET", USER_PATH, ocs({"id": "alice", "timezone": "UTC"}))
    fake.on(
        "POST", SHARES, ocs([], 404, "Expiration date is in the past"), ocs(share(expiration=f"{tomorrow} 00:00:00"))
    )
    assert (await create(nextcloud, expires=today.isoformat())).expires == today
    assert json.loads(fake.requests[-1].content)["expireDate"] == tomorrow.isoformat()


async def test_a_share_whose_last_day_cannot_be_is_not_made(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """An administrator's limit can allow the day and not the one after, which Nextcloud 32 needs."""
    fake.on("POST", SHARES, ocs(share(expiration="2027-05-01 00:00:00")))
    fake.on("PUT", f"{SHARES}/5", ocs([], 400, "Cannot set expiration date more than 7 days in the future"))
    fake.on("DELETE", f"{SHARES}/5", ocs([]))
    with pytest.raises(InvalidArgumentError, match="more than 7 days in the future"):
        await create(nextcloud, expires="2027-05-01")
    assert fake.asked("DELETE") == [f"DELETE {SHARES}/5?format=json"]


@pytest.mark.parametrize(
    "expires",
    [
        *("tomorrow", "20270101", "2027-02-30", "1.1.2027", "2001-01-01", "9999-12-31", "2027-W01-1"),
        *(
            "2027-01-01T10:00:00+01:00",
            "2027-01-01 10:00:00",
            "2027-01-01T23:00:00Z",
            "2027-02-30T00:00",
            "2027-01-01T",
        ),
        *("2001-01-01T00:00:00", "2027-01-01T00:00:00 Europe/Berlin"),
    ],
)
async def test_what_is_no_last_day(nextcloud: Nextcloud, fake: FakeNextcloud, expires: str) -> None:
    """Nextcloud would make a day of it by itself, or of its own time zone; and a day that is over ends it at once."""
    for call in (create(nextcloud, expires=expires), update(nextcloud, expires=expires)):
        with pytest.raises(InvalidArgumentError, match=r"expires .*write the last day"):
            await call
    assert fake.asked() == []


@pytest.mark.parametrize(
    "expires",
    [
        "2027-05-01",
        " 2027-05-01 ",
        "2027-05-01 00:00:00",
        "2027-05-01T00:00",
        "2027-05-01T00:00:00Z",
        "2027-05-01T00:00:00.000Z",
        "2027-05-01T00:00:00+02:00",
        "2027-05-01 00:00:00-0500",
        "2027-05-01 23:59:59",
        "2027-05-01T23:59:59.999+02:00",
    ],
)
async def test_each_form_of_a_last_day_means_that_day(nextcloud: Nextcloud, fake: FakeNextcloud, expires: str) -> None:
    """A moment at midnight is the day that it begins, for a new share and for a change."""
    fake.on("POST", SHARES, ocs(share(expiration="2027-05-01 23:59:59")))
    fake.on("PUT", f"{SHARES}/5", ocs(share(expiration="2027-05-01 23:59:59")))
    for call in (create(nextcloud, expires=expires), update(nextcloud, expires=expires)):
        assert (await call).expires == date(2027, 5, 1)
        assert json.loads(fake.requests[-1].content)["expireDate"] == "2027-05-01"


@pytest.mark.parametrize("stored", ["2027-05-02 00:00:00", "2027-05-01 23:59:59"])
async def test_what_was_read_can_be_given_back(nextcloud: Nextcloud, fake: FakeNextcloud, stored: str) -> None:
    """The moment in which a share ends, as either version writes it, is read as the last second of its last day."""
    fake.on("GET", f"{SHARES}/5", ocs([share(expiration=stored)]))
    fake.on("PUT", f"{SHARES}/5", ocs(share(expiration="2027-05-01 23:59:59")))
    read = await sharing.get(nextcloud, 5)
    assert (read.expiration, read.expires) == ("2027-05-01 23:59:59", date(2027, 5, 1))
    for given in (read.expiration, str(read.expires)):
        await update(nextcloud, expires=given)
        assert json.loads(fake.requests[-1].content)["expireDate"] == "2027-05-01"


async def test_a_share_of_another_kind_is_no_riddle(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Apps bring share types of their own."""
    fake.on("GET", SHARES, ocs([share(share_type=12), share(share_type=99)]))
    found = await sharing.list_all(nextcloud, path=None, shared_with_me=False)
    assert [each.kind for each in found] == ["deck", "other"]


async def test_a_link_for_somebody_is_refused(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Nextcloud would ignore the name and publish the file to all; the caller meant one person."""
    with pytest.raises(InvalidArgumentError, match="leave share_with empty"):
        await create(nextcloud, share_type=LINK, share_with="bob")
    assert fake.asked() == []


async def test_a_share_without_a_readable_end_is_read(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """As Nextcloud writes it, without a last day."""
    fake.on("GET", f"{SHARES}/5", ocs([share(expiration="some day")]))
    read = await sharing.get(nextcloud, 5)
    assert (read.expiration, read.expires) == ("some day", None)


@pytest.mark.parametrize("permissions", [0, -1, 32])
async def test_permissions_that_are_none(nextcloud: Nextcloud, fake: FakeNextcloud, permissions: int) -> None:
    """The caller is told the numbers and their names."""
    for call in (create(nextcloud, permissions=permissions), update(nextcloud, permissions=permissions)):
        with pytest.raises(InvalidArgumentError, match=r"1 read, 2 update, 4 create, 8 delete, 16 share"):
            await call
    assert fake.asked() == []


async def update(nextcloud: Nextcloud, **changes: Any) -> Share:
    """Change share 5."""
    usual: dict[str, Any] = {"permissions": 1, "password": None, "expires": None}
    return await sharing.update(nextcloud, 5, **(usual | changes))


async def test_reads_one_share(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """It comes as a list of one."""
    fake.on("GET", f"{SHARES}/5", ocs([share()]))
    assert (await sharing.get(nextcloud, 5)).share_with == "bob"


async def test_no_share_in_the_list_is_none(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Should the list ever be empty, that is a share that is not there."""
    fake.on("GET", f"{SHARES}/5", ocs([]))
    with pytest.raises(NotFoundError, match="did not find share 5"):
        await sharing.get(nextcloud, 5)


@pytest.mark.parametrize(
    ("path", "shared_with_me", "query"),
    [
        (None, False, "format=json&shared_with_me=false"),
        ("d/a b.txt", False, "format=json&shared_with_me=false&path=%2Fd%2Fa+b.txt"),
        ("", True, "format=json&shared_with_me=true"),
    ],
)
async def test_lists_shares(
    nextcloud: Nextcloud, fake: FakeNextcloud, path: str | None, query: str, *, shared_with_me: bool
) -> None:
    """One's own or those with oneself; of all files, or of one."""
    fake.on("GET", SHARES, ocs([share(), share(id="6")]))
    found = await sharing.list_all(nextcloud, path=path, shared_with_me=shared_with_me)
    assert [each.id for each in found] == [5, 6]
    assert fake.asked() == [f"GET {SHARES}?{query}"]


@pytest.mark.parametrize(
    ("changes", "sent"),
    [
        ({"permissions": 3}, {"permissions": 3}),
        ({"password": "Kq7-vermilion-otter"}, {"permissions": 1, "password": "Kq7-vermilion-otter"}),
        ({"password": "", "expires": ""}, {"permissions": 1, "password": "", "expireDate": ""}),
    ],
    ids=["permissions", "password", "taken away"],
)
async def test_changes_a_share(
    nextcloud: Nextcloud, fake: FakeNextcloud, changes: dict[str, Any], sent: dict[str, Any]
) -> None:
    """What is not named stays as it is."""
    fake.on("PUT", f"{SHARES}/5", ocs(share(permissions=3)))
    assert (await update(nextcloud, **changes)).permissions == 3
    assert json.loads(fake.requests[-1].content) == sent


async def test_ends_a_share(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """One request, by its number."""
    fake.on("DELETE", f"{SHARES}/5", ocs([]))
    await sharing.delete(nextcloud, 5)
    assert fake.asked() == [f"DELETE {SHARES}/5?format=json"]


async def test_a_path_that_climbs_is_refused(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """As for files."""
    with pytest.raises(InvalidArgumentError, match="Invalid path"):
        await sharing.list_all(nextcloud, path="../bob", shared_with_me=False)
    assert fake.asked() == []


REFUSALS: Final[Mapping[str, tuple[Answer, type[NextcloudMCPError], str]]] = {
    "bad": (ocs([], 400, "Unknown share type"), InvalidArgumentError, "Unknown share type"),
    "not theirs": (ocs([], 403, "Cannot share with yourself"), ForbiddenError, "Cannot share with yourself"),
    "nobody": (ocs([], 404, "Please specify a valid account"), NotFoundError, "Please specify a valid account"),
    "without a word": (ocs([], 404, ""), NotFoundError, "check the (name|arguments)"),
    "no OCS": (answer(404, text="<h1>Not found</h1>"), NotFoundError, "Nextcloud did not find "),
    "too many": (answer(429), RateLimitedError, "asks for a pause"),
    "a defect there": (ocs([], 500, "Internal"), NextcloudUnavailableError, "HTTP 500"),
}
CALLS: Final[Mapping[str, Callable[[Nextcloud], Awaitable[object]]]] = {
    "create": create,
    "get": lambda nextcloud: sharing.get(nextcloud, 5),
    "list": lambda nextcloud: sharing.list_all(nextcloud, path=None, shared_with_me=False),
    "update": update,
    "delete": lambda nextcloud: sharing.delete(nextcloud, 5),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
@pytest.mark.parametrize(("refused", "error", "sentence"), REFUSALS.values(), ids=REFUSALS.keys())
async def test_a_refusal_says_why(
    nextcloud: Nextcloud,
    fake: FakeNextcloud,
    call: Callable[[Nextcloud], Awaitable[object]],
    refused: Answer,
    error: type[Exception],
    sentence: str,
) -> None:
    """Nextcloud's own sentence, which is for people and in their language, goes on to the caller."""
    for method in ("POST", "GET"):
        fake.on(method, SHARES, refused)
    for method in ("GET", "PUT", "DELETE"):
        fake.on(method, f"{SHARES}/5", refused)
    with pytest.raises(error, match=sentence):
        await call(nextcloud)


@pytest.mark.parametrize("share_type", [-1, 2, 5, 99])
async def test_a_share_type_that_can_t_be_made(nextcloud: Nextcloud, fake: FakeNextcloud, share_type: int) -> None:
    """The sentence has the types that there are."""
    with pytest.raises(InvalidArgumentError, match=rf"^Invalid share_type {share_type}: pass 0 for a user, 1 for a gr"):
        await create(nextcloud, share_type=share_type, share_with="x")
    assert fake.requests == []


async def test_a_team_that_is_not_there(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """For the id of no team Nextcloud answers HTTP 500 (34.0.1), which is no trouble of its own."""
    fake.on("POST", SHARES, answer(500, json={"ocs": {"meta": {"message": ""}, "data": []}}))
    with pytest.raises(NotFoundError, match=r"^Nextcloud found no team 'x': pass the id of a team\.$"):
        await create(nextcloud, share_type=7, share_with="x")
