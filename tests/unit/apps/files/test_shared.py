"""`apps.files`: refusals for what somebody shared or locked name the permission, the owner and the lock."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import pytest

from nextcloud_mcp.apps.files import upload, webdav
from nextcloud_mcp.errors import ConflictError, ForbiddenError, LockedError
from nextcloud_mcp.nextcloud.client import Nextcloud
from tests.support.issuer import answer
from tests.support.nextcloud import (
    FILES,
    SHARES,
    FakeNextcloud,
    dav_file,
    dav_folder,
    dav_locked,
    dav_shared,
    ocs,
    propfind,
)
from tests.support.server import Server

UPLOAD_ID: Final = "0" * 32
UPLOAD: Final = f"/remote.php/dav/uploads/alice/{UPLOAD_ID}"
BOB: Final = "Bob Example (bob)"
READ_ONLY: Final = f"You may only read /d, which belongs to {BOB}, and this needs the permission to"

Act = Callable[[Nextcloud], Awaitable[Any]]


def write(nextcloud: Nextcloud) -> Awaitable[Any]:
    """Create a file in the shared folder."""
    return webdav.write_file(nextcloud, "d/new", b"x", content_type=None, etag=None)


def replace(nextcloud: Nextcloud) -> Awaitable[Any]:
    """Replace a file in the shared folder."""
    return webdav.write_file(nextcloud, "d/a", b"x", content_type=None, etag="e")


def rename(nextcloud: Nextcloud) -> Awaitable[Any]:
    """Rename a file in the shared folder."""
    return webdav.move(nextcloud, "d/a", "d/b", overwrite=False)


def move_out(nextcloud: Nextcloud) -> Awaitable[Any]:
    """Move a file out of the shared folder."""
    return webdav.move(nextcloud, "d/a", "own", overwrite=False)


def copy_in(nextcloud: Nextcloud) -> Awaitable[Any]:
    """Copy a file into the shared folder."""
    return webdav.copy(nextcloud, "own", "d/new", overwrite=False)


def make_folder(nextcloud: Nextcloud) -> Awaitable[Any]:
    """Create a folder in the shared folder."""
    return webdav.create_directory(nextcloud, "d/new")


def delete(nextcloud: Nextcloud) -> Awaitable[Any]:
    """Delete a file in the shared folder."""
    return webdav.delete(nextcloud, "d/a")


def assemble(nextcloud: Nextcloud) -> Awaitable[Any]:
    """Replace a file in the shared folder by an upload in parts."""
    return upload.assemble(nextcloud, UPLOAD_ID, "d/a", size=1, etag="e")


def send_part(nextcloud: Nextcloud) -> Awaitable[Any]:
    """Send a part of a new file in the shared folder."""
    return upload.put_part(nextcloud, UPLOAD_ID, "d/new", 1, b"x")


CREATE: Final = f"{READ_ONLY} create in it: ask {BOB} for it"
CHANGE: Final = CREATE.replace("/d,", "/d/a,").replace("create in it", "change it")
DELETE: Final = CHANGE.replace("change it", "delete it")
REQUESTS: Final[dict[str, tuple[Act, str, str, str]]] = {
    "write": (write, "PUT", f"{FILES}/d/new", CREATE),
    "replace": (replace, "PUT", f"{FILES}/d/a", CHANGE),
    "rename": (rename, "MOVE", f"{FILES}/d/a", CHANGE),
    "move out": (move_out, "MOVE", f"{FILES}/d/a", DELETE),
    "copy in": (copy_in, "COPY", f"{FILES}/own", CREATE),
    "make a folder": (make_folder, "MKCOL", f"{FILES}/d/new", CREATE),
    "delete": (delete, "DELETE", f"{FILES}/d/a", DELETE),
    "assemble": (assemble, "MOVE", f"{UPLOAD}/.file", CHANGE),
    "send a part": (send_part, "PUT", f"{UPLOAD}/00001", CREATE),
}


def has_share(fake: FakeNextcloud, *, folder: str, file: str) -> None:
    """Bob's folder `d` with the file `a`, and a file of alice's own, with these properties."""
    fake.on("PROPFIND", f"{FILES}/d", propfind(dav_folder(f"{FILES}/d/", more=folder)))
    fake.on("PROPFIND", f"{FILES}/d/a", propfind(dav_file(f"{FILES}/d/a", more=file)))
    fake.on("PROPFIND", f"{FILES}/own", propfind(dav_file(f"{FILES}/own")))
    for name in ("new", "b"):
        fake.on("PROPFIND", f"{FILES}/d/{name}", answer(404))


@pytest.mark.parametrize(("act", "method", "path", "sentence"), REQUESTS.values(), ids=REQUESTS.keys())
async def test_refused_write_names_missing_permission(
    nextcloud: Nextcloud, fake: FakeNextcloud, act: Act, method: str, path: str, sentence: str
) -> None:
    """The error says what the user may do, whose it is, what is missing, and whom to ask."""
    has_share(fake, folder=dav_shared("SGDN", bits=1, is_root=True), file=dav_shared("SG", bits=1))
    fake.on(method, path, answer(403))
    with pytest.raises(ForbiddenError) as refused:
        await act(nextcloud)
    assert str(refused.value) == f"{sentence}."


async def test_refusal_lists_several_permissions(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Who may change and not create reads both."""
    has_share(fake, folder=dav_shared("SGDNV", bits=3, is_root=True), file=dav_shared("SGNVW", bits=3))
    fake.on("PUT", f"{FILES}/d/new", answer(403))
    with pytest.raises(ForbiddenError, match=f"You may read and change /d, .* create in it: ask {BOB[:3]}"):
        await write(nextcloud)


