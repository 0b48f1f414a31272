"""Notes: https://github.com/nextcloud/notes/blob/main/docs/api/v1.md, and undocumented behavior."""

from typing import Any, Final

import httpx
import pytest

from tests.contract.addresses import NOTES
from tests.contract.multistatus import properties
from tests.contract.people import Person
from tests.contract.releases import of_release

ATTACHMENT = "/index.php/apps/notes/api/v1.4/attachment"
FIELDS = {"id", "title", "modified", "category", "favorite", "readonly", "content", "etag"}


async def test_create_returns_the_note(alice: Person, category: str) -> None:
    """The response has status 200 and the stored note with its id and ETag."""
    answer = await alice.http.post(NOTES, json={"title": "One", "content": "# One", "category": category})
    assert answer.status_code == 200
    note = answer.json()
    assert set(note) >= FIELDS
    assert (note["title"], note["content"], note["category"]) == ("One", "# One", category)
    assert isinstance(note["id"], int)
    assert (note["favorite"], note["readonly"]) == (False, False)


async def test_note_fields_have_defaults(alice: Person) -> None:
    """A note without fields has the title `New note`, in the user's language, and no category."""
    note = (await alice.http.post(NOTES, json={})).json()
    assert note["title"]
    assert (note["content"], note["category"]) == ("", "")
    assert (await alice.http.delete(f"{NOTES}/{note['id']}")).status_code == 200


async def test_single_note_has_an_etag(alice: Person, category: str) -> None:
    """GET returns the note, and its ETag with quotes in the header and without in the body."""
    note = await _create(alice, category)
    answer = await alice.http.get(f"{NOTES}/{note['id']}")
    assert answer.status_code == 200
    assert answer.json() == note
    assert answer.headers["etag"] == f'"{note["etag"]}"'


async def test_note_keeps_the_sent_modification_date(alice: Person, category: str) -> None:
    """`modified` is stored as it was sent."""
    note = await _create(alice, category, modified=1700000000)
    assert note["modified"] == 1700000000


async def test_list_has_complete_notes(alice: Person, category: str) -> None:
    """The list has each note with the same fields as the single note."""
    note = await _create(alice, category)
    listed = {each["id"]: each for each in (await alice.http.get(NOTES)).json()}
    assert listed[note["id"]] == note


async def test_list_can_exclude_the_content(alice: Person, category: str) -> None:
    """`exclude=content` omits the text and keeps the other fields."""
    note = await _create(alice, category)
    (listed,) = (await alice.http.get(NOTES, params={"exclude": "content", "category": category})).json()
    assert listed == {name: value for name, value in note.items() if name != "content"}


async def test_list_filters_by_exact_category(alice: Person, category: str) -> None:
    """`category` matches exactly this category, without its subcategories."""
    note = await _create(alice, category)
    await _create(alice, f"{category}/Below")
    listed = (await alice.http.get(NOTES, params={"category": category})).json()
    assert [each["id"] for each in listed] == [note["id"]]


async def test_list_in_chunks(alice: Person, category: str) -> None:
    """`chunkSize` returns a cursor until the last chunk, which lists the previous notes by id only."""
    ids = {(await _create(alice, category, title=str(n)))["id"] for n in (1, 2, 3)}
    params = {"category": category, "chunkSize": "2"}
    first = await alice.http.get(NOTES, params=params)
    assert first.headers["x-notes-chunk-pending"] == "1"
    assert len(first.json()) == 2
    last = await alice.http.get(NOTES, params=params | {"chunkCursor": first.headers["x-notes-chunk-cursor"]})
    assert "x-notes-chunk-cursor" not in last.headers
    full = [note["id"] for answer in (first, last) for note in answer.json() if "title" in note]
    assert (len(full), set(full)) == (3, ids)


async def test_list_with_prune_before_omits_unchanged_notes(alice: Person, category: str) -> None:
    """`pruneBefore` reduces unchanged notes to their ids, so a client knows which notes still exist."""
    note = await _create(alice, category)
    params = {"category": category, "pruneBefore": "99999999999"}
    assert (await alice.http.get(NOTES, params=params)).json() == [{"id": note["id"]}]


