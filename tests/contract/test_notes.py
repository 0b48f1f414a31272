"""Notes: https://github.com/nextcloud/notes/blob/main/docs/api/v1.md, and what it leaves unsaid."""

from typing import Any

import httpx
import pytest

from tests.contract.addresses import NOTES
from tests.contract.multistatus import properties
from tests.contract.people import Person

ATTACHMENT = "/index.php/apps/notes/api/v1.4/attachment"
FIELDS = {"id", "title", "modified", "category", "favorite", "readonly", "content", "etag"}


async def test_creating_gives_the_note(alice: Person, category: str) -> None:
    """The answer is the note as it was stored, with its id and ETag, and the status is 200."""
    answer = await alice.http.post(NOTES, json={"title": "One", "content": "# One", "category": category})
    assert answer.status_code == 200
    note = answer.json()
    assert set(note) >= FIELDS
    assert (note["title"], note["content"], note["category"]) == ("One", "# One", category)
    assert isinstance(note["id"], int)
    assert (note["favorite"], note["readonly"]) == (False, False)


async def test_everything_has_a_default(alice: Person) -> None:
    """A note without anything is called `New note`, or that in the user's language, and has no category."""
    note = (await alice.http.post(NOTES, json={})).json()
    assert note["title"]
    assert (note["content"], note["category"]) == ("", "")
    assert (await alice.http.delete(f"{NOTES}/{note['id']}")).status_code == 200


async def test_one_note_with_its_etag(alice: Person, category: str) -> None:
    """GET gives the note, and its ETag quoted in the header and bare in the body."""
    note = await _create(alice, category)
    answer = await alice.http.get(f"{NOTES}/{note['id']}")
    assert answer.status_code == 200
    assert answer.json() == note
    assert answer.headers["etag"] == f'"{note["etag"]}"'


async def test_a_note_keeps_its_own_date(alice: Person, category: str) -> None:
    """`modified` is what the writer says it is."""
    note = await _create(alice, category, modified=1700000000)
    assert note["modified"] == 1700000000


async def test_the_list_has_all_notes(alice: Person, category: str) -> None:
    """The list gives the same object as the single note."""
    note = await _create(alice, category)
    listed = {each["id"]: each for each in (await alice.http.get(NOTES)).json()}
    assert listed[note["id"]] == note


async def test_the_list_without_text(alice: Person, category: str) -> None:
    """`exclude=content` leaves the text out and the rest in."""
    note = await _create(alice, category)
    (listed,) = (await alice.http.get(NOTES, params={"exclude": "content", "category": category})).json()
    assert listed == {name: value for name, value in note.items() if name != "content"}


async def test_the_list_of_a_category(alice: Person, category: str) -> None:
    """`category` means exactly that one, without those below it."""
    note = await _create(alice, category)
    await _create(alice, f"{category}/Below")
    listed = (await alice.http.get(NOTES, params={"category": category})).json()
    assert [each["id"] for each in listed] == [note["id"]]


async def test_the_list_in_chunks(alice: Person, category: str) -> None:
    """`chunkSize` gives a cursor until the last chunk, which names the notes that came before by id alone."""
    ids = {(await _create(alice, category, title=str(n)))["id"] for n in (1, 2, 3)}
    params = {"category": category, "chunkSize": "2"}
    first = await alice.http.get(NOTES, params=params)
    assert first.headers["x-notes-chunk-pending"] == "1"
    assert len(first.json()) == 2
    last = await alice.http.get(NOTES, params=params | {"chunkCursor": first.headers["x-notes-chunk-cursor"]})
    assert "x-notes-chunk-cursor" not in last.headers
    full = [note["id"] for answer in (first, last) for note in answer.json() if "title" in note]
    assert (len(full), set(full)) == (3, ids)


async def test_the_list_of_what_is_new(alice: Person, category: str) -> None:
    """`pruneBefore` leaves of unchanged notes only the id, so that a client sees which still exist."""
    note = await _create(alice, category)
    params = {"category": category, "pruneBefore": "99999999999"}
    assert (await alice.http.get(NOTES, params=params)).json() == [{"id": note["id"]}]


async def test_a_taken_title_gets_a_number(alice: Person, category: str) -> None:
    """Two notes of one category cannot share a title."""
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
async def test_a_title_is_a_file_name(alice: Person, category: str, title: str, stored: str) -> None:
    """What cannot be in a file name is left out; so the answer's title counts, not the one that was sent."""
    assert (await _create(alice, category, title=title))["title"] == stored


async def test_a_category_is_a_folder(alice: Person, category: str) -> None:
    """Slashes make folders in folders; what would lead out of the notes is left out."""
    note = await _create(alice, f"{category}/../Sub/ ")
    assert note["category"] == f"{category}/Sub"


async def test_updating_one_field(alice: Person, category: str) -> None:
    """Only what is sent changes, the note keeps its id, and the ETag is a new one."""
    note = await _create(alice, category)
    answer = await alice.http.put(f"{NOTES}/{note['id']}", json={"content": "changed"})
    assert answer.status_code == 200
    changed = answer.json()
    assert (changed["id"], changed["title"], changed["category"]) == (note["id"], note["title"], category)
    assert changed["content"] == "changed"
    assert changed["etag"] != note["etag"]


