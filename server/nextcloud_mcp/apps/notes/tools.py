"""The tools for Nextcloud Notes."""

import base64
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, Field

from nextcloud_mcp.apps.notes import api
from nextcloud_mcp.apps.notes.api import Deleted, Heading, Note, Settings, Updated
from nextcloud_mcp.apps.notes.files import LeftShare
from nextcloud_mcp.boundary import large
from nextcloud_mcp.boundary.addresses import accepts_url
from nextcloud_mcp.boundary.call import AsUser
from nextcloud_mcp.boundary.changes import require_change
from nextcloud_mcp.boundary.declaration import Content, Resource, Result, reads, writes
from nextcloud_mcp.boundary.lookup import Named
from nextcloud_mcp.boundary.paging import DEFAULT_LIMIT, Paged, page
from nextcloud_mcp.boundary.schemas import Cursor, described
from nextcloud_mcp.boundary.shared import deleted_for_others, left_share_message
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.names import Thing, folded


async def _notes(nextcloud: Nextcloud, _: Mapping[str, Any]) -> list[Thing]:
    return [Thing(str(note.id), note.title) for note in await api.list_headings(nextcloud)]


NoteId = Annotated[
    int, accepts_url(r"/apps/notes/?#?/?note/([0-9]{1,18})/?"), Named("note", _notes, scope="notes:read")
]


Category = Annotated[str, described("folder, such as Work/Projects; empty: none")]


class NoteWritten(Result):
    """A note after a change; its content, which the caller knows, is left out. `message` says what else happened."""

    id: int
    title: str
    category: str
    etag: str
    message: str | None = Field(default=None, exclude_if=lambda value: value is None)

    @classmethod
    def of(cls, note: Note, message: str | None = None) -> "NoteWritten":
        """Shorten a note."""
        return cls(id=note.id, title=note.title, category=note.category, etag=note.etag, message=message)


class NoteDeleted(Result):
    """A deleted note."""

    deleted_id: int
    status_code: int | None = None
    message: str | None = None


class NoteSearchResult(BaseModel):
    """A note that matches; `score` is the share of its matches that lie in the title, from 0 to 1."""

    id: int
    title: str
    category: str = ""
    score: float | None = None


class NotesFound(Paged):
    """A page of matching notes, best match first; `total_found` counts all pages."""

    results: list[NoteSearchResult]
    query: str
    total_found: int


@writes("Create a note", scopes="notes:write", destructive=False, idempotent=False)
async def nc_notes_create_note(title: str, content: str, category: Category, nextcloud: AsUser) -> NoteWritten:
    """Create a note in Markdown. If the title is taken, Nextcloud adds a number to it."""
    return NoteWritten.of(await api.create(nextcloud, title=title, content=content, category=category))


@writes("Change a note", scopes="notes:write", destructive=True, idempotent=True)
async def nc_notes_update_note(
    note_id: NoteId,
    etag: str,
    nextcloud: AsUser,
    title: str | None = None,
    content: str | None = None,
    category: Category | None = None,
) -> NoteWritten:
    """Change a note's title, content or category. What is omitted or null stays, and so does an empty title."""
    require_change([(title or "").strip() or None, content, category], "pass title, content or category")
    updated = await api.update(nextcloud, note_id, etag=etag, title=title, content=content, category=category)
    return NoteWritten.of(updated.note, _updated_message(updated, category))


def _updated_message(updated: Updated, category: str | None) -> str | None:
    owner = updated.file.access.shared_by
    if owner is None or updated.file.access.is_mount_root or not updated.file.moves_to(category):
        return None
    was = updated.file.path.rpartition("/")[0]
    return f"The note was in {was}, which belongs to {owner}, who no longer has it there.{_left_message(updated.left)}"


def _left_message(left: LeftShare | None) -> str:
    if left is None:
        return ""
    return f" It was the last note there, so Notes removed the folder. {left_share_message(left.path, left.owner)}"


@writes("Add to a note", scopes="notes:write", destructive=False, idempotent=False)
async def nc_notes_append_content(note_id: NoteId, content: str, nextcloud: AsUser) -> NoteWritten:
    """Add text to the end of a note, after a horizontal rule (---). It overwrites nothing, so it needs no ETag."""
    return NoteWritten.of(await api.append(nextcloud, note_id, content))


