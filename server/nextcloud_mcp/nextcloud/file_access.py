"""Read how the user may access a file: who owns it, how it is mounted, what is allowed, and who has locked it.

Sources: Nextcloud developer manual, "WebDAV: Basic APIs", for `oc:permissions`, `oc:owner-id` and `nc:mount-type`; the
README of the app files_lock for `nc:lock`; OCS Share API for the bits of `share-permissions`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, Literal

from pydantic import BaseModel, Field

from nextcloud_mcp.nextcloud import dav

OCS: Final = "{http://open-collaboration-services.org/ns}"

Permission = Literal["read", "change", "create", "delete", "share"]

PROPERTIES: Final = (
    *(f"{dav.OC}{name}" for name in ("permissions", "owner-id", "owner-display-name")),
    f"{OCS}share-permissions",
    *(f"{dav.NC}{name}" for name in ("mount-type", "is-mount-root")),
    *(f"{dav.NC}lock{name}" for name in ("", "-owner", "-owner-displayname", "-owner-type", "-time", "-timeout")),
)
"""The properties that `read_access` needs."""

_BITS: Final[Mapping[Permission, int]] = {"read": 1, "change": 2, "create": 4, "delete": 8, "share": 16}
_MOUNTS: Final = {"group": "team folder", "external": "external storage", "external-session": "external storage"}
_HOLDERS: Final[Mapping[str, Literal["person", "app", "program"]]] = {"0": "person", "1": "app", "2": "program"}


class Lock(BaseModel):
    """A lock on a file: whose it is, and since and until when, in ISO 8601. Without `until`, it has no end.

    `kind` says what locks the file: a person, an app in which it is open, or a program such as the desktop client.
    """

    by: str
    user_id: str = Field(default="", exclude=True)
    kind: Literal["person", "app", "program"]
    since: str
    until: str | None = Field(default=None, exclude_if=lambda value: value is None)


class Access(BaseModel):
    """How the user may access a file or folder. Fields are None if they are as for an own file that is not locked.

    Attributes:
        shared_by: The owner, if somebody shared it with the user.
        owner_id: The owner's user id, with `shared_by`.
        mount: What it is mounted from, other than a share: a team folder or an external storage.
        is_mount_root: Whether it is what was mounted, not something inside of it.
        permissions: What the user may do with it, if that is not everything.
        lock: The lock on it, if any.
    """

    shared_by: str | None = None
    owner_id: str = ""
    mount: str | None = None
    is_mount_root: bool = False
    permissions: tuple[Permission, ...] | None = None
    lock: Lock | None = None

    @property
    def allows_everything(self) -> bool:
        """Whether the user may do everything with it; nobody may move or delete what is mounted other than a share."""
        return self.permissions is None and not (self.is_mount_root and self.mount)


def read_access(text: Mapping[str, str], *, is_directory: bool) -> Access:
    """Return the access to a file or folder whose `PROPERTIES` have these values."""
    letters = text.get(f"{dav.OC}permissions", "")
    if not {"S", "M"} & set(letters):
        return Access(lock=_lock(text))
    is_root = text.get(f"{dav.NC}is-mount-root") == "true"
    bits = text.get(f"{OCS}share-permissions", "")
    allowed = _of_bits(int(bits)) if is_root and "S" in letters and bits.isdecimal() else _of_letters(letters)
    if is_root and "M" in letters and "create" in allowed:  # lists show neither D nor V for the root of a team folder
        allowed |= {"change", "delete"}
    possible = [name for name in _BITS if is_directory or name not in _not_for_files(is_root=is_root)]
    return Access(
        shared_by=_owner(text) if "S" in letters else None,
        owner_id=text.get(f"{dav.OC}owner-id", "") if "S" in letters else "",
        is_mount_root=is_root,
        mount=_MOUNTS.get(text.get(f"{dav.NC}mount-type", "")),
        permissions=tuple(name for name in possible if name in allowed) if set(possible) - allowed else None,
        lock=_lock(text),
    )


def describe_permissions(permissions: tuple[Permission, ...]) -> str:
    """Return permissions as lists show them."""
    return "read-only" if permissions == ("read",) else ", ".join(permissions)


def describe_lock(lock: Lock) -> str:
    """Return the end of a sentence that says that something is locked."""
    holder = {"person": "", "app": "the app in which it is open for ", "program": "a program of "}[lock.kind]
    until = f" until {lock.until}" if lock.until else ""
    return f"locked by {holder}{lock.by} since {lock.since}{until}"


def _not_for_files(*, is_root: bool) -> set[Permission]:
    """Return the permissions that a file cannot have. A user can always delete a share's root, which only leaves it."""
    return {"create", "delete"} if is_root else {"create"}


def _of_bits(bits: int) -> set[Permission]:
    return {name for name, bit in _BITS.items() if bits & bit}


def _of_letters(letters: str) -> set[Permission]:
    """Return the permissions in `oc:permissions`: `W` is for files, and `V` stands for the same in folders."""
    found: dict[Permission, str] = {"read": "G", "change": "WV", "create": "CK", "delete": "D", "share": "R"}
    return {name for name, either in found.items() if set(either) & set(letters)}


def _owner(text: Mapping[str, str]) -> str:
    return dav.format_person(text.get(f"{dav.OC}owner-id", ""), text.get(f"{dav.OC}owner-display-name"))


def _lock(text: Mapping[str, str]) -> Lock | None:
    if text.get(f"{dav.NC}lock") != "1":
        return None
    since, timeout = (_number(text.get(f"{dav.NC}lock{name}", "")) for name in ("-time", "-timeout"))
    name = text.get(f"{dav.NC}lock-owner-displayname", "").strip()
    return Lock(
        by=dav.format_person(text.get(f"{dav.NC}lock-owner", ""), name),
        user_id=text.get(f"{dav.NC}lock-owner", ""),
        kind=_HOLDERS.get(text.get(f"{dav.NC}lock-owner-type", ""), "person"),
        since=_moment(since),
        until=_moment(since + timeout) if timeout > 0 else None,
    )


def _number(text: str) -> int:
    """Return a number of up to 12 digits, else 0; a negative timeout means that a lock has no end."""
    return int(text) if text.isdecimal() and len(text) <= len("999999999999") else 0


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