async def test_duplicate_title_gets_a_number(alice: Person, category: str) -> None:
    """Two notes of one category cannot have the same title."""
    titles = [(await _create(alice, category, title="Twin"))["title"] for _ in range(3)]
    assert titles == ["Twin", "Twin (2)", "Twin (3)"]


@pytest.mark.parametrize(
    ("title", "stored"),
    [
        ('a/b:c*?"<>|\\d', "abcd"),
        ("  ..hidden ", "hidden"),
        ("first\nsecond", "first"),
        ("größe 数 %#&", "größe 数 %#&"),
        ("x" * 120, "x" * 100),
    ],
)
async def test_title_is_sanitized_as_a_file_name(alice: Person, category: str, title: str, stored: str) -> None:
    """Characters that file names cannot have are dropped, so clients use the title in the response."""
    assert (await _create(alice, category, title=title))["title"] == stored


async def test_category_is_a_folder_path(alice: Person, category: str) -> None:
    """Slashes in a category create subfolders; parts that lead outside of the notes folder are dropped."""
    note = await _create(alice, f"{category}/../Sub/ ")
    assert note["category"] == f"{category}/Sub"


async def test_update_changes_only_the_sent_field(alice: Person, category: str) -> None:
    """An update changes only the sent fields and the ETag, and keeps the id."""
    note = await _create(alice, category)
    answer = await alice.http.put(f"{NOTES}/{note['id']}", json={"content": "changed"})
    assert answer.status_code == 200
    changed = answer.json()
    assert (changed["id"], changed["title"], changed["category"]) == (note["id"], note["title"], category)
    assert changed["content"] == "changed"
    assert changed["etag"] != note["etag"]


async def test_update_renames_and_moves_a_note(alice: Person, category: str) -> None:
    """An update can rename and move a note at once, and keeps its id."""
    note = await _create(alice, category)
    fields = {"title": "Renamed", "category": f"{category}/Sub"}
    changed = (await alice.http.put(f"{NOTES}/{note['id']}", json=fields)).json()
    assert (changed["id"], changed["title"], changed["category"]) == (note["id"], *fields.values())
    assert changed["content"] == note["content"]
    assert changed["etag"] != note["etag"]


async def test_if_match_with_the_current_etag_updates(alice: Person, category: str) -> None:
    """`If-Match` with the quoted ETag updates the note."""
    note = await _create(alice, category)
    answer = await _update_if(alice, note["id"], f'"{note["etag"]}"')
    assert (answer.status_code, answer.json()["content"]) == (200, "mine")


@pytest.mark.parametrize("quoted", [True, False])
async def test_if_match_with_a_wrong_etag_is_412(alice: Person, category: str, *, quoted: bool) -> None:
    """A stale ETag, or the current one without quotes, gets 412 with the unchanged note."""
    note = await _create(alice, category)
    url = f"{NOTES}/{note['id']}"
    current = (await alice.http.put(url, json={"content": "theirs"})).json()
    answer = await _update_if(alice, note["id"], f'"{note["etag"]}"' if quoted else current["etag"])
    assert answer.status_code == 412
    assert answer.json() == current


async def test_empty_update_changes_nothing(alice: Person, category: str) -> None:
    """An update without fields changes nothing, not even the ETag."""
    note = await _create(alice, category)
    assert (await alice.http.put(f"{NOTES}/{note['id']}", json={})).json() == note


NO_NOTE: Final = {32: r"OCA\Notes\Service\NoteDoesNotExistException", 34: "Exception"}
"""The type of the error for a missing note, of Notes 5 and 6."""


@pytest.mark.by_release
async def test_missing_note_is_404(alice: Person, release: int) -> None:
    """Every method gets 404 with the type of the error."""
    for method in ("GET", "PUT", "DELETE"):
        answer = await alice.http.request(method, f"{NOTES}/999999999", json={})
        assert answer.status_code == 404
        assert answer.json() == {"errorType": of_release(release, NO_NOTE)}


async def test_file_outside_the_notes_folder_is_no_note(alice: Person, folder: str) -> None:
    """The id of a file outside the notes folder is no note id."""
    path = alice.path(folder, "a.md")
    await alice.http.put(path, content=b"x")
    number = (await properties(alice.http, path))["oc:fileid"]
    assert (await alice.http.get(f"{NOTES}/{number}")).status_code == 404


