"""Where the files that others share appear in a user's folders, and what the user may do there.

A share is mounted in the recipient's root folder, who can move it elsewhere. Measured on Nextcloud 32.0.1 and 34.0.1:
34 lets recipients rename files with the permission to update them, 32 takes renaming for deleting.
"""

import json
import threading
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from stack.standin.releases import Release
from stack.standin.tree import Tree

READ, UPDATE, CREATE, DELETE, SHARE = 1, 2, 4, 8, 16
ALL = 31
USER, GROUP, LINK = 0, 1, 3
EVERYONE = "everyone"
GROUPS = {"admin", EVERYONE}
"""The groups: `admin` has no members here, and `EVERYONE` has all users."""

Record = dict[str, Any]


class Place(NamedTuple):
    """What a path of a user stands for.

    Attributes:
        path: The path on disk.
        owner: The user who owns it.
        permissions: What the user may do with it, as the sum of the permissions of a share.
        share: The share that it was mounted with; None for the user's own.
        is_mount: Whether it is itself what was shared, not a file in it.
        is_older: Whether the permissions are those of Nextcloud 32.
    """

    path: Path
    owner: str
    permissions: int = ALL
    share: Record | None = None
    is_mount: bool = False
    is_older: bool = False

    @property
    def letters(self) -> str:
        """The value of `oc:permissions`."""
        may = self.permissions
        is_folder = self.path.is_dir()
        found = {
            "S": self.share is not None,
            "R": may & SHARE,
            "G": may & READ,
            "D": self.is_mount or may & DELETE,
            "N": may & UPDATE if self.is_older else self.is_mount or _can_rename(may),
            "V": may & UPDATE,
            "W": may & UPDATE and not is_folder,
            "CK": may & CREATE and is_folder,
        }
        return "".join(letter for letter, has in found.items() if has)


class Refusal(NamedTuple):
    """An error response for a write in a share.

    Attributes:
        is_replaced: Whether Nextcloud has deleted the destination before it refuses the rest.
    """

    status: int
    message: str = ""
    is_replaced: bool = False