async def test_updating_title_and_category(alice: Person, category: str) -> None:
    """A note can be renamed and moved at once, and keeps its id."""
    note = await _create(alice, category)
    fields = {"title": "Renamed", "category": f"{category}/Sub"}
    changed = (await alice.http.put(f"{NOTES}/{note['id']}", json=fields)).json()
    assert (changed["id"], changed["title"], changed["category"]) == (note["id"], *fields.values())
    assert changed["content"] == note["content"]
    assert changed["etag"] != note["etag"]


async def test_the_right_etag_lets_update(alice: Person, category: str) -> None:
    """`If-Match` with the quoted ETag updates the note."""
    note = await _create(alice, category)
    answer = await _update_if(alice, note["id"], f'"{note["etag"]}"')
    assert (answer.status_code, answer.json()["content"]) == (200, "mine")


@pytest.mark.parametrize("quoted", [True, False])
async def test_a_wrong_etag_protects(alice: Person, category: str, *, quoted: bool) -> None:
    """A stale ETag, or the current one without quotes, is a 412 with the note as it is."""
    note = await _create(alice, category)
    url = f"{NOTES}/{note['id']}"
    current = (await alice.http.put(url, json={"content": "theirs"})).json()
    answer = await _update_if(alice, note["id"], f'"{note["etag"]}"' if quoted else current["etag"])
    assert answer.status_code == 412
    assert answer.json() == current


async def test_an_empty_update_changes_nothing(alice: Person, category: str) -> None:
    """Nothing sent, nothing changed: not even the ETag."""
    note = await _create(alice, category)
    assert (await alice.http.put(f"{NOTES}/{note['id']}", json={})).json() == note


async def test_a_missing_note(alice: Person) -> None:
    """Every method answers 404 with the kind of error, which Notes 6 calls `Exception`."""
    for method in ("GET", "PUT", "DELETE"):
        answer = await alice.http.request(method, f"{NOTES}/999999999", json={})
        assert answer.status_code == 404
        assert answer.json()["errorType"].endswith("Exception")


async def test_a_file_elsewhere_is_no_note(alice: Person, folder: str) -> None:
    """The id of a file outside the notes' folder is not a note's."""
    path = alice.path(folder, "a.md")
    await alice.http.put(path, content=b"x")
    number = (await properties(alice.http, path))["oc:fileid"]
    assert (await alice.http.get(f"{NOTES}/{number}")).status_code == 404


async def test_deleting(alice: Person, category: str) -> None:
    """DELETE gives 200 and an empty list; the note, and a category left empty, are gone."""
    note = await _create(alice, category)
    answer = await alice.http.delete(f"{NOTES}/{note['id']}")
    assert (answer.status_code, answer.json()) == (200, [])
    assert (await alice.http.get(f"{NOTES}/{note['id']}")).status_code == 404
    assert (await alice.http.request("PROPFIND", alice.path("Notes", category))).status_code == 404


async def test_a_note_is_a_file(alice: Person, category: str) -> None:
    """WebDAV finds the note at `Notes/<category>/<title>.md`, under the same id."""
    note = await _create(alice, category, title="Seen", content="from the API")
    path = alice.path("Notes", category, "Seen.md")
    assert (await alice.http.get(path)).text == "from the API"
    assert (await properties(alice.http, path))["oc:fileid"] == str(note["id"])


async def test_a_file_is_a_note(alice: Person, category: str) -> None:
    """A text file that is put among the notes is one; what is written over it is what the API reads."""
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


async def test_the_star_is_the_files(alice: Person, category: str) -> None:
    """A favorite note is a favorite file."""
    await _create(alice, category, title="Star", favorite=True)
    assert (await properties(alice.http, alice.path("Notes", category, "Star.md")))["oc:favorite"] == "1"


async def test_an_attachment(alice: Person, category: str) -> None:
    """API 1.4 gives the bytes of a file, whose path is as seen from the note."""
    note = await _create(alice, category)
    place = f".attachments.{note['id']}"
    await alice.http.request("MKCOL", alice.path("Notes", category, place))
    await alice.http.put(alice.path("Notes", category, place, "dot.png"), content=b"\x89PNG")
    answer = await alice.http.get(f"{ATTACHMENT}/{note['id']}", params={"path": f"{place}/dot.png"})
    assert (answer.status_code, answer.content) == (200, b"\x89PNG")
    assert answer.headers["content-type"] == "image/png"


async def test_a_missing_attachment(alice: Person, category: str) -> None:
    """404 for a file or a note that is not there, and for one outside the notes."""
    note = await _create(alice, category)
    for number, path in ((note["id"], "none.png"), (note["id"], "../../Readme.md"), (999999999, "a.png")):
        answer = await alice.http.get(f"{ATTACHMENT}/{number}", params={"path": path})
        assert answer.status_code == 404
        assert answer.json()["errorType"]


async def test_attachments_are_not_in_version_one(alice: Person, category: str) -> None:
    """Below `v1` the same path is a 400, so the version is part of the address."""
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
