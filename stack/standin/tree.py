"""The users' files on disk, with an index of the properties that a file system does not have.

WebDAV and the Notes API are two views of one tree, as in Nextcloud; this module serves both. Nextcloud's `oc:fileid`
never changes and is never reused, but an inode number can be reused. The index therefore gives each inode its own id,
and drops the id when the file is deleted.
"""

import contextlib
import hashlib
import os
import shutil
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS nodes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    inode INTEGER NOT NULL UNIQUE,
    version INTEGER NOT NULL DEFAULT 0,
    favorite INTEGER NOT NULL DEFAULT 0,
    note_etag TEXT,
    note_seen INTEGER
)
"""
_MAX_NAME_BYTES = 240  # leaves room for the time of deletion: a file name has at most 255 bytes
_TRASH = "CREATE TABLE IF NOT EXISTS trash (user TEXT, name TEXT, location TEXT, time INTEGER, UNIQUE (user, name))"
_README = (
    "# Welcome\n\n"
    "This is the stand-in for Nextcloud: it plays Nextcloud where there is none.\n"
    "Files, notes, calendars and contacts are kept between starts.\n"
)


@dataclass(frozen=True)
class Node:
    """The index entry of one file or folder.

    Attributes:
        id: `oc:fileid`, and a note's id.
        version: The number of writes; the ETag depends on it, because two writes can have the same time stamp.
        favorite: Whether the file is a favorite.
        note_etag: The ETag of the note when the Notes API last read it.
        note_seen: The Unix time at which the Notes API first saw that ETag.
    """

    id: int
    version: int
    favorite: bool
    note_etag: str | None
    note_seen: int | None


@dataclass(frozen=True)
class Deleted:
    """An item in a user's trash.

    Attributes:
        place: The present path.
        location: The former path, relative to the owner's folder.
        time: The time of deletion, in seconds since 1970.
    """

    place: Path
    location: str
    time: int


class Tree:
    """The files of all users, in one folder for each user.

    Args:
        data: The folder of the files and the index; created if it does not exist.
    """

    def __init__(self, data: Path) -> None:
        self.files = data / "files"
        self.files.mkdir(parents=True, exist_ok=True)
        self._trash = data / "trash"
        # WsgiDAV answers in its own threads, which share this connection under a lock
        self._index = sqlite3.connect(data / "index.sqlite", isolation_level=None, check_same_thread=False)
        self._index.execute("PRAGMA journal_mode = WAL")
        self._index.execute("PRAGMA synchronous = NORMAL")
        self._index.execute(_SCHEMA)
        self._index.execute(_TRASH)
        self._lock = threading.Lock()
        self._display_names: dict[str, str] = {}

    def close(self) -> None:
        """Close the index."""
        self._index.close()

    def home(self, user: str) -> Path:
        """Return the folder of a user's files; `provision` creates it."""
        return self.files / user

    def knows(self, user: str) -> bool:
        """Return whether a user has been provisioned."""
        return self.home(user).exists()

    def display_name(self, user: str) -> str:
        """Return a user's display name as the last token had it, or else the user id."""
        return self._display_names.get(user, user)

    def set_display_name(self, user: str, name: str) -> None:
        """Set a user's display name until the next start."""
        self._display_names[user] = name

    def provision(self, user: str) -> None:
        """Create the first files of a new user; do nothing for a known one."""
        if self.knows(user):
            return
        home = self.home(user)
        for folder in ("Documents", "Photos"):
            (home / folder).mkdir(parents=True)
        (home / "Readme.md").write_text(_README, encoding="utf-8")

    def node(self, path: Path) -> Node:
        """Return the index entry of an existing file or folder; create it if there is none yet."""
        inode = path.stat().st_ino
        query = "SELECT id, version, favorite, note_etag, note_seen FROM nodes WHERE inode = ?"
        rows = self._execute(query, inode)
        if not rows:
            self._execute("INSERT OR IGNORE INTO nodes (inode) VALUES (?)", inode)
            rows = self._execute(query, inode)
        number, version, favorite, note_etag, note_seen = rows[0]
        return Node(number, version, bool(favorite), note_etag, note_seen)

    def written(self, path: Path) -> None:
        """Record a write to a file, which changes its ETag."""
        number = self.node(path).id
        self._execute("UPDATE nodes SET version = version + 1 WHERE id = ?", number)

    def set_favorite(self, path: Path, *, favorite: bool) -> None:
        """Set or remove the favorite mark."""
        self._execute("UPDATE nodes SET favorite = ? WHERE id = ?", int(favorite), self.node(path).id)

    def set_note_seen(self, path: Path, etag: str, second: int) -> None:
        """Store the ETag of a note and the time at which the Notes API first saw it."""
        query = "UPDATE nodes SET note_etag = ?, note_seen = ? WHERE id = ?"
        self._execute(query, etag, second, self.node(path).id)

    def forget(self, path: Path) -> None:
        """Drop the ids of a file, or of a folder and its members, before a deletion or after a creation.

        A new file may have the inode of a file that was deleted without the index.
        """
        for inode in (path.stat().st_ino, *(found.st_ino for _, found in _members(path))):
            self._execute("DELETE FROM nodes WHERE inode = ?", inode)

    def remove(self, path: Path, *, by: str = "", location: str = "") -> None:
        """Move a file, or a folder with its members, to its owner's trash.

        Args:
            path: The file.
            by: Another user, who deletes it in a share, and gets a copy of it in the trash.
            location: The path of the file for that user, relative to their folder.
        """
        self.forget(path)
        user, *names = path.relative_to(self.files).parts
        if by and by != user:
            copied = self._trash_place(by, path.name, location)
            (shutil.copytree if path.is_dir() else shutil.copy2)(path, copied)
        path.rename(self._trash_place(user, path.name, "/".join(names)))

    def destroy(self, path: Path) -> None:
        """Delete a file for good."""
        self.forget(path)
        path.unlink()

    def _trash_place(self, user: str, name: str, location: str) -> Path:
        """Return a free place in a user's trash, and record what will be there."""
        folder, second = self._trash / user, int(time.time())
        folder.mkdir(parents=True, exist_ok=True)
        name = name.encode()[:_MAX_NAME_BYTES].decode(errors="ignore")
        while (folder / f"{name}.d{second}").exists():
            second += 1
        place = folder / f"{name}.d{second}"
        self._execute("INSERT INTO trash VALUES (?, ?, ?, ?)", user, place.name, location, second)
        return place

    def deleted(self, user: str) -> list[Deleted]:
        """Return the items in a user's trash, latest first."""
        query = "SELECT name, location, time FROM trash WHERE user = ? ORDER BY time DESC"
        return [
            Deleted(self._trash / user / name, location, second)
            for name, location, second in self._execute(query, user)
        ]

    def restore(self, deleted: Deleted, path: Path) -> None:
        """Move an item from the trash to `path`."""
        self._execute("DELETE FROM trash WHERE user = ? AND name = ?", deleted.place.parent.name, deleted.place.name)
        deleted.place.rename(path)

    def etag(self, path: Path) -> str:
        """Return an opaque ETag without quotes, for a file's content or for all members of a folder."""
        if path.is_dir():
            return _folder_etag(path)
        node = self.node(path)
        return hashlib.sha256(f"{node.id}-{node.version}".encode()).hexdigest()[:32]

    def _execute(self, query: str, *values: int | str) -> list[Any]:
        with self._lock:
            return self._index.execute(query, values).fetchall()


def size(path: Path) -> int:
    """Return the size in bytes of a file, or of all files in a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(found.st_size for _, found in _members(path) if stat.S_ISREG(found.st_mode))


def _members(path: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield the members of a folder at any depth, without those that another request deletes meanwhile."""
    for member in sorted(path.rglob("*")) if path.is_dir() else ():
        with contextlib.suppress(FileNotFoundError):
            yield member, member.stat()


def _folder_etag(path: Path) -> str:
    digest = hashlib.sha256(str(path.stat().st_ino).encode())
    for member, found in _members(path):
        digest.update(f"{member.name}\0{found.st_ino}-{found.st_mtime_ns}-{found.st_size}\n".encode())
    return digest.hexdigest()[:13]
