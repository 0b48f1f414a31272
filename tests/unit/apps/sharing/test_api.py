"""`apps.sharing.api`: the OCS Share API, as Nextcloud 32 answers."""

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
from tests.support.nextcloud import FILES, SHARES, USER_PATH, FakeNextcloud, dav_file, dav_shared, ocs, propfind, share

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


async def test_shares_with_a_user(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The path starts at the root, and only passed fields are sent; numbers are returned with their names."""
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


async def test_creates_a_public_link(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Password and expiration are sent; the password hash in the response is not returned."""
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


async def test_expiration_day_is_inclusive(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Nextcloud 32 ends a share at the start of its expiration day, so the next day is sent."""
    early, right = share(expiration="2027-05-01 00:00:00"), share(expiration="2027-05-02 00:00:00")
    fake.on("POST", SHARES, ocs(early))
    fake.on("PUT", f"{SHARES}/5", ocs(right))
    made = await create(nextcloud, expires="2027-05-01")
    assert (made.expiration, made.expires) == ("2027-05-01 23:59:59", date(2027, 5, 1))
    assert json.loads(fake.requests[-1].content) == {"expireDate": "2027-05-02"}
    fake.on("PUT", f"{SHARES}/5", ocs(early), ocs(right))
    changed = await update(nextcloud, expires="2027-05-01")
    assert changed.expires == date(2027, 5, 1)


async def test_existing_share_keeps_expiration(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Nextcloud 34 returns the existing share unchanged; an earlier day does not mean Nextcloud 32."""
    fake.on("POST", SHARES, ocs(share(expiration="2027-04-30 23:59:59")))
    assert (await create(nextcloud, expires="2027-05-01")).expires == date(2027, 4, 30)
    assert fake.asked("PUT") == []


async def test_expiration_can_be_today(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Nextcloud 32 treats today as expired, so the next day is sent."""
    today = datetime.now(UTC).date()
    tomorrow = today + timedelta(days=1)
    fake.on("GET", USER_PATH, ocs({"id": "alice", "timezone": "UTC"}))
    fake.on(
        "POST", SHARES, ocs([], 404, "Expiration date is in the past"), ocs(share(expiration=f"{tomorrow} 00:00:00"))
    )
    assert (await create(nextcloud, expires=today.isoformat())).expires == today
    assert json.loads(fake.requests[-1].content)["expireDate"] == tomorrow.isoformat()


async def test_unsupported_expiration_creates_no_share(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """An administrator's limit can allow the day but not the next one, which Nextcloud 32 needs."""
    fake.on("POST", SHARES, ocs(share(expiration="2027-05-01 00:00:00")))
    fake.on("PUT", f"{SHARES}/5", ocs([], 400, "Cannot set expiration date more than 7 days in the future"))
    fake.on("DELETE", f"{SHARES}/5", ocs([]))
    with pytest.raises(InvalidArgumentError, match="more than 7 days in the future"):
        await create(nextcloud, expires="2027-05-01")
    assert fake.asked("DELETE") == [f"DELETE {SHARES}/5?format=json"]


async def test_share_that_can_not_be_deleted_is_named(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The error has the share and its last day, because others have access now."""
    fake.on("POST", SHARES, ocs(share(expiration="2027-05-01 00:00:00")))
    fake.on("PUT", f"{SHARES}/5", ocs([], 400, "Too late"))
    fake.on("DELETE", f"{SHARES}/5", ocs([], 403, "No"))
    with pytest.raises(ForbiddenError) as failed:
        await create(nextcloud, expires="2027-05-01")
    assert str(failed.value) == (
        "Share 5 exists, but its last day is 2027-04-30 and not 2027-05-01, and deleting it failed. Nextcloud refused "
        "share 5 (No): change or delete it."
    )


async def test_half_done_update_says_what_is_done(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Permissions and password are changed, although the second request for the last day failed."""
    fake.on("PUT", f"{SHARES}/5", ocs(share(expiration="2027-05-01 00:00:00")), ocs([], 400, "Too late"))
    with pytest.raises(InvalidArgumentError) as failed:
        await update(nextcloud, permissions=1, expires="2027-05-01")
    assert str(failed.value) == (
        "Share 5 is changed, but its last day is 2027-04-30 and not 2027-05-01. Nextcloud refused share 5 (Too late): "
        "correct what it names."
    )


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
async def test_invalid_expiration_is_refused(nextcloud: Nextcloud, fake: FakeNextcloud, expires: str) -> None:
    """Nextcloud would guess a day or use its own time zone, and a past day would end the share at once."""
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
async def test_expiration_accepts_dates_and_times(nextcloud: Nextcloud, fake: FakeNextcloud, expires: str) -> None:
    """Midnight counts as the day that it starts, for new and for changed shares."""
    fake.on("POST", SHARES, ocs(share(expiration="2027-05-01 23:59:59")))
    fake.on("PUT", f"{SHARES}/5", ocs(share(expiration="2027-05-01 23:59:59")))
    for call in (create(nextcloud, expires=expires), update(nextcloud, expires=expires)):
        assert (await call).expires == date(2027, 5, 1)
        assert json.loads(fake.requests[-1].content)["expireDate"] == "2027-05-01"


@pytest.mark.parametrize("stored", ["2027-05-02 00:00:00", "2027-05-01 23:59:59"])
async def test_read_expiration_can_be_written_back(nextcloud: Nextcloud, fake: FakeNextcloud, stored: str) -> None:
    """In either version's format it is read as the last second of its day."""
    fake.on("GET", f"{SHARES}/5", ocs([share(expiration=stored)]))
    fake.on("PUT", f"{SHARES}/5", ocs(share(expiration="2027-05-01 23:59:59")))
    read = await sharing.get(nextcloud, 5)
    assert (read.expiration, read.expires) == ("2027-05-01 23:59:59", date(2027, 5, 1))
    for given in (read.expiration, str(read.expires)):
        await update(nextcloud, expires=given)
        assert json.loads(fake.requests[-1].content)["expireDate"] == "2027-05-01"


async def test_unknown_share_type_is_readable(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Apps add share types of their own."""
    fake.on("GET", SHARES, ocs([share(share_type=12), share(share_type=99)]))
    found = await sharing.list_all(nextcloud, path=None, shared_with_me=False)
    assert [each.kind for each in found] == ["deck", "other"]


async def test_public_link_with_recipient_is_refused(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Nextcloud would ignore the recipient and publish the file to everyone."""
    with pytest.raises(InvalidArgumentError, match="leave share_with empty"):
        await create(nextcloud, share_type=LINK, share_with="bob")
    assert fake.asked() == []


async def test_unreadable_expiration_is_kept_as_sent(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The share is returned as Nextcloud sent it, without a last day."""
    fake.on("GET", f"{SHARES}/5", ocs([share(expiration="some day")]))
    read = await sharing.get(nextcloud, 5)
    assert (read.expiration, read.expires) == ("some day", None)


@pytest.mark.parametrize("permissions", [0, -1, 32])
async def test_invalid_permissions_are_refused(nextcloud: Nextcloud, fake: FakeNextcloud, permissions: int) -> None:
    """The error lists the numbers and their names."""
    for call in (create(nextcloud, permissions=permissions), update(nextcloud, permissions=permissions)):
        with pytest.raises(InvalidArgumentError, match=r"1 read, 2 update, 4 create, 8 delete, 16 share"):
            await call
    assert fake.asked() == []


async def update(nextcloud: Nextcloud, **changes: Any) -> Share:
    """Change share 5."""
    usual: dict[str, Any] = {"permissions": 1, "password": None, "expires": None}
    return await sharing.update(nextcloud, 5, **(usual | changes))


async def test_reads_one_share(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Nextcloud returns one share as a list."""
    fake.on("GET", f"{SHARES}/5", ocs([share()]))
    assert (await sharing.get(nextcloud, 5)).share_with == "bob"


async def test_empty_share_list_is_not_found(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """An empty list for one share means that the share does not exist."""
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
async def test_lists_own_and_received_shares(
    nextcloud: Nextcloud, fake: FakeNextcloud, path: str | None, query: str, *, shared_with_me: bool
) -> None:
    """Lists own or received shares, for all files or for one."""
    fake.on("GET", SHARES, ocs([share(), share(id="6")]))
    found = await sharing.list_all(nextcloud, path=path, shared_with_me=shared_with_me)
    assert [each.id for each in found] == [5, 6]
    assert str(fake.requests[-1].url) == f"https://cloud.test{SHARES}?{query}"


async def test_who_shared_on_is_not_the_owner(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Both are shown where they differ."""
    own, on = share(uid_file_owner="alice"), share(id="6", uid_owner="carl", uid_file_owner="bob")
    fake.on("GET", SHARES, ocs([own, on]))
    found = [each.model_dump() for each in await sharing.list_all(nextcloud, path=None, shared_with_me=True)]
    assert [(each["uid_owner"], each.get("uid_file_owner")) for each in found] == [("alice", None), ("carl", "bob")]


INSIDE: Final = {"path": "/d/a.txt/theirs", "uid_owner": "carl", "uid_file_owner": "carl"}
UNSHAREABLE: Final = {
    "oneself": ("alice", "", [], "'alice' is yourself: name another person."),
    "the owner": (
        "bob",
        dav_shared("SRGDNVW", bits=19),
        [],
        "/d/a.txt belongs to Bob Example (bob), who needs",
    ),
    "shares inside": ("carl", "", [INSIDE], "/d/a.txt contains /d/a.txt/theirs, which belongs to carl, and Nextcloud"),
    "another reason": ("carl", "", [], "Nextcloud refused a share of /d/a.txt (Nein)"),
}


@pytest.mark.parametrize(("recipient", "more", "inside", "sentence"), UNSHAREABLE.values(), ids=UNSHAREABLE.keys())
async def test_refused_share_says_why(
    nextcloud: Nextcloud, fake: FakeNextcloud, recipient: str, more: str, inside: list[dict[str, str]], sentence: str
) -> None:
    """Nextcloud's reason is in the user's language and names no next step."""
    fake.on("POST", SHARES, ocs([], 403, "Nein"))
    fake.on("PROPFIND", f"{FILES}/d/a.txt", propfind(dav_file(f"{FILES}/d/a.txt", more=more)))
    fake.on("GET", SHARES, ocs(inside))
    with pytest.raises(ForbiddenError) as refused:
        await create(nextcloud, share_with=recipient)
    assert str(refused.value).startswith(sentence)


@pytest.mark.parametrize(
    ("changes", "sent"),
    [
        ({"permissions": 3}, {"permissions": 3}),
        ({"password": "Kq7-vermilion-otter"}, {"permissions": 1, "password": "Kq7-vermilion-otter"}),
        ({"password": "", "expires": ""}, {"permissions": 1, "password": "", "expireDate": ""}),
    ],
    ids=["permissions", "password", "taken away"],
)
async def test_updates_a_share(
    nextcloud: Nextcloud, fake: FakeNextcloud, changes: dict[str, Any], sent: dict[str, Any]
) -> None:
    """Omitted fields stay unchanged."""
    fake.on("PUT", f"{SHARES}/5", ocs(share(permissions=3)))
    assert (await update(nextcloud, **changes)).permissions == 3
    assert json.loads(fake.requests[-1].content) == sent


async def test_deletes_a_share(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The share is read first: one that was with the user is only left."""
    fake.on("GET", f"{SHARES}/5", ocs([share()]), ocs([share(uid_owner="bob")]))
    fake.on("DELETE", f"{SHARES}/5", ocs([]))
    assert await sharing.delete(nextcloud, 5) is None
    left = await sharing.delete(nextcloud, 5)
    assert left is not None
    assert left.uid_owner == "bob"
    assert fake.asked("DELETE") == [f"DELETE {SHARES}/5?format=json"] * 2


async def test_path_traversal_is_refused(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The rules are the same as for files."""
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
async def test_refusal_error_quotes_nextcloud(
    nextcloud: Nextcloud,
    fake: FakeNextcloud,
    call: Callable[[Nextcloud], Awaitable[object]],
    refused: Answer,
    error: type[Exception],
    sentence: str,
) -> None:
    """The error quotes Nextcloud's message, which is written for users in their language."""
    for method in ("POST", "GET"):
        fake.on(method, SHARES, refused)
    for method in ("GET", "PUT", "DELETE"):
        fake.on(method, f"{SHARES}/5", refused)
    fake.on("PROPFIND", f"{FILES}/d/a.txt", propfind(dav_file(f"{FILES}/d/a.txt")))
    with pytest.raises(error, match=sentence):
        await call(nextcloud)


async def test_sharing_on_without_permission_names_owner(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Nextcloud answers 404 to who may not share a file with others."""
    place = f"{FILES}/d/a.txt"
    fake.on("POST", SHARES, ocs([], 404, "You are not allowed to share a.txt"))
    fake.on("PROPFIND", place, propfind(dav_file(place, more=dav_shared("SGNVW", bits=3))))
    with pytest.raises(ForbiddenError) as refused:
        await create(nextcloud)
    assert str(refused.value) == (
        "You may read and change /d/a.txt, which belongs to Bob Example (bob), and this needs the permission to "
        "share it with others: ask Bob Example (bob) for it."
    )


@pytest.mark.parametrize("share_type", [-1, 2, 5, 99])
async def test_unsupported_share_type_lists_supported_ones(
    nextcloud: Nextcloud, fake: FakeNextcloud, share_type: int
) -> None:
    """The error lists the supported share types."""
    with pytest.raises(InvalidArgumentError, match=rf"^Invalid share_type {share_type}: pass 0 for a user, 1 for a gr"):
        await create(nextcloud, share_type=share_type, share_with="x")
    assert fake.requests == []


async def test_unknown_team_is_not_found(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Nextcloud 34.0.1 answers HTTP 500 for an unknown team id."""
    fake.on("POST", SHARES, answer(500, json={"ocs": {"meta": {"message": ""}, "data": []}}))
    with pytest.raises(NotFoundError, match=r"^Nextcloud found no team 'x': pass the id of a team\.$"):
        await create(nextcloud, share_type=7, share_with="x")
