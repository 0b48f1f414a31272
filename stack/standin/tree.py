"""The people's files on disk, and what a file system does not remember about them.

WebDAV and the Notes API are two views of one tree, as in Nextcloud, so the tree stands apart from both.
Nextcloud's `oc:fileid` never changes and is never used again; an inode number can be. So an index gives
each inode an id of its own, and forgets it with the file.
"""

import contextlib
import hashlib
import os
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
_MAX_NAME_BYTES = 240  # bytes, so that a time after it leaves a name that a disk takes
_TRASH = "CREATE TABLE IF NOT EXISTS trash (user TEXT, name TEXT, location TEXT, time INTEGER, UNIQUE (user, name))"
_README = (
    "# Welcome\n\n"
    "This is the stand-in for Nextcloud: it plays Nextcloud where there is none.\n"
    "Files, notes, calendars and contacts are kept between starts.\n"
)


@dataclass(frozen=True)
class Node:
    """What the index knows of one file or folder.

    Attributes:
        id: `oc:fileid`, and a note's id.
        version: Counts writes; the ETag is made of it, because two writes can share a time stamp.
        favorite: The star.
        note_etag: The ETag of the note when the Notes API last looked at it.
        note_seen: The second at which that ETag was new.
    """

    id: int
    version: int
    favorite: bool
    note_etag: str | None
    note_seen: int | None


@dataclass(frozen=True)
class Deleted:
    """What is in somebody's trash.

    Attributes:
        place: Where it lies now.
        location: Where it was, below its owner's folder.
        time: When it was deleted, in seconds since 1970.
    """

    place: Path
    location: str
    time: int


class Tree:
    """All people's files below one folder, one folder a person.

    Args:
        data: Where files and index live; made when missing.
    """

    def __init__(self, data: Path) -> None:
        self.files = data / "files"
        self.files.mkdir(parents=True, exist_ok=True)
        self._trash = data / "trash"
        # WsgiDAV answers in threads of its own: one connection, one lock
        self._index = sqlite3.connect(data / "index.sqlite", isolation_level=None, check_same_thread=False)
        self._index.execute("PRAGMA journal_mode = WAL")
        self._index.execute("PRAGMA synchronous = NORMAL")
        self._index.execute(_SCHEMA)
        self._index.execute(_TRASH)
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the index."""
        self._index.close()

    def home(self, user: str) -> Path:
        """The folder that holds a person's files; it exists once the person was provisioned."""
        return self.files / user

    def knows(self, user: str) -> bool:
        """Whether somebody has files here."""
        return self.home(user).exists()

    def provision(self, user: str) -> None:
        """Give a new person the start files; change nothing for a known one."""
        if self.knows(user):
            return
        home = self.home(user)
        for folder in ("Documents", "Photos"):
            (home / folder).mkdir(parents=True)
        (home / "Readme.md").write_text(_README, encoding="utf-8")

    def node(self, path: Path) -> Node:
        """The index entry of an existing file or folder, made when it is first asked for."""
        inode = path.stat().st_ino
        query = "SELECT id, version, favorite, note_etag, note_seen FROM nodes WHERE inode = ?"
        rows = self._execute(query, inode)
        if not rows:
            self._execute("INSERT OR IGNORE INTO nodes (inode) VALUES (?)", inode)
            rows = self._execute(query, inode)
        number, version, favorite, note_etag, note_seen = rows[0]
        return Node(number, version, bool(favorite), note_etag, note_seen)

    def written(self, path: Path) -> None:
        """Note that a file has new content, so that its ETag changes."""
        number = self.node(path).id
        self._execute("UPDATE nodes SET version = version + 1 WHERE id = ?", number)

    def set_favorite(self, path: Path, *, favorite: bool) -> None:
        """Give or take the star."""
        self._execute("UPDATE nodes SET favorite = ? WHERE id = ?", int(favorite), self.node(path).id)

    def set_note_seen(self, path: Path, etag: str, second: int) -> None:
        """Remember as which note, and when, the Notes API saw a file."""
        query = "UPDATE nodes SET note_etag = ?, note_seen = ? WHERE id = ?"
        self._execute(query, etag, second, self.node(path).id)

    def forget(self, path: Path) -> None:
        """Drop the ids of a file or of a whole folder that is about to go, or has just come.

        The latter because the inode of a file deleted behind our back may have come with it.
        """
        for inode in (path.stat().st_ino, *(found.st_ino for _, found in _members(path))):
            self._execute("DELETE FROM nodes WHERE inode = ?", inode)

    def remove(self, path: Path) -> None:
        """Move a file, or a folder with all it holds, to its owner's trash."""
        self.forget(path)
        user, *names = path.relative_to(self.files).parts
        folder, second = self._trash / user, int(time.time())
        folder.mkdir(parents=True, exist_ok=True)
        name = path.name.encode()[:_MAX_NAME_BYTES].decode(errors="ignore")
        while (folder / f"{name}.d{second}").exists():
            second += 1
        place = folder / f"{name}.d{second}"
        path.rename(place)
        self._execute("INSERT INTO trash VALUES (?, ?, ?, ?)", user, place.name, "/".join(names), second)

    def deleted(self, user: str) -> list[Deleted]:
        """What is in somebody's trash, the latest first."""
        query = "SELECT name, location, time FROM trash WHERE user = ? ORDER BY time DESC"
        return [
            Deleted(self._trash / user / name, location, second)
            for name, location, second in self._execute(query, user)
        ]

    def restore(self, deleted: Deleted, path: Path) -> None:
        """Take something out of the trash."""
        self._execute("DELETE FROM trash WHERE user = ? AND name = ?", deleted.place.parent.name, deleted.place.name)
        deleted.place.rename(path)

    def etag(self, path: Path) -> str:
        """An opaque hex tag, without quotes: of a file's content, or of all that a folder holds."""
        if path.is_dir():
            return _folder_etag(path)
        node = self.node(path)
        return hashlib.sha256(f"{node.id}-{node.version}".encode()).hexdigest()[:32]

    def _execute(self, query: str, *values: int | str) -> list[Any]:
        with self._lock:
            return self._index.execute(query, values).fetchall()


def size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(found.st_size for _, found in _members(path) if stat.S_ISREG(found.st_mode))


def _members(path: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """All that a folder holds at any depth; what another request deletes meanwhile is left out."""
    for member in sorted(path.rglob("*")) if path.is_dir() else ():
        with contextlib.suppress(FileNotFoundError):
            yield member, member.stat()


def _folder_etag(path: Path) -> str:
    digest = hashlib.sha256(str(path.stat().st_ino).encode())
    for member, found in _members(path):
        digest.update(f"{member.name}\0{found.st_ino}-{found.st_mtime_ns}-{found.st_size}\n".encode())
    return digest.hexdigest()[:13]
