"""`apps.notes.tools`: the tools for Nextcloud Notes, called through MCP."""

import base64
import json
from typing import Any

import pytest

from tests.support.issuer import answer
from tests.support.nextcloud import NOTES, note
from tests.support.server import Server


def without_time(result: dict[str, Any]) -> dict[str, Any]:
    """Leave out when a result was made, having seen that it says so."""
    assert result.pop("timestamp").endswith("Z")
    return result


async def test_creates_a_note(server: Server) -> None:
    """The result has id, title and ETag, but not the content, which the caller knows."""
    server.nextcloud.on("POST", NOTES, answer(json=note(title="Plans (2)")))
    result = await server.use("nc_notes_create_note", {"title": "Plans", "content": "# Plans", "category": "Work"})
    assert without_time(result) == {
        "success": True,
        "id": 7,
        "title": "Plans (2)",
        "category": "Work",
        "etag": "49582d0c",
    }


async def test_reads_a_note(server: Server) -> None:
    """The result has the whole note, with the ETag that an update requires."""
    server.nextcloud.on("GET", f"{NOTES}/7", answer(json=note()))
    result = await server.use("nc_notes_get_note", {"note_id": 7})
    assert (result["content"], result["etag"], result["modified"]) == ("# Plans", "49582d0c", 1700000000)


async def test_updates_a_note(server: Server) -> None:
    """Null leaves a field unchanged; the ETag prevents overwriting."""
    server.nextcloud.on("PUT", f"{NOTES}/7", answer(json=note(etag="new")))
    arguments = {"note_id": 7, "etag": "old", "title": None, "content": "c", "category": None}
    assert (await server.use("nc_notes_update_note", arguments))["etag"] == "new"
    request = server.nextcloud.requests[-1]
    assert json.loads(request.content) == {"content": "c"}
    assert request.headers["If-Match"] == '"old"'


@pytest.mark.parametrize("title", ["", "  "])
async def test_empty_title_keeps_title(server: Server, title: str) -> None:
    """Notes would rename the note to "New note"; an empty category is sent, since it means no category."""
    server.nextcloud.on("PUT", f"{NOTES}/7", answer(json=note(etag="new")))
    server.nextcloud.on("GET", f"{NOTES}/7", answer(json=note(category="")))
    arguments = {"note_id": 7, "etag": "old", "title": title, "content": "c", "category": ""}
    await server.use("nc_notes_update_note", arguments)
    assert json.loads(server.nextcloud.requests[-1].content) == {"content": "c", "category": ""}


async def test_stale_etag_is_refused(server: Server) -> None:
    """The error says that the note has changed and what to do; nothing is written."""
    server.nextcloud.on("PUT", f"{NOTES}/7", answer(412, json=note()))
    arguments = {"note_id": 7, "etag": "old", "title": None, "content": "c", "category": None}
    assert "read it again" in await server.misuse("nc_notes_update_note", arguments)


async def test_append_requires_no_etag(server: Server) -> None:
    """The caller passes no ETag."""
    server.nextcloud.on("GET", f"{NOTES}/7", answer(json=note(content="one")))
    server.nextcloud.on("PUT", f"{NOTES}/7", answer(json=note()))
    assert (await server.use("nc_notes_append_content", {"note_id": 7, "content": "two"}))["id"] == 7
    assert json.loads(server.nextcloud.requests[-1].content) == {"content": "one\n\n---\n\ntwo"}


@pytest.mark.parametrize("content", ["", " \n"])
async def test_empty_append_is_refused(server: Server, content: str) -> None:
    """A rule without text below it is useless."""
    server.nextcloud.on("GET", f"{NOTES}/7", answer(json=note(content="one")))
    server.nextcloud.on("PUT", f"{NOTES}/7", answer(json=note()))
    sentence = await server.misuse("nc_notes_append_content", {"note_id": 7, "content": content})
    assert sentence == "content is empty, and nothing was added: pass the text to add to the note."


NOTEBOOK = [
    note(id=1, title="Shopping", content="milk, eggs", category="Home", modified=10),
    note(id=2, title="Milk prices", content="rising", category="Work", modified=20),
    note(id=3, title="Prices of milk", content="falling", category="", modified=30),
    note(id=4, title="Straße", content="", category="Maps", modified=40),
]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        pytest.param("milk", [3, 2, 1], id="title before content, new before old"),
        pytest.param("MILK", [3, 2, 1], id="another case"),
        pytest.param("milk eggs", [1], id="every word"),
        pytest.param("milk rising", [2], id="words in title and content"),
        pytest.param("work", [2], id="category"),
        pytest.param("STRASSE", [4], id="case of ß"),
        pytest.param("cheese", [], id="nowhere"),
        pytest.param("  ", [4, 3, 2, 1], id="blank finds all, new before old"),
    ],
)
async def test_searches_notes(server: Server, query: str, found: list[int]) -> None:
    """A match has every word; title matches come first, and an empty query finds all notes."""
    server.nextcloud.on("GET", NOTES, answer(json=NOTEBOOK))
    result = await server.use("nc_notes_search_notes", {"query": query})
    assert [hit["id"] for hit in result["results"]] == found
    assert (result["query"], result["total_found"]) == (query, len(found))
    assert all(0 <= hit["score"] <= 1 for hit in result["results"])


