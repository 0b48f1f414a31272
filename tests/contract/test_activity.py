"""Activity: github.com/nextcloud/activity, docs/endpoint-v2.md, and what it leaves unsaid."""

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


async def test_what_a_change_has(alice: Person, folder: str) -> None:
    """Numbers are numbers, the sentence is for people, the path starts at the root, and the time has an offset."""
    await put(alice, folder, "a.txt")
    await put(alice, folder, "a.txt", content=b"y")
    changed, created, *_ = await latest(alice)
    for row, kind, verb in ((changed, "file_changed", "changed"), (created, "file_created", "created")):
        assert (row["app"], row["type"], row["user"], row["object_type"]) == ("files", kind, alice.user, "files")
        assert row["subject"].startswith(f"You {verb} {folder}/a.txt")
        assert type(row["activity_id"]) is type(row["object_id"]) is int
        assert abs(datetime.fromisoformat(row["datetime"]) - datetime.now(UTC)) < timedelta(minutes=5)
    assert (changed["object_name"], changed["link"].partition("?")[2]) == (f"/{folder}/a.txt", f"dir=/{folder}")


async def test_what_happens_to_files(alice: Person, folder: str) -> None:
    """Renaming and moving are changes; a move names the folder where the file is now; a copy is a new file."""
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


async def test_alike_changes_are_one_entry(alice: Person, folder: str) -> None:
    """Up to five files: the entry has the id and the object of the oldest; a page can have fewer than `limit`."""
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


async def test_pages(alice: Person, folder: str) -> None:
    """`since` is an activity id, and the page has what came before it; the headers say which it ends with, and whether
    another follows.
    """  # noqa: D205 - one sentence, which takes two lines
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


async def test_the_last_page(bob: Person) -> None:
    """It has no link to another, and what would come after it is 304, with nothing in it."""
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


async def test_an_id_that_is_not_there(alice: Person, bob: Person, folder: str) -> None:
    """Another person's is refused. With one that nobody has, Nextcloud starts with the newest and says its id."""
    await put(alice, folder, "a.txt")
    newest = (await latest(alice, 1))[0]["activity_id"]
    assert (await ask(bob, since=newest)).status_code == 403
    answer = await ask(alice, limit=1, since=NOBODYS)
    assert answer.headers[FIRST_KNOWN] == str(answer.json()["ocs"]["data"][0]["activity_id"])


async def test_filters(alice: Person, folder: str) -> None:
    """They are listed by id, and stand in the path; one that there is not is not found."""
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
async def test_strangers_get_nothing(anonymous: httpx.AsyncClient, path: str) -> None:
    """401 without a token."""
    answer = await anonymous.get(ACTIVITY + path, params={"format": "json"}, headers={"OCS-APIRequest": "true"})
    assert answer.status_code == 401
