"""Notes as the Notes app stores them: text files `Notes/<category>/<title>.md` in the user's files.

https://github.com/nextcloud/notes/blob/main/docs/api/v1.md. A file that is put there over WebDAV is a note, and a note
is a file in WebDAV. Titles become file names, so they are cleaned and made unique as recorded from Notes 5.
"""

import hashlib
import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from stack.standin.mounts import CREATE, DELETE, UPDATE, Place
from stack.standin.storage import Storage
from stack.standin.tree import Tree

_SUFFIXES = {".txt", ".org", ".markdown", ".md", ".note"}
_FORBIDDEN = str.maketrans("", "", '*|/\\:"<>?')
_NUMBERED = re.compile(r"\s\((\d+)\)$")
_MAX_TITLE = 100
_UNTITLED = "New note"


class NoSuchNoteError(LookupError):
    """No note of this user has the id."""


class LockedNoteError(Exception):
    """Another user has locked the file of an own note."""


class CannotMoveError(Exception):
    """The file can be neither moved nor deleted: another user has locked it, or the share does not allow it."""


class NotAllowedError(Exception):
    """The note is in a folder that its owner shares without the permission for a change."""


class Notebook:
    """The user's own notes, and shared notes in folders that the user has moved to the folder of the notes.

    Args:
        storage: The files.
        user: The user id.
    """

    def __init__(self, storage: Storage, user: str) -> None:
        self._tree = storage.tree
        self._mounts = storage.mounts
        self._locks = storage.locks
        self._user = user
        self._home = storage.tree.home(user)
        self.folder = self._home / "Notes"
        self.folder.mkdir(exist_ok=True)

    def all(self) -> Iterator["Note"]:
        """Yield the user's own notes, sorted by path, and then the shared ones."""
        for folder in ("Notes", *(target for _, target in self._mounts.received(self._user))):
            location = PurePosixPath(folder.strip("/"))
            place = self._mounts.find(self._user, str(location))
            if location.parts[0] != "Notes":
                continue
            for path in sorted([place.path, *place.path.rglob("*")]):
                if path.is_file() and path.suffix.lower() in _SUFFIXES:
                    yield Note(
                        self._tree,
                        location / path.relative_to(place.path),
                        place._replace(path=path, is_mount=place.is_mount and path == place.path),
                    )

    def get(self, number: int) -> "Note":
        """Return the note with an id.

        Raises:
            NoSuchNoteError: No note has the id; it may be the id of another file.
        """
        for note in self.all():
            if note.number == number:
                return note
        raise NoSuchNoteError(number)

    def create(self, title: str, category: str) -> "Note":
        """Create an empty note; its title may differ from `title`."""
        folder = self._category_folder(category)
        if not folder.permissions & CREATE:
            raise NotAllowedError
        path = _free_path(folder.path, title, ".md")
        path.touch()
        self._tree.forget(path)
        return Note(self._tree, self._location(category) / path.name, folder._replace(path=path))

    def move(self, note: "Note", title: str, category: str) -> None:
        """Change a note's title or category, and delete the folder that it leaves empty."""
        folder, old = self._category_folder(category), note.path
        if not (note.is_writable and folder.permissions & CREATE):
            raise NotAllowedError
        if self._is_locked(note):
            raise CannotMoveError
        left = note.location.parent
        if note.place.is_mount and note.place.share is not None:
            note.location = self._location(category) / note.location.name
            self._mounts.move(self._user, note.place.share, str(note.location))
            self._drop_empty(left)
            return
        target = _free_path(folder.path, title, old.suffix, own=old)
        if target != old:
            note.path = old.rename(target)
            note.location = self._location(category) / target.name
        self._drop_empty(left)

    def delete(self, note: "Note") -> None:
        """Delete a note, and its category if it was the last note in it; a locked file is deleted for good."""
        if not note.is_writable:
            raise NotAllowedError
        if note.place.share is not None and (note.place.is_mount or not note.place.permissions & DELETE):
            raise CannotMoveError
        if self._is_locked(note):
            self._tree.destroy(note.path)
        else:
            self._tree.remove(note.path, by=self._user, location=str(note.location))
        self._drop_empty(note.location.parent)

    def write(self, note: "Note", content: str) -> None:
        """Replace the text of a note."""
        if self._is_locked(note):
            raise LockedNoteError
        note.write(content)

    def _is_locked(self, note: "Note") -> bool:
        """Return whether another user has locked the file; Notes does not see locks in the folders of others."""
        return note.place.share is None and self._locks.is_held_by_another(note.place, self._user)

    def attachment(self, note: "Note", relative: str) -> Path | None:
        """Return the file at a path relative to the note, or None; the file is always inside the notes folder."""
        parts = note.category.split("/") if note.category else []
        for part in relative.replace("\\", "/").split("/"):
            if part == "..":
                del parts[-1:]
            elif part:
                parts.append(part)
        path = self._mounts.find(self._user, "/".join(("Notes", *parts))).path
        return path if path.is_file() else None

    def _location(self, category: str) -> PurePosixPath:
        return PurePosixPath("Notes", *filter(None, (_clean(name) for name in category.split("/"))))

    def _category_folder(self, category: str) -> Place:
        folder = self._mounts.find(self._user, str(self._location(category)))
        folder.path.mkdir(parents=True, exist_ok=True)
        return folder

    def _drop_empty(self, location: PurePosixPath) -> None:
        """Delete a category without notes, and those above it; one that is itself shared is left."""
        while location != PurePosixPath("Notes"):
            place = self._mounts.find(self._user, str(location))
            if any(place.path.iterdir()) or self._mounts.members(self._user, str(location)):
                return
            if place.is_mount and place.share is not None:
                self._mounts.leave(self._user, place.share)
            else:
                self._tree.remove(place.path, by=self._user, location=str(location))
            location = location.parent


