"""`apps.files.trash`: the trash over WebDAV, as Nextcloud 32 answers."""

from datetime import UTC, datetime
from typing import Final

import pytest

from nextcloud_mcp.apps.files import trash
from nextcloud_mcp.errors import InvalidArgumentError, NotFoundError
from nextcloud_mcp.nextcloud.client import Nextcloud
from tests.support.issuer import answer
from tests.support.nextcloud import (
    FILES,
    FakeNextcloud,
    dav_error,
    dav_file,
    dav_folder,
    dav_trashed,
    multistatus,
    propfind,
)

PRINCIPAL: Final = "/remote.php/dav/principals/users/alice"
TRASH: Final = "/remote.php/dav/trashbin/alice/trash"


async def test_lists_the_trash(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The latest deletion comes first, with its original path; the trash folder itself is not listed."""
    content = multistatus(
        dav_folder(f"{TRASH}/"),
        dav_trashed(f"{TRASH}/gr%c3%bc%c3%9fe.txt.d1795448411", "d/grüße.txt", 1795448411),
        dav_trashed(f"{TRASH}/sub.d1795448412/", "sub", 1795448412, is_folder=True),
    )
    fake.on("PROPFIND", TRASH, answer(207, content=content))
    folder, file = await trash.list_trash(nextcloud)
    assert (folder.trash_id, folder.path, folder.is_directory) == ("sub.d1795448412", "/sub", True)
    assert file.model_dump() == {
        "trash_id": "grüße.txt.d1795448411",
        "name": "grüße.txt",
        "path": "/d/grüße.txt",
        "is_directory": False,
        "size": 7,
        "deleted": datetime.fromtimestamp(1795448411, UTC),
    }


async def test_disabled_trash_is_reported(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The trash app can be disabled; the error says what that means."""
    fake.on("PROPFIND", TRASH, answer(404))
    fake.on("PROPFIND", PRINCIPAL, answer(207, content=multistatus()))
    with pytest.raises(NotFoundError, match="no trash: what is deleted is gone"):
        await trash.list_trash(nextcloud)


async def test_missing_account_is_not_a_missing_trash(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Nextcloud also answers 404 for a missing account, and the error does not mention the trash."""
    unknown = dav_error(r"Sabre\DAV\Exception\NotFound", "Principal with name alice not found")
    fake.on("PROPFIND", TRASH, answer(404, content=unknown))
    fake.on("PROPFIND", PRINCIPAL, answer(404, content=unknown))
    with pytest.raises(NotFoundError, match=r"your account .*\(Principal with name alice not found\)") as refused:
        await trash.list_trash(nextcloud)
    assert "no trash" not in str(refused.value)


async def test_restores_an_entry(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The request uses the name in the trash, percent-encoded; the id of the file tells where it is then."""
    item = dav_trashed(f"{TRASH}/a%20b%3F.d17", "d/a b?", 17)
    fake.on("PROPFIND", f"{TRASH}/a%20b%3F.d17", answer(207, content=multistatus(item)))
    fake.on("MOVE", f"{TRASH}/a%20b%3F.d17", answer(201))
    fake.on("SEARCH", "/remote.php/dav/", propfind(dav_file(f"{FILES}/a%20b%3F")))
    assert await trash.restore(nextcloud, "a b?.d17") == ("/a b?", "/d/a b?")
    assert b"<d:literal>91</d:literal>" in fake.requests[-1].content
    destination = fake.requests[-2].headers["Destination"]
    assert destination == "https://cloud.test/remote.php/dav/trashbin/alice/restore/a%20b%3F.d17"


@pytest.mark.parametrize("trash_id", ["", ".", "..", "../../files/alice/a", "a/b"])
async def test_path_as_id_is_refused(nextcloud: Nextcloud, fake: FakeNextcloud, trash_id: str) -> None:
    """An id can't lead out of the trash."""
    with pytest.raises(InvalidArgumentError, match="Invalid trash_id"):
        await trash.restore(nextcloud, trash_id)
    assert fake.asked() == []


async def test_unknown_entry_is_named(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The error names the entry."""
    fake.on("PROPFIND", f"{TRASH}/a.d17", answer(404))
    with pytest.raises(NotFoundError, match=r"did not find 'a\.d17' in the trash"):
        await trash.restore(nextcloud, "a.d17")