class Mounts:
    """All shares, and where each recipient has them.

    Args:
        tree: The files.
        data: The folder of the two files with shares and mounts.
        release: The release of Nextcloud.
    """

    def __init__(self, tree: Tree, data: Path, release: Release) -> None:
        self._tree = tree
        self._is_older = release.has_older_shares
        self._shares = data / "shares.json"
        self._places = data / "mounts.json"
        self._lock = threading.RLock()
        self.records: list[Record] = json.loads(self._shares.read_text("utf-8")) if self._shares.exists() else []
        self._targets: dict[str, str | None] = (
            json.loads(self._places.read_text("utf-8")) if self._places.exists() else {}
        )

    def keep(self, records: list[Record]) -> None:
        """Replace all shares."""
        with self._lock:
            self.records = records
            ids = {share["id"] for share in records}
            self._targets = {key: path for key, path in self._targets.items() if key.partition(" ")[0] in ids}
            self._shares.write_text(json.dumps(records), "utf-8")
            self._places.write_text(json.dumps(self._targets), "utf-8")

    def find(self, user: str, path: str) -> Place:
        """Return what a path stands for, relative to the user's folder; it need not exist."""
        parts = PurePosixPath(path.strip("/")).parts
        for share, target in self._received(user):
            mounted = PurePosixPath(target.strip("/")).parts
            if parts[: len(mounted)] != mounted:
                continue
            source = self.source(share)
            if source is not None:
                return Place(
                    source.path.joinpath(*parts[len(mounted) :]),
                    source.owner,
                    share["permissions"] & source.permissions,
                    share,
                    is_mount=parts == mounted,
                    is_older=self._is_older,
                )
        return Place(self._tree.home(user).joinpath(*parts), user)

    def source(self, share: Record) -> Place | None:
        """Return what was shared, or None if it no longer exists."""
        source = self.find(share["uid_owner"], share["path"])
        exists = source.path.exists() and self._tree.node(source.path).id == share["file_source"]
        return source if exists else None

    def received(self, user: str) -> list[tuple[Record, str]]:
        """Return the shares that a user receives, and their paths for that user."""
        return [(share, target) for share, target in self._received(user) if self.source(share) is not None]

    def members(self, user: str, folder: str) -> set[str]:
        """Return the names of what is mounted in a folder of a user."""
        paths = [PurePosixPath(target) for _, target in self.received(user)]
        return {path.name for path in paths if path.parent == PurePosixPath("/") / folder.strip("/")}

    def move(self, user: str, share: Record, path: str) -> None:
        """Mount a share elsewhere for one recipient."""
        self._targets[_key(share, user)] = f"/{path.strip('/')}"
        self.keep(self.records)

    def leave(self, user: str, share: Record) -> None:
        """End a share for one recipient; others in the group keep it."""
        if share["share_type"] == GROUP:
            self._targets[_key(share, user)] = None
            self.keep(self.records)
        else:
            self.keep([each for each in self.records if each is not share])

    def inside(self, user: str, folder: str) -> list[Record]:
        """Return the shares that a user has somewhere in a folder of their own."""
        parts = PurePosixPath("/" + folder.strip("/")).parts
        paths = [(share, PurePosixPath(target)) for share, target in self.received(user)]
        return [share for share, path in paths if path.parts[: len(parts)] == parts and path.parts != parts]

    def follow(self, old: Path, new: Path) -> None:
        """Let the shares of a file or folder, and of those in it, follow when its owner has moved it."""
        for share in self.records:
            home = self._tree.home(share["uid_owner"])
            path = home / share["path"].strip("/")
            if path.is_relative_to(old) and new.is_relative_to(home):
                share["path"] = "/" + str((new / path.relative_to(old)).relative_to(home))
        self.keep(self.records)

    def refusal(self, method: str, user: str, path: str, destination: str = "") -> Refusal | None:
        """Return the error response to a write that the permissions of a share do not allow, or None.

        Args:
            method: The method of the request.
            user: The user.
            path: The path relative to the user's folder.
            destination: The same of the new path, for MOVE and COPY.
        """
        place = self.find(user, path)
        if method in {"MOVE", "COPY"}:
            return self._refused_transfer(method, user, path, destination)
        exists = place.path.exists()
        is_allowed = {
            "PUT": place.permissions & (UPDATE if exists else CREATE),
            "MKCOL": exists or place.permissions & CREATE,
            "DELETE": place.is_mount or place.permissions & DELETE,
        }
        return None if is_allowed.get(method, True) else Refusal(403)

    def _refused_transfer(self, method: str, user: str, path: str, destination: str) -> Refusal | None:
        place, target = self.find(user, path), self.find(user, destination)
        if method == "MOVE" and target.share is not None and not target.is_mount:
            moved = [place.path] if place.is_mount else [self._target(user, each) for each in self.inside(user, path)]
            if moved:
                return Refusal(403, _moving_a_storage(moved[0], destination))
        is_rename = method == "MOVE" and PurePosixPath(path).parent == PurePosixPath(destination).parent
        if method == "MOVE" and not place.is_mount:
            renames = is_rename and not self._is_older
            is_allowed = _can_rename(place.permissions) if renames else place.permissions & DELETE
            if not is_allowed:
                verb = "renamed" if renames else "deleted"
                return Refusal(403, f"files/{user}/{path.strip('/')} cannot be {verb}")
        is_replaced = target.path.exists() and not target.is_mount
        needed = (DELETE if is_replaced else 0) | (0 if is_rename or target.is_mount else CREATE)
        if target.permissions & needed != needed:
            return Refusal(403, is_replaced=is_replaced and bool(target.permissions & DELETE))
        if is_rename and not place.is_mount and not place.permissions & UPDATE:
            return Refusal(500, f"Failed to rename {path} to {destination}", is_replaced)
        return None

    def _received(self, user: str) -> list[tuple[Record, str]]:
        found = []
        with self._lock:
            for share in self.records:
                recipients = {(USER, user)} if self._is_older else {(USER, user), (GROUP, EVERYONE)}
                is_recipient = (share["share_type"], share["share_with"]) in recipients
                if is_recipient and share["uid_owner"] != user:
                    target = self._target(user, share)
                    found += [(share, target)] if target is not None else []
        return found

    def _target(self, user: str, share: Record) -> str | None:
        """Return where a recipient has a share; choose a free name in the root folder the first time."""
        key, home = _key(share, user), self._tree.home(user)
        target = self._targets.get(key, "")
        if target is None or (target and (home / target.strip("/")).parent.is_dir()):
            return target
        wanted = PurePosixPath(target or share["file_target"])
        taken = {path for other, path in self._targets.items() if other.endswith(f" {user}")}
        folder = wanted.parent if (home / str(wanted.parent).strip("/")).is_dir() else PurePosixPath("/")
        free, number = str(folder / wanted.name), 2
        while free in taken or (home / free.strip("/")).exists():
            free = str(folder / f"{wanted.stem} ({number}){wanted.suffix}")
            number += 1
        self._targets[key] = free
        return free


def _can_rename(permissions: int) -> bool:
    return bool(permissions & UPDATE) or permissions & (CREATE | DELETE) == CREATE | DELETE


def _key(share: Record, user: str) -> str:
    return f"{share['id']} {user}"


def _moving_a_storage(path: Path | str | None, destination: str) -> str:
    folder = PurePosixPath(destination).parent
    return f"Moving a storage ({str(path).lstrip('/')}) into a share ({folder}) is not allowed"