class Note:
    """One note; each property is read from its file.

    Args:
        tree: The files.
        location: The path in the user's files.
        place: What it stands for.
    """

    def __init__(self, tree: Tree, location: PurePosixPath, place: Place) -> None:
        self._tree = tree
        self.location = location
        self.place = place
        self.path = place.path
        self.is_writable = bool(place.permissions & UPDATE)

    @property
    def number(self) -> int:
        """The note's id, which is its file id."""
        return self._tree.node(self.path).id

    @property
    def title(self) -> str:
        """The file's name without its suffix."""
        return self.path.stem

    @property
    def category(self) -> str:
        """The folders between `Notes` and the file."""
        folder = str(self.location.parent.relative_to("Notes"))
        return "" if folder == "." else folder

    @property
    def content(self) -> str:
        """The text, without a byte order mark; invalid UTF-8 is replaced."""
        return self.path.read_bytes().decode("utf-8", "replace").replace("\ufeff", "")

    @property
    def modified(self) -> int:
        """Unix time of the last change, or the time that a client has set."""
        return int(self.path.stat().st_mtime)

    def write(self, content: str) -> None:
        """Replace the text."""
        if not self.is_writable:
            raise NotAllowedError
        self.path.write_bytes(content.encode())
        self._tree.written(self.path)

    def set_modified(self, second: int) -> None:
        """Set the time of the last change."""
        os.utime(self.path, (second, second))

    def set_favorite(self, *, favorite: bool) -> None:
        """Set or remove the file's favorite mark."""
        self._tree.set_favorite(self.path, favorite=favorite)

    def etag(self) -> str:
        """Return an ETag of the text and the note's other fields."""
        text = hashlib.sha256(self.content.encode()).hexdigest()
        state = [self.number, self.title, self.modified, self.category, self._favorite(), text]
        return hashlib.sha256(json.dumps(state).encode()).hexdigest()[:32]

    def last_update(self) -> int:
        """Return the Unix time at which the API first saw the note's present state; `pruneBefore` refers to it."""
        etag, node = self.etag(), self._tree.node(self.path)
        if node.note_etag == etag and node.note_seen is not None:
            return node.note_seen
        now = int(time.time())
        self._tree.set_note_seen(self.path, etag, now)
        return now

    def data(self, exclude: frozenset[str] = frozenset()) -> dict[str, Any]:
        """Return the note's JSON object; `exclude` applies to the first six fields and to `content`."""
        optional = {
            "id": self.number,
            "title": self.title,
            "modified": self.modified,
            "category": self.category,
            "favorite": self._favorite(),
            "readonly": not self.is_writable,
        }
        fields: dict[str, Any] = {name: value for name, value in optional.items() if name not in exclude}
        fields |= {
            "internalPath": f"/{self.location}",
            "shareTypes": [],
            "isShared": False,
            "error": False,
            "errorType": "",
        }
        if "content" not in exclude:
            fields["content"] = self.content
        return fields | {"etag": self.etag()}

    def _favorite(self) -> bool:
        return self._tree.node(self.path).favorite


def _free_path(folder: Path, title: str, suffix: str, own: Path | None = None) -> Path:
    """Return a free path for a note of this title; a taken title gets ` (2)` and so on."""
    title = _safe_title(title)
    while (path := folder / (title + suffix)).exists() and path != own:
        number = _NUMBERED.search(title)
        base = title[: number.start()] if number else title
        addition = f" ({int(number.group(1)) + 1 if number else 2})"
        title = base[: _MAX_TITLE - len(addition)] + addition
    return path


def _safe_title(title: str) -> str:
    first_line = _clean(title).splitlines()[:1]
    title = re.sub(r"\s", " ", "".join(first_line).strip())[:_MAX_TITLE]
    # `0` is empty to PHP
    return _UNTITLED if title in {"", "0"} else title


def _clean(name: str) -> str:
    """Remove characters that some file systems forbid, and leading dots, which would hide the file."""
    return re.sub(r"(?m)^[.\s]+", "", name.translate(_FORBIDDEN)).strip()