@reads("Search notes", scopes="notes:read")
async def nc_notes_search_notes(
    query: str, nextcloud: AsUser, limit: int = DEFAULT_LIMIT, cursor: Cursor = ""
) -> NotesFound:
    """Find notes that contain every word of the query in title, category or content. An empty query lists all notes."""
    words = folded(query).split()
    candidates: Sequence[Heading] = await (api.list_all if words else api.list_headings)(nextcloud)
    scored = [(note, score) for note in candidates if (score := _score(note, words)) is not None]
    scored.sort(key=lambda hit: (-hit[1], -hit[0].modified))
    hits, next_cursor = page(scored, limit, cursor)
    return NotesFound(
        results=[NoteSearchResult(id=n.id, title=n.title, category=n.category, score=score) for n, score in hits],
        query=query,
        total_found=len(scored),
        next_cursor=next_cursor,
    )


def _score(note: Heading, words: list[str]) -> float | None:
    """Return the share of `words` that the title has, or None where a word is nowhere in the note."""
    content = note.content if isinstance(note, Note) else ""
    title, everything = folded(note.title), folded(f"{note.title}\n{note.category}\n{content}")
    if not all(word in everything for word in words):
        return None
    return sum(word in title for word in words) / len(words) if words else 0.0


@reads("Read a note", scopes="notes:read")
async def nc_notes_get_note(note_id: NoteId, nextcloud: AsUser) -> Note:
    """Read a note: its content in Markdown, and the ETag that an update needs."""
    return await api.get(nextcloud, note_id)


@reads("Read a note's attachment", scopes="notes:read")
async def nc_notes_get_attachment(
    note_id: NoteId, attachment_filename: Annotated[str, described("as in the note's link")], nextcloud: AsUser
) -> dict[str, str]:
    """Read a file that is embedded in a note. The content is in base64."""
    async with large.read_slot():
        content, media_type = await api.attachment(nextcloud, note_id, attachment_filename)
    return {
        "uri": f"nc://Notes/{note_id}/attachments/{attachment_filename}",
        "mimeType": media_type,
        "data": base64.b64encode(content).decode(),
    }


@writes("Delete a note", scopes="notes:write", destructive=True, idempotent=True)
async def nc_notes_delete_note(note_id: NoteId, nextcloud: AsUser) -> NoteDeleted:
    """Delete a note. Its file goes to the user's trash and can be restored."""
    deleted = await api.delete(nextcloud, note_id)
    return NoteDeleted(deleted_id=note_id, status_code=200, message=_deleted_message(deleted))


def _deleted_message(deleted: Deleted) -> str:
    access = deleted.file.access
    also = deleted_for_others(access.shared_by, access.mount)
    return f"Note {deleted.file.note_id} is deleted{also}.{_left_message(deleted.left)}"


async def notes_settings(nextcloud: AsUser) -> Settings:
    """Tell where the notes are kept: folder and file extension."""
    return await api.settings(nextcloud)


async def note_attachment(note_id: int, attachment_filename: str, nextcloud: AsUser) -> Content:
    """Read a file that a note embeds."""
    async with large.read_slot():
        return Content(*await api.attachment(nextcloud, note_id, attachment_filename))


async def note_ids(value: str, nextcloud: AsUser) -> list[str]:
    """Propose the ids of notes by what their id starts with or their title contains; the newest first."""
    newest_first = sorted(await api.list_headings(nextcloud), key=lambda note: -note.modified)
    typed = folded(value)
    return [str(n.id) for n in newest_first if str(n.id).startswith(typed) or typed in folded(n.title)]


RESOURCES = (
    Resource("notes://settings", notes_settings, "Settings of Notes", scopes="notes:read"),
    Resource("nc://Notes/{note_id}", nc_notes_get_note, "A note", scopes="notes:read", complete={"note_id": note_ids}),
    Resource(
        "nc://Notes/{note_id}/attachments/{attachment_filename}",
        note_attachment,
        "A note's attachment",
        scopes="notes:read",
        mime_type="application/octet-stream",
        complete={"note_id": note_ids},
    ),
)