async def test_delete_removes_note_and_empty_category(alice: Person, category: str) -> None:
    """DELETE gets 200 and an empty list, and removes the note and a category without other notes."""
    note = await _create(alice, category)
    answer = await alice.http.delete(f"{NOTES}/{note['id']}")
    assert (answer.status_code, answer.json()) == (200, [])
    assert (await alice.http.get(f"{NOTES}/{note['id']}")).status_code == 404
    assert (await alice.http.request("PROPFIND", alice.path("Notes", category))).status_code == 404


async def test_note_is_a_file(alice: Person, category: str) -> None:
    """WebDAV finds the note at `Notes/<category>/<title>.md` with the same id."""
    note = await _create(alice, category, title="Seen", content="from the API")
    path = alice.path("Notes", category, "Seen.md")
    assert (await alice.http.get(path)).text == "from the API"
    assert (await properties(alice.http, path))["oc:fileid"] == str(note["id"])


async def test_text_file_in_the_notes_folder_is_a_note(alice: Person, category: str) -> None:
    """The API lists a text file in the notes folder, and returns what is written to the file."""
    await _create(alice, category)
    path = alice.path("Notes", category, "Put.md")
    await alice.http.put(path, content=b"from WebDAV")
    number = (await properties(alice.http, path))["oc:fileid"]
    note = (await alice.http.get(f"{NOTES}/{number}")).json()
    assert (note["title"], note["category"], note["content"]) == ("Put", category, "from WebDAV")
    await alice.http.put(path, content=b"again")
    again = (await alice.http.get(f"{NOTES}/{number}")).json()
    assert again["content"] == "again"
    assert again["etag"] != note["etag"]


async def test_favorite_note_is_a_favorite_file(alice: Person, category: str) -> None:
    """A favorite note is a favorite file."""
    await _create(alice, category, title="Star", favorite=True)
    assert (await properties(alice.http, alice.path("Notes", category, "Star.md")))["oc:favorite"] == "1"


async def test_attachment_can_be_read(alice: Person, category: str) -> None:
    """API 1.4 returns the bytes of a file; the path is relative to the note."""
    note = await _create(alice, category)
    place = f".attachments.{note['id']}"
    await alice.http.request("MKCOL", alice.path("Notes", category, place))
    await alice.http.put(alice.path("Notes", category, place, "dot.png"), content=b"\x89PNG")
    answer = await alice.http.get(f"{ATTACHMENT}/{note['id']}", params={"path": f"{place}/dot.png"})
    assert (answer.status_code, answer.content) == (200, b"\x89PNG")
    assert answer.headers["content-type"] == "image/png"


async def test_missing_attachment_is_404(alice: Person, category: str) -> None:
    """A missing file or note, and a file outside the notes folder, get 404."""
    note = await _create(alice, category)
    for number, path in ((note["id"], "none.png"), (note["id"], "../../Readme.md"), (999999999, "a.png")):
        answer = await alice.http.get(f"{ATTACHMENT}/{number}", params={"path": path})
        assert answer.status_code == 404
        assert answer.json()["errorType"]


async def test_attachments_need_the_api_version_in_the_path(alice: Person, category: str) -> None:
    """The same path under `v1` gets 400, so the address must have the version."""
    note = await _create(alice, category)
    answer = await alice.http.get(f"{ATTACHMENT.replace('v1.4', 'v1')}/{note['id']}", params={"path": "a.png"})
    assert (answer.status_code, answer.json()) == (400, [])


async def _create(person: Person, category: str, **fields: str | int) -> dict[str, Any]:
    body = {"title": "Note", "content": "text", "category": category} | fields
    answer = await person.http.post(NOTES, json=body)
    assert answer.status_code == 200, answer.text
    note: dict[str, Any] = answer.json()
    return note


async def _update_if(person: Person, number: int, condition: str) -> httpx.Response:
    headers = {"If-Match": condition}
    return await person.http.put(f"{NOTES}/{number}", json={"content": "mine"}, headers=headers)