async def test_a_thousand_notes_come_in_pages(server: Server) -> None:
    """Pages are far below 100 kB; the total counts all notes, and without a query no content is fetched."""
    many = [note(id=n, title=f"A title of some length, number {n}", modified=n) for n in range(1000)]
    server.nextcloud.on("GET", NOTES, answer(json=[{**each, "content": ""} for each in many]))
    first = await server.use("nc_notes_search_notes", {"query": ""})
    assert [hit["id"] for hit in first["results"]] == list(range(999, 899, -1))
    assert first["total_found"] == 1000
    assert len(json.dumps(first)) < 20_000
    assert server.nextcloud.requests[-1].url.params["exclude"] == "content"
    second = await server.use("nc_notes_search_notes", {"query": "", "limit": 2, "cursor": first["next_cursor"]})
    assert [hit["id"] for hit in second["results"]] == [899, 898]


async def test_reads_an_attachment(server: Server) -> None:
    """Content is base64 with its media type."""
    server.nextcloud.on(
        "GET",
        "/index.php/apps/notes/api/v1.4/attachment/7",
        answer(content=b"\x89PNG\xff", headers={"Content-Type": "image/png"}),
    )
    result = await server.use("nc_notes_get_attachment", {"note_id": 7, "attachment_filename": "a.png"})
    assert result["mimeType"] == "image/png"
    assert base64.b64decode(result["data"]) == b"\x89PNG\xff"
    assert result["uri"] == "nc://Notes/7/attachments/a.png"


async def test_deletes_a_note(server: Server) -> None:
    """The result names the deleted note."""
    server.nextcloud.on("DELETE", f"{NOTES}/7", answer(json=[]))
    result = await server.use("nc_notes_delete_note", {"note_id": 7})
    assert without_time(result) == {
        "success": True,
        "deleted_id": 7,
        "status_code": 200,
        "message": "Note 7 is deleted.",
    }


async def test_settings_are_a_resource(server: Server) -> None:
    """The resource has the folder and the file extension."""
    settings = {"notesPath": "Notizen", "fileSuffix": ".txt", "noteMode": "rich"}
    server.nextcloud.on("GET", "/index.php/apps/notes/api/v1/settings", answer(json=settings))
    content = await server.contents("notes://settings")
    assert json.loads(content["text"]) == {"notesPath": "Notizen", "fileSuffix": ".txt"}


async def test_an_attachment_is_a_resource(server: Server) -> None:
    """The resource has the bytes and Nextcloud's media type."""
    server.nextcloud.on(
        "GET",
        "/index.php/apps/notes/api/v1.4/attachment/7",
        answer(content=b"\x89PNG\xff", headers={"Content-Type": "image/png"}),
    )
    content = await server.contents("nc://Notes/7/attachments/a%20b.png")
    assert (content["mimeType"], base64.b64decode(content["blob"])) == ("image/png", b"\x89PNG\xff")
    assert server.nextcloud.requests[-1].url.params["path"] == ".attachments.7/a b.png"


@pytest.mark.parametrize(
    ("typed", "proposed"),
    [
        pytest.param("", ["4", "3", "2", "1"], id="nothing yet: all, new before old"),
        pytest.param("3", ["3"], id="an id"),
        pytest.param("MILK", ["3", "2"], id="a title"),
        pytest.param("rising", [], id="content alone"),
    ],
)
async def test_note_id_is_completed_by_title(server: Server, typed: str, proposed: list[str]) -> None:
    """Users know titles, URIs need ids."""
    server.nextcloud.on("GET", NOTES, answer(json=NOTEBOOK))
    assert await server.completions("nc://Notes/{note_id}", "note_id", typed) == proposed


@pytest.mark.parametrize("etag", ["", " ", "*", '""'])
async def test_update_requires_etag(server: Server, etag: str) -> None:
    """An empty ETag is not reported as outdated, and no request is sent."""
    arguments = {"note_id": 7, "etag": etag, "title": None, "content": "x", "category": None}
    said = await server.misuse("nc_notes_update_note", arguments)
    assert said == f"Invalid etag {etag!r}: pass the ETag as you were given it."
    assert server.nextcloud.asked() == []
