"""Activity: github.com/nextcloud/activity, docs/endpoint-v2.md, and undocumented behavior."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
import pytest

from tests.contract.people import Person

ACTIVITY: Final = "/ocs/v2.php/apps/activity/api/v2/activity"
LAST_GIVEN: Final = "X-Activity-Last-Given"
FIRST_KNOWN: Final = "X-Activity-First-Known"
NOBODYS: Final = 999_999_999_999
Row = dict[str, Any]


async def ask(person: Person, path: str = "", **params: str | int) -> httpx.Response:
    """Ask for activities."""
    return await person.http.get(ACTIVITY + path, params={"format": "json", **params})


async def latest(person: Person, limit: int = 20) -> list[Row]:
    """Return the latest activities."""
    answer = await ask(person, limit=limit)
    assert answer.status_code == 200, answer.text
    rows: list[Row] = answer.json()["ocs"]["data"]
    return rows


async def put(person: Person, *names: str, content: bytes = b"x") -> None:
    """Write a file."""
    assert (await person.http.put(person.path(*names), content=content)).is_success


async def move(person: Person, old: tuple[str, ...], new: tuple[str, ...]) -> None:
    """Move a file or folder."""
    headers = {"Destination": person.address(*new)}
    assert (await person.http.request("MOVE", person.path(*old), headers=headers)).is_success


async def test_activity_fields(alice: Person, folder: str) -> None:
    """Ids are numbers, the subject is a sentence, the path starts at the root, and the time has a UTC offset."""
    await put(alice, folder, "a.txt")
    await put(alice, folder, "a.txt", content=b"y")
    changed, created, *_ = await latest(alice)
    for row, kind, verb in ((changed, "file_changed", "changed"), (created, "file_created", "created")):
        assert (row["app"], row["type"], row["user"], row["object_type"]) == ("files", kind, alice.user, "files")
        assert row["subject"].startswith(f"You {verb} {folder}/a.txt")
        assert type(row["activity_id"]) is type(row["object_id"]) is int
        assert abs(datetime.fromisoformat(row["datetime"]) - datetime.now(UTC)) < timedelta(minutes=5)
    assert (changed["object_name"], changed["link"].partition("?")[2]) == (f"/{folder}/a.txt", f"dir=/{folder}")


async def test_activities_of_file_operations(alice: Person, folder: str) -> None:
    """A rename or move is a change; a move names the file's new folder; a copy is a new file."""
    assert (await alice.http.request("MKCOL", alice.path(folder, "sub"))).status_code == 201
    await put(alice, folder, "a.txt")
    await move(alice, (folder, "a.txt"), (folder, "b.txt"))
    await move(alice, (folder, "b.txt"), (folder, "sub", "b.txt"))
    headers = {"Destination": alice.address(folder, "c.txt")}
    await alice.http.request("COPY", alice.path(folder, "sub", "b.txt"), headers=headers)
    assert (await alice.http.delete(alice.path(folder, "sub"))).status_code == 204
    assert [(row["type"], row["subject"], row["object_name"]) for row in (await latest(alice))[:4]] == [
        ("file_deleted", f"You deleted {folder}/sub", f"/{folder}/sub"),
        ("file_created", f"You created {folder}/c.txt", f"/{folder}/c.txt"),
        ("file_changed", f"You moved {folder}/b.txt to {folder}/sub", f"/{folder}/sub/b.txt"),
        ("file_changed", f"You renamed {folder}/a.txt to {folder}/b.txt", f"/{folder}/b.txt"),
    ]


async def test_similar_changes_are_grouped_in_one_activity(alice: Person, folder: str) -> None:
    """Up to five files share an entry with the oldest one's id and object, so a page may have fewer than `limit`."""
    await put(alice, folder, "0.txt")
    await alice.http.delete(alice.path(folder, "0.txt"))
    for name in range(1, 7):
        await put(alice, folder, f"{name}.txt")
    answer = await ask(alice, limit=6)
    five, one = answer.json()["ocs"]["data"]
    names = [f"{folder}/{name}.txt" for name in range(6, 1, -1)]
    assert five["subject"] == f"You created {', '.join(names[:-1])} and {names[-1]}"
    assert (five["object_name"], len(five["objects"])) == (f"/{folder}/2.txt", 5)
    assert one["subject"] == f"You created {folder}/1.txt"
    assert one["activity_id"] == int(answer.headers[LAST_GIVEN]) < five["activity_id"]


async def test_since_and_headers_page_through_activities(alice: Person, folder: str) -> None:
    """`since` is the id of the activity before the page; headers give the last id, and whether another page follows."""
    await put(alice, folder, "a.txt")
    await put(alice, folder, "a.txt", content=b"y")
    await alice.http.delete(alice.path(folder, "a.txt"))
    first = await ask(alice, limit=1)
    (deleted,) = first.json()["ocs"]["data"]
    assert deleted["type"] == "file_deleted"
    assert first.headers[LAST_GIVEN] == first.headers[FIRST_KNOWN] == str(deleted["activity_id"])
    assert "next" in first.links
    second = await ask(alice, limit=1, since=first.headers[LAST_GIVEN])
    (changed,) = second.json()["ocs"]["data"]
    assert (changed["type"], FIRST_KNOWN in second.headers) == ("file_changed", False)


async def test_last_page_has_no_link_and_is_followed_by_304(bob: Person) -> None:
    """The last page has no link to another one, and the request after it gets 304 without a body."""
    await put(bob, "contract-activity.txt")
    await bob.http.delete(bob.path("contract-activity.txt"))
    answer, since = await ask(bob, limit=200), 0
    while "next" in answer.links:
        since = int(answer.headers[LAST_GIVEN])
        answer = await ask(bob, limit=200, since=since)
    last = int(answer.headers[LAST_GIVEN])
    assert last != since
    after = await ask(bob, since=last)
    assert (after.status_code, after.content, "next" in after.links) == (304, b"", False)


async def test_unknown_since_id_starts_with_the_newest_activity(alice: Person, bob: Person, folder: str) -> None:
    """Another user's id is refused; for an unknown id, the list starts with the newest activity and returns its id."""
    await put(alice, folder, "a.txt")
    newest = (await latest(alice, 1))[0]["activity_id"]
    assert (await ask(bob, since=newest)).status_code == 403
    answer = await ask(alice, limit=1, since=NOBODYS)
    assert answer.headers[FIRST_KNOWN] == str(answer.json()["ocs"]["data"][0]["activity_id"])


async def test_filters_are_listed_and_used_by_id(alice: Person, folder: str) -> None:
    """Filters are listed by id, which is part of the path; an unknown filter gets 404."""
    await put(alice, folder, "a.txt")
    listed = {row["id"] for row in (await ask(alice, "/filters")).json()["ocs"]["data"]}
    assert {"all", "self", "by", "files", "files_sharing", "calendar", "contacts"} <= listed
    assert {row["app"] for row in (await ask(alice, "/files")).json()["ocs"]["data"]} == {"files"}
    calendar = await ask(alice, "/calendar")
    apps = {row["app"] for row in calendar.json()["ocs"]["data"]} if calendar.status_code == 200 else set()
    assert calendar.status_code in {200, 304}
    assert apps <= {"dav"}
    assert (await ask(alice, "/nosuch")).status_code == 404


@pytest.mark.parametrize("path", ["", "/filters"])
async def test_request_without_token_is_401(anonymous: httpx.AsyncClient, path: str) -> None:
    """A request without a token gets 401."""
    answer = await anonymous.get(ACTIVITY + path, params={"format": "json"}, headers={"OCS-APIRequest": "true"})
    assert answer.status_code == 401
