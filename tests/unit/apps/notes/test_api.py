"""`apps.notes.api`: Nextcloud Notes, REST API v1."""

import json
import re
from typing import Any

import httpx
import pytest

from nextcloud_mcp.apps.notes import api as notes
from nextcloud_mcp.errors import (
    ConflictError,
    ForbiddenError,
    InvalidArgumentError,
    LockedError,
    NextcloudError,
    NextcloudUnavailableError,
    NotFoundError,
)
from nextcloud_mcp.nextcloud.client import Nextcloud
from tests.support.issuer import answer
from tests.support.nextcloud import (
    FILES,
    NOTE_PATH,
    NOTES,
    FakeNextcloud,
    dav_file,
    dav_folder,
    dav_locked,
    dav_shared,
    note,
    propfind,
)

SETTINGS = "/index.php/apps/notes/api/v1/settings"
ATTACHMENT = "/index.php/apps/notes/api/v1.4/attachment/7"


def body(request: httpx.Request) -> Any:
    """Return the JSON of a request."""
    return json.loads(request.content)


async def test_reads_a_note(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """A note comes with content and ETag; unrequested fields are left out."""
    fake.on("GET", f"{NOTES}/7", answer(json=note()))
    assert (await notes.get(nextcloud, 7)).model_dump() == {
        "id": 7,
        "title": "Plans",
        "content": "# Plans",
        "category": "Work",
        "modified": 1700000000,
        "favorite": False,
        "etag": "49582d0c",
        "readonly": False,
    }


async def test_lists_all_notes(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The list has every note, in Nextcloud's order."""
    fake.on("GET", NOTES, answer(json=[note(id=2), note(id=1)]))
    assert [found.id for found in await notes.list_all(nextcloud)] == [2, 1]


async def test_list_without_contents_excludes_them(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Contents that are not needed are excluded from the request."""
    heading = {name: value for name, value in note().items() if name != "content"}
    fake.on("GET", NOTES, answer(json=[heading]))
    assert [found.title for found in await notes.list_headings(nextcloud)] == ["Plans"]
    assert fake.requests[-1].url.params["exclude"] == "content"


async def test_creates_a_note(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Title, content and category are sent; Nextcloud may return another title."""
    fake.on("POST", NOTES, answer(json=note(title="Plans (2)")))
    created = await notes.create(nextcloud, title="Plans", content="# Plans", category="Work")
    assert created.title == "Plans (2)"
    assert body(fake.requests[0]) == {"title": "Plans", "content": "# Plans", "category": "Work"}


@pytest.mark.parametrize(
    ("changes", "sent"),
    [
        pytest.param({"content": "new"}, {"content": "new"}, id="content"),
        pytest.param({"title": "T", "category": ""}, {"title": "T", "category": ""}, id="title, and no category"),
        pytest.param({"content": ""}, {"content": ""}, id="emptied"),
        pytest.param({}, {}, id="nothing"),
    ],
)
async def test_updates_only_what_is_given(
    nextcloud: Nextcloud, fake: FakeNextcloud, changes: dict[str, str], sent: dict[str, str]
) -> None:
    """Fields that are None are not sent and stay unchanged; an empty string is a value."""
    has_file(fake, "")
    fake.on("PUT", f"{NOTES}/7", answer(json=note()))
    await notes.update(nextcloud, 7, etag="abc", **changes)
    assert body(fake.requests[-1]) == sent


@pytest.mark.parametrize("etag", ["abc", '"abc"'])
async def test_update_sends_quoted_if_match(nextcloud: Nextcloud, fake: FakeNextcloud, etag: str) -> None:
    """The ETag is accepted with or without quotes and sent quoted."""
    fake.on("PUT", f"{NOTES}/7", answer(json=note()))
    await notes.update(nextcloud, 7, etag=etag, content="new")
    assert fake.requests[-1].headers["If-Match"] == '"abc"'


async def test_stale_etag_is_refused(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """A note that has changed is a conflict without a retry: the caller has to read it first."""
    fake.on("PUT", f"{NOTES}/7", answer(412, json=note(content="somebody else's")))
    with pytest.raises(ConflictError, match="read it again, then repeat the change") as refused:
        await notes.update(nextcloud, 7, etag="abc", content="new")
    assert "49582d0c" not in str(refused.value), "the ETag would overwrite what the caller has not read"
    assert len(fake.asked("PUT")) == 1


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("one", "one\n\n---\n\ntwo", id="below a rule"),
        pytest.param("one\n", "one\n\n---\n\ntwo", id="a line that ends"),
        pytest.param("one\n\n", "one\n\n---\n\ntwo", id="an empty line"),
        pytest.param("one\r\n\r\n", "one\r\n\r\n---\n\ntwo", id="an empty line of Windows"),
        pytest.param("one\r\n", "one\r\n\n---\n\ntwo", id="a line of Windows"),
        pytest.param("one\n \t\n", "one\n \t\n---\n\ntwo", id="a blank line"),
        pytest.param("", "two", id="nothing to divide from"),
    ],
)
async def test_append_keeps_content_and_adds_rule(
    nextcloud: Nextcloud, fake: FakeNextcloud, before: str, after: str
) -> None:
    """The text is added below a horizontal rule that can't be read as the underline of a heading."""
    fake.on("GET", f"{NOTES}/7", answer(json=note(content=before)))
    fake.on("PUT", f"{NOTES}/7", answer(json=note(content=after)))
    await notes.append(nextcloud, 7, "two")
    assert body(fake.requests[-1]) == {"content": after}


async def test_append_retries_after_conflict(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """After a conflict the note is read again, and the text is appended to its current content."""
    fake.on(
        "GET",
        f"{NOTES}/7",
        answer(json=note()),  # for its path
        answer(json=note(content="one", etag="e1")),
        answer(json=note(content="one, and theirs", etag="e2")),
    )
    fake.on("PUT", f"{NOTES}/7", answer(412, json=note()), answer(json=note()))
    await notes.append(nextcloud, 7, "two")
    writes = [request for request in fake.requests if request.method == "PUT"]
    assert [request.headers["If-Match"] for request in writes] == ['"e1"', '"e2"']
    assert body(writes[-1]) == {"content": "one, and theirs\n\n---\n\ntwo"}


async def test_append_retries_while_locked(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Nextcloud answers 423 while others write to the note, and has done nothing."""
    locked = answer(423, json={"errorType": "OCP\\Lock\\LockedException"})
    fake.on("GET", f"{NOTES}/7", answer(json=note(content="one", etag="e1")))
    fake.on("PUT", f"{NOTES}/7", locked, locked, locked, answer(json=note()))
    await notes.append(nextcloud, 7, "two")
    assert body(fake.requests[-1]) == {"content": "one\n\n---\n\ntwo"}


@pytest.mark.parametrize(("status", "error"), [(412, ConflictError), (423, LockedError)])
async def test_append_fails_after_repeated_conflicts(
    nextcloud: Nextcloud, fake: FakeNextcloud, status: int, error: type[Exception]
) -> None:
    """A note that keeps changing ends in a conflict error, one that stays locked in a lock error."""
    fake.on("GET", f"{NOTES}/7", answer(json=note()))
    fake.on("PUT", f"{NOTES}/7", answer(status, json=note()))
    with pytest.raises(error):
        await notes.append(nextcloud, 7, "two")
    assert len(fake.asked("PUT")) == 3 * (1 if status == httpx.codes.PRECONDITION_FAILED else 3)


BOB = "Bob Example (bob)"
FILE = f"{FILES}{NOTE_PATH}"


def has_file(fake: FakeNextcloud, more: str, *, folder: str = "") -> None:
    """The file of the note, its folder and a folder `c` of alice's, with these properties."""
    fake.on("PROPFIND", FILE, propfind(dav_file(FILE, more=more)))
    for path in ("/Notes", "/Notes/Work"):
        fake.on("PROPFIND", f"{FILES}{path}", propfind(dav_folder(f"{FILES}{path}/", more=folder)))
    fake.on("PROPFIND", f"{FILES}/Notes/c", answer(404))


async def test_change_of_a_read_only_note_names_the_owner(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Notes would answer 403 without a reason; nothing is sent."""
    has_file(fake, dav_shared("SG", bits=1))
    refused = f"^You may only read {NOTE_PATH}, which belongs to {re.escape(BOB)}, and this needs the permission to "
    with pytest.raises(ForbiddenError, match=f"{refused}change it"):
        await notes.update(nextcloud, 7, etag="e", content="x")
    with pytest.raises(ForbiddenError, match=f"{refused}change it"):
        await notes.append(nextcloud, 7, "x")
    with pytest.raises(ForbiddenError, match=f"{refused}delete it"):
        await notes.delete(nextcloud, 7)
    assert fake.asked("PUT") + fake.asked("DELETE") == []


async def test_note_is_not_moved_out_of_a_share_without_permission(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Notes would move it, and its owner would no longer have it."""
    has_file(fake, dav_shared("SGNVW", bits=7))
    with pytest.raises(ForbiddenError, match=f"You may read and change {NOTE_PATH}, .* the permission to delete it"):
        await notes.update(nextcloud, 7, etag="e", category="c")
    assert fake.asked("PUT") == []


async def test_note_is_not_moved_into_a_read_only_folder(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Notes moves it there, and then nothing brings it back; a new note there gets 500."""
    read_only = dav_shared("SGDN", bits=1, is_root=True)
    fake.on("PROPFIND", f"{FILES}/Notes/c", propfind(dav_folder(f"{FILES}/Notes/c/", more=read_only)))
    fake.on("GET", SETTINGS, answer(json={"notesPath": "Notes", "fileSuffix": ".md"}))
    fake.on("POST", NOTES, answer(500, json={"errorType": "Exception"}))
    for write in (
        notes.update(nextcloud, 7, etag="e", category="c"),
        notes.create(nextcloud, title="T", content="", category="c"),
    ):
        with pytest.raises(ForbiddenError, match=r"You may only read /+Notes/c, .* the permission to create in it"):
            await write
    assert fake.asked("PUT") == []


@pytest.mark.parametrize("kind", [0, 1, 2])
async def test_locked_note_is_not_changed(nextcloud: Nextcloud, fake: FakeNextcloud, kind: int) -> None:
    """Notes would change it in spite of the lock, or answer 500, and delete its file for good."""
    has_file(fake, dav_locked(kind=kind, timeout=1800))
    for write in (
        notes.update(nextcloud, 7, etag="e", content="x"),
        notes.append(nextcloud, 7, "x"),
        notes.delete(nextcloud, 7),
    ):
        sentence = f"^{NOTE_PATH} is locked by .*{re.escape(BOB)} since 2026-11-28T12:41:09.* until 2026-11-28T13:11:09"
        with pytest.raises(LockedError, match=sentence):
            await write
    assert fake.asked("PUT") + fake.asked("DELETE") == []


async def test_own_lock_does_not_hinder(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Whoever has locked a file may write to it."""
    has_file(fake, dav_locked().replace("bob", "alice"))
    fake.on("PUT", f"{NOTES}/7", answer(json=note(content="x")))
    assert (await notes.update(nextcloud, 7, etag="e", content="x")).note.content == "x"


async def test_note_that_was_shared_itself_is_not_left(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Notes would answer 500; the error names the tools that leave a share."""
    has_file(fake, dav_shared("SGDNVW", bits=3, is_root=True))
    with pytest.raises(ForbiddenError, match=f"The file {NOTE_PATH} of note 7 .* belongs to Bob .*: leave it with nc_"):
        await notes.delete(nextcloud, 7)
    assert fake.asked("DELETE") == []


async def test_unexplained_refusal_keeps_its_error(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Where everything is allowed, the cause is unknown."""
    has_file(fake, "")
    fake.on("PUT", f"{NOTES}/7", answer(403))
    fake.on("POST", NOTES, answer(500))
    fake.on("GET", SETTINGS, answer(json={"notesPath": "Notes", "fileSuffix": ".md"}))
    with pytest.raises(ForbiddenError, match="does not allow this for note 7"):
        await notes.update(nextcloud, 7, etag="e", content="x", category="c")
    with pytest.raises(NextcloudUnavailableError, match="HTTP 500 at note"):
        await notes.create(nextcloud, title="T", content="", category="Work")


async def test_file_that_was_moved_meanwhile_has_no_properties(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The change itself says what is wrong."""
    fake.on("PROPFIND", FILE, answer(404))
    fake.on("DELETE", f"{NOTES}/7", answer(404))
    with pytest.raises(NotFoundError, match="did not find note 7"):
        await notes.delete(nextcloud, 7)


async def test_deletes_a_note(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """One request is sent; a missing note is an error."""
    fake.on("DELETE", f"{NOTES}/7", answer(json=[]), answer(404, json={"errorType": "NoteDoesNotExistException"}))
    await notes.delete(nextcloud, 7)
    with pytest.raises(NotFoundError, match="did not find note 7"):
        await notes.delete(nextcloud, 7)


@pytest.mark.parametrize(
    ("filename", "path"),
    [
        pytest.param("a b.png", ".attachments.7/a b.png", id="name alone"),
        pytest.param(".attachments.7/x.png", ".attachments.7/x.png", id="as the note links to it"),
        pytest.param("pictures/ü&.png", "pictures/ü&.png", id="elsewhere"),
    ],
)
async def test_reads_an_attachment(nextcloud: Nextcloud, fake: FakeNextcloud, filename: str, path: str) -> None:
    """A bare name is in the note's own folder; content and media type are returned unchanged."""
    fake.on("GET", ATTACHMENT, answer(content=b"\x89PNG", headers={"Content-Type": "image/png"}))
    assert await notes.attachment(nextcloud, 7, filename) == (b"\x89PNG", "image/png")
    assert fake.requests[0].url.params["path"] == path


async def test_missing_media_type_is_octet_stream(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Without a media type the most general one applies (RFC 9110 section 8.3)."""
    fake.on("GET", ATTACHMENT, answer(content=b"x"))
    assert await notes.attachment(nextcloud, 7, "x") == (b"x", "application/octet-stream")


async def test_large_attachment_is_refused(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """An attachment too large for a model has to be opened by the user."""
    fake.on("GET", ATTACHMENT, answer(content=b"x" * (notes.MAX_ATTACHMENT + 1)))
    sentence = r"'film.mp4' of note 7 has more than the 4194304 bytes.*open it in Nextcloud"
    with pytest.raises(NextcloudError, match=sentence):
        await notes.attachment(nextcloud, 7, "film.mp4")


async def test_malformed_response_is_outage(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """A note without content is an invalid response."""
    fake.on("GET", f"{NOTES}/7", answer(json={"id": 7}))
    with pytest.raises(NextcloudUnavailableError):
        await notes.get(nextcloud, 7)


@pytest.mark.parametrize("category", ["x.part", "Work/y.PART/z"])
async def test_category_with_forbidden_ending_is_refused(
    nextcloud: Nextcloud, fake: FakeNextcloud, category: str
) -> None:
    """Notes would answer HTTP 500, as Nextcloud allows no such folder."""
    with pytest.raises(InvalidArgumentError, match="Nextcloud does not allow the ending of"):
        await notes.create(nextcloud, title="t", content="", category=category)
    assert fake.requests == []


async def test_decomposed_title_and_category_are_sent_composed(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Nextcloud composes file names, after which the ETag of its response would be out of date."""
    fake.on("POST", NOTES, answer(json=note()))
    fake.on("PUT", f"{NOTES}/7", answer(json=note()))
    fake.on("GET", f"{NOTES}/7", answer(json=note(category="ö")))
    has_file(fake, "")
    await notes.create(nextcloud, title="u\u0308", content="", category="o\u0308")
    await notes.update(nextcloud, 7, etag="e", title="u\u0308", category="o\u0308")
    for request in (each for each in fake.requests if each.method in {"POST", "PUT"}):
        sent = json.loads(request.content)
        assert (sent["title"], sent["category"]) == ("ü", "ö")


async def test_too_long_category_is_refused(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Notes would answer HTTP 500; the error names the category, and nothing is written."""
    category = "Work/" + "c" * 251
    for write in (
        notes.create(nextcloud, title="t", content="", category=category),
        notes.update(nextcloud, 7, etag="e", category=category),
    ):
        with pytest.raises(InvalidArgumentError, match="A part of category has more than 250 bytes"):
            await write
    assert fake.requests == []
