"""`nextcloud.file_access`: permissions, owners and locks of files, as Nextcloud 32.0.1 and 34.0.1 give them."""

from typing import Final

import httpx
import pytest

from nextcloud_mcp.nextcloud.dav import responses
from nextcloud_mcp.nextcloud.files import FileInfo, file_info
from tests.support.nextcloud import dav_file, dav_folder, dav_locked, dav_shared, multistatus

ROOT: Final = "/remote.php/dav/files/alice"
SHOWN: Final = ("shared_by", "mount", "permissions", "lock")

FOLDERS: Final = {
    "read-only, 34": (dav_shared("SGDN", bits=1, is_root=True), "read-only"),
    "read-only, 32": (dav_shared("SGD", bits=1, is_root=True), "read-only"),
    "read-only, inside": (dav_shared("SG", bits=1), "read-only"),
    "may change": (dav_shared("SGDNV", bits=3, is_root=True), "read, change"),
    "may create": (dav_shared("SGDNCK", bits=5, is_root=True), "read, create"),
    "may create, inside": (dav_shared("SGCK", bits=5), "read, create"),
    "may delete": (dav_shared("SGDN", bits=9, is_root=True), "read, delete"),
    "may delete, inside": (dav_shared("SGD", bits=9), "read, delete"),
    "may share": (dav_shared("SRGDN", bits=17, is_root=True), "read, share"),
    "all but deleting": (dav_shared("SRGDNVCK", bits=23, is_root=True), "read, change, create, share"),
    "all but sharing": (dav_shared("SGDNVCK", bits=15, is_root=True), "read, change, create, delete"),
    "all": (dav_shared("SRGDNVCK", bits=31, is_root=True), None),
    "no bits told": (dav_shared("SGDN").replace(">0</x1", "></x1"), "read, delete"),
}
FILES: Final = {
    "read-only": (dav_shared("SGDN", bits=1, is_root=True), "read-only"),
    "may change": (dav_shared("SGDNVW", bits=3, is_root=True), "read, change"),
    "all": (dav_shared("SRGDNVW", bits=19, is_root=True), None),
    "may change, inside": (dav_shared("SGNVW", bits=3), "read, change"),
    "all, inside": (dav_shared("SRGDNVW", bits=19), None),
}


def read(response: str) -> FileInfo:
    """Read one response of a PROPFIND."""
    return file_info(responses(httpx.Response(207, content=multistatus(response)))[0], ROOT)


def shown(info: FileInfo) -> dict[str, object]:
    """Return the fields about access that a list shows."""
    return {name: value for name, value in info.model_dump().items() if name in SHOWN}


@pytest.mark.parametrize(("more", "permissions"), FOLDERS.values(), ids=FOLDERS.keys())
def test_folder_shows_owner_and_permissions(more: str, permissions: str | None) -> None:
    """A share's root can always be deleted, which only leaves it, so its bits count and not its letters."""
    expected = {"shared_by": "Bob Example (bob)", "permissions": permissions}
    assert shown(read(dav_folder(f"{ROOT}/a/", more=more))) == {k: v for k, v in expected.items() if v}


@pytest.mark.parametrize(("more", "permissions"), FILES.values(), ids=FILES.keys())
def test_file_shows_owner_and_permissions(more: str, permissions: str | None) -> None:
    """Nothing can be created in a file, so that is not missing."""
    expected = {"shared_by": "Bob Example (bob)", "permissions": permissions}
    assert shown(read(dav_file(f"{ROOT}/a", more=more))) == {k: v for k, v in expected.items() if v}


MOUNTS: Final = {
    "a read-only team folder": (dav_shared("MG", mount="group"), {"mount": "team folder", "permissions": "read-only"}),
    "a team folder": (dav_shared("RMGDNVCK", mount="group"), {"mount": "team folder"}),
    "a team folder in a list": (dav_shared("RMGCK", mount="group", is_root=True), {"mount": "team folder"}),
    "a team folder without sharing": (
        dav_shared("MGCK", mount="group", is_root=True),
        {"mount": "team folder", "permissions": "read, change, create, delete"},
    ),
    "an external storage": (dav_shared("RMGDNVCK", mount="external"), {"mount": "external storage"}),
    "one's own": (dav_shared("RGDNVCK", mount=""), {}),
    "one's own, where sharing is switched off": (dav_shared("GDNVCK", mount=""), {}),
}


@pytest.mark.parametrize(("more", "expected"), MOUNTS.values(), ids=MOUNTS.keys())
def test_mount_is_shown_unless_own(more: str, expected: dict[str, str]) -> None:
    """Own files take no more space in lists than before."""
    assert shown(read(dav_folder(f"{ROOT}/a/", more=more))) == expected


@pytest.mark.parametrize(("kind", "holder"), [(0, "person"), (1, "app"), (2, "program"), (9, "person")])
def test_lock_shows_holder_and_end(kind: int, holder: str) -> None:
    """`until` is missing for a lock without end."""
    lock = read(dav_file(f"{ROOT}/a", more=dav_locked(kind=kind))).lock
    assert lock is not None
    assert lock.model_dump() == {"by": "Bob Example (bob)", "kind": holder, "since": "2026-11-28T12:41:09+00:00"}
    ending = read(dav_file(f"{ROOT}/a", more=dav_locked(kind=kind, timeout=1800))).lock
    assert ending is not None
    assert ending.model_dump() == {**lock.model_dump(), "until": "2026-11-28T13:11:09+00:00"}