@pytest.mark.parametrize(
    ("mount", "is_root", "origin", "whom"),
    [
        ("group", True, "is a mounted team folder", "whoever manages the team folder"),
        ("group", False, "is in a mounted team folder", "whoever manages the team folder"),
        ("external", True, "is a mounted external storage", "whoever manages the external storage"),
    ],
)
async def test_refusal_names_kind_of_mount(
    nextcloud: Nextcloud, fake: FakeNextcloud, *, mount: str, is_root: bool, origin: str, whom: str
) -> None:
    """Nobody owns a team folder or an external storage."""
    has_share(fake, folder=dav_shared("MG", mount=mount, is_root=is_root), file="")
    fake.on("PUT", f"{FILES}/d/new", answer(403))
    with pytest.raises(ForbiddenError) as refused:
        await write(nextcloud)
    assert f"You may only read /d, which {origin}, and" in str(refused.value)
    assert str(refused.value).endswith(f"ask {whom} for it.")


async def test_refusal_for_another_reason_keeps_its_sentence(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Where everything is allowed, or the properties cannot be read, the cause is unknown."""
    has_share(fake, folder="", file="")
    fake.on("PUT", f"{FILES}/d/new", answer(403))
    with pytest.raises(ForbiddenError, match="does not allow this for /d/new"):
        await write(nextcloud)
    fake.on("PROPFIND", f"{FILES}/d/new", answer(503))
    with pytest.raises(ForbiddenError, match="does not allow this for /d/new"):
        await write(nextcloud)


@pytest.mark.parametrize("method", ["MOVE", "COPY"])
async def test_nothing_is_replaced_that_cannot_be_created_again(
    nextcloud: Nextcloud, fake: FakeNextcloud, method: str
) -> None:
    """Nextcloud 34 deletes the destination before it refuses, so nothing is sent."""
    has_share(fake, folder=dav_shared("SGDN", bits=11, is_root=True), file=dav_shared("SGDNVW", bits=11))
    transfer = webdav.move if method == "MOVE" else webdav.copy
    with pytest.raises(ForbiddenError, match=r"You may read, change and delete /d, .* the permission to create in it"):
        await transfer(nextcloud, "own", "d/a", overwrite=True)
    assert fake.asked(method) == []


async def test_file_that_is_a_share_is_not_replaced(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Nextcloud would leave the share, and put an own file with this name in its place."""
    has_share(fake, folder="", file=dav_shared("SRGDNVW", bits=19, is_root=True))
    with pytest.raises(ConflictError, match=r"/d/a is a file of Bob .*, and what replaces it would not be: nothing"):
        await webdav.copy(nextcloud, "own", "d/a", overwrite=True)
    assert fake.asked("COPY") == []


async def test_replacing_needs_deletion(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """A share that allows all but deleting names that."""
    has_share(fake, folder=dav_shared("SGDNVCK", bits=7, is_root=True), file=dav_shared("SGNVW", bits=7))
    with pytest.raises(ForbiddenError, match=r"You may read and change /d/a, .* the permission to delete it"):
        await webdav.copy(nextcloud, "own", "d/a", overwrite=True)


async def test_failed_rename_names_missing_permission(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Nextcloud 34 answers 500 to a rename where all is allowed but to change."""
    has_share(fake, folder=dav_shared("SGDNCK", bits=13, is_root=True), file=dav_shared("SGDN", bits=13))
    fake.on("MOVE", f"{FILES}/d/a", answer(500))
    with pytest.raises(ForbiddenError, match=r"You may read and delete /d/a, .* the permission to change it"):
        await rename(nextcloud)


async def test_moved_share_names_the_destination(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Whoever received a share may move it, so the destination is what does not allow it."""
    has_share(fake, folder=dav_shared("SGDN", bits=1, is_root=True), file="")
    root = dav_shared("SGDN", bits=1, is_root=True)
    fake.on("PROPFIND", f"{FILES}/own", propfind(dav_file(f"{FILES}/own", more=root)))
    fake.on("MOVE", f"{FILES}/own", answer(403))
    with pytest.raises(ForbiddenError, match=r"You may only read /d, .* the permission to create in it"):
        await webdav.move(nextcloud, "own", "d/new", overwrite=False)


@pytest.mark.parametrize("letters", ["MG", "RMGDNVCK"])
async def test_team_folder_itself_is_neither_moved_nor_deleted(
    nextcloud: Nextcloud, fake: FakeNextcloud, letters: str
) -> None:
    """No permission is missing: Nextcloud lets nobody do it."""
    has_share(fake, folder=dav_shared(letters, mount="group", is_root=True), file="")
    for method in ("DELETE", "MOVE"):
        fake.on(method, f"{FILES}/d", answer(403))
    for act in (webdav.delete(nextcloud, "d"), webdav.move(nextcloud, "d", "b", overwrite=False)):
        fake.on("PROPFIND", f"{FILES}/b", answer(404))
        with pytest.raises(ForbiddenError, match="/d is a mounted team folder, which can be neither moved nor deleted"):
            await act


async def test_permission_comes_before_a_lock(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Who may never change a file is not told to try again after the lock."""
    has_share(fake, folder="", file=dav_shared("SG", bits=1) + dav_locked())
    fake.on("PUT", f"{FILES}/d/a", answer(423))
    with pytest.raises(ForbiddenError, match="You may only read /d/a"):
        await replace(nextcloud)


async def test_own_lock_is_not_to_be_asked_for(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """A program of the user's own, such as the desktop client, can lock a file too."""
    has_share(fake, folder="", file=dav_locked(kind=2).replace("bob", "alice").replace("Bob", "Alice"))
    fake.on("PUT", f"{FILES}/d/a", answer(423))
    with pytest.raises(LockedError, match=r"a program of Alice .*: unlock it in Nextcloud, or close it in the program"):
        await replace(nextcloud)


async def test_upload_is_refused_before_its_first_part(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Nextcloud refuses the last part only, after all data was sent."""
    has_share(fake, folder=dav_shared("SGDN", bits=1, is_root=True), file="")
    with pytest.raises(ForbiddenError, match="permission to create in it"):
        await upload.start_upload(nextcloud, "d/new")
    assert fake.asked("MKCOL") == []


LOCKED: Final = {
    0: f"/d/a is locked by {BOB} since 2026-11-28T12:41:09+00:00 until 2026-11-28T13:11:09+00:00: ask for it to be",
    1: f"/d/a is locked by the app in which it is open for {BOB} since",
    2: f"/d/a is locked by a program of {BOB} since",
}


@pytest.mark.parametrize(("kind", "sentence"), LOCKED.items())
@pytest.mark.parametrize("act", [replace, rename, move_out, delete, assemble])
async def test_locked_file_names_holder(
    nextcloud: Nextcloud, fake: FakeNextcloud, act: Act, kind: int, sentence: str
) -> None:
    """The error says who has locked the file, since when and until when."""
    has_share(fake, folder="", file=dav_locked(kind=kind, timeout=1800))
    for method, path in (("PUT", f"{FILES}/d/a"), ("MOVE", f"{FILES}/d/a"), ("DELETE", f"{FILES}/d/a")):
        fake.on(method, path, answer(423))
    fake.on("MOVE", f"{UPLOAD}/.file", answer(423))
    fake.on("PROPFIND", f"{FILES}", propfind(dav_folder(f"{FILES}/")))
    with pytest.raises(LockedError) as refused:
        await act(nextcloud)
    assert str(refused.value).startswith(sentence)


async def test_short_lock_keeps_its_sentence(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Nextcloud also answers 423 while another request writes."""
    has_share(fake, folder="", file="")
    fake.on("PUT", f"{FILES}/d/a", answer(423))
    with pytest.raises(LockedError, match="/d/a is locked by somebody who is writing to it: try again shortly"):
        await replace(nextcloud)


async def test_lock_in_a_folder_is_found(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The error about a folder names the locked file in it."""
    locked = dav_file(f"{FILES}/d/a", more=dav_locked())
    fake.on("PROPFIND", f"{FILES}/d", propfind(dav_folder(f"{FILES}/d/"), locked))
    fake.on("DELETE", f"{FILES}/d", answer(423))
    with pytest.raises(LockedError, match="/d/a is locked by Bob Example"):
        await webdav.delete(nextcloud, "d")


DELETED: Final = {
    "a share": (dav_shared("SGDN", bits=1, is_root=True), f"You have left d, which belongs to {BOB}. Nothing is"),
    "in a share": (dav_shared("SRGDNVW", bits=19), f"d is deleted, for {BOB} too, to whom it belongs."),
    "in a team folder": (dav_shared("RMGDNVW", mount="group"), "d is deleted, for all who use the team folder."),
    "the person's own": ("", "d is deleted."),
}


@pytest.mark.parametrize(("more", "message"), DELETED.values(), ids=DELETED.keys())
async def test_deletion_says_for_whom(server: Server, more: str, message: str) -> None:
    """Deleting a share only leaves it; what is inside it is deleted for its owner too."""
    server.nextcloud.on("PROPFIND", f"{FILES}/d", propfind(dav_file(f"{FILES}/d", more=more)))
    server.nextcloud.on("DELETE", f"{FILES}/d", answer(204))
    assert (await server.use("nc_webdav_delete_resource", {"path": "d"}))["message"].startswith(message)


async def test_folder_deleted_in_spite_of_lock_is_told(server: Server) -> None:
    """Nextcloud 34 answers 423 for a folder with a locked file, and moves the folder to the trash all the same."""
    folder = propfind(dav_folder(f"{FILES}/d/", more=dav_shared("SRGDNVCK", bits=31)))
    server.nextcloud.on("PROPFIND", f"{FILES}/d", folder, answer(404))
    server.nextcloud.on("DELETE", f"{FILES}/d", answer(423))
    told = await server.use("nc_webdav_delete_resource", {"path": "d"})
    said = f"d is deleted, for {BOB} too, to whom it belongs, although a file in it is locked. nc_webdav_restore"
    assert told["message"].startswith(said)


THEIRS: Final = {
    "path": "/d/theirs",
    "uid_owner": "carl",
    "uid_file_owner": "bob",
    "displayname_file_owner": "Bob Example",
}


async def test_shares_in_a_deleted_folder_are_left(server: Server) -> None:
    """Their owners still have them, and they are not in the trash."""
    server.nextcloud.on("PROPFIND", f"{FILES}/d", propfind(dav_folder(f"{FILES}/d/")))
    server.nextcloud.on("GET", SHARES, ocs([THEIRS, {"path": "/dd", "uid_owner": "carl"}]))
    server.nextcloud.on("DELETE", f"{FILES}/d", answer(204))
    told = await server.use("nc_webdav_delete_resource", {"path": "d"})
    assert told["message"] == (
        f"d is deleted. You have left /d/theirs, which belongs to {BOB}. Nothing is deleted: {BOB} still has it, and "
        "can share it with you again."
    )


async def test_copy_says_which_shares_it_lacks(server: Server) -> None:
    """Nextcloud 34 copies no share that is in a folder."""
    server.nextcloud.on("GET", SHARES, ocs([THEIRS]))
    server.nextcloud.on("COPY", f"{FILES}/d", answer(201))
    server.nextcloud.on("PROPFIND", f"{FILES}/e/theirs", answer(404))
    told = await server.use("nc_webdav_copy_resource", {"source_path": "d", "destination_path": "e"})
    assert told["message"] == f"d is copied to e, without /d/theirs, which belongs to {BOB}."


async def test_folder_with_shares_is_not_moved_into_a_share(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The error names what Nextcloud does not move, and what to do."""
    fake.on("GET", SHARES, ocs([THEIRS]))
    fake.on("MOVE", f"{FILES}/d", answer(403))
    for path in ("d", "s", "s/d"):
        fake.on("PROPFIND", f"{FILES}/{path}", propfind(dav_folder(f"{FILES}/{path}/")))
    with pytest.raises(
        ForbiddenError, match=r"/d contains /d/theirs, which belongs to Bob .*: move that elsewhere first"
    ):
        await webdav.move(nextcloud, "d", "s/d", overwrite=False)


async def test_listing_names_owner_and_who_shared_it(server: Server) -> None:
    """They are two people where somebody shares on what belongs to another."""
    listed = [
        dav_folder(f"{FILES}/"),
        dav_folder(f"{FILES}/d/theirs/", more=dav_shared("SRGDN", bits=17, is_root=True)),
    ]
    server.nextcloud.on("PROPFIND", FILES, propfind(*listed))
    server.nextcloud.on("GET", SHARES, ocs([THEIRS]))
    (file,) = (await server.use("nc_webdav_list_directory", {}))["files"]
    assert (file["shared_by"], file["owner"]) == ("carl", BOB)
    server.nextcloud.on("GET", SHARES, answer(503))
    (file,) = (await server.use("nc_webdav_list_directory", {}))["files"]
    assert (file["shared_by"], "owner" in file) == (BOB, False)
