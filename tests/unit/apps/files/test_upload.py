"""`apps.files.upload`: Nextcloud's chunked upload, version 2, as Nextcloud 32 answers."""

from typing import Final

import pytest

from nextcloud_mcp.apps.files import upload as uploads
from nextcloud_mcp.errors import ConflictError, InvalidArgumentError, LockedError, NextcloudError, NotFoundError
from nextcloud_mcp.nextcloud.client import Nextcloud
from tests.support.issuer import answer
from tests.support.nextcloud import (
    FILES,
    USER_PATH,
    FakeNextcloud,
    dav_error,
    dav_file,
    dav_folder,
    multistatus,
    ocs_user,
    propfind,
)

ID: Final = "0123456789abcdef0123456789abcdef"
UPLOAD: Final = f"/remote.php/dav/uploads/alice/{ID}"
DESTINATION: Final = f"https://cloud.test{FILES}/d/a%20b"


async def test_starts_an_upload_with_random_id(
    nextcloud: Nextcloud, fake: FakeNextcloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The upload has a random id and the target file, below the user's own id."""
    monkeypatch.setattr("secrets.token_hex", lambda size: "0f" * size)
    upload = "0f" * 16
    fake.on("GET", USER_PATH, ocs_user("alice x"))
    fake.on("MKCOL", f"/remote.php/dav/uploads/alice%20x/{upload}", answer(201))
    for path in ("/d/a%20b", "/d", ""):
        fake.on("PROPFIND", f"/remote.php/dav/files/alice%20x{path}", answer(404))
    assert await uploads.start_upload(nextcloud, "d/a b") == upload
    destination = fake.requests[-1].headers["Destination"]
    assert destination == "https://cloud.test/remote.php/dav/files/alice%20x/d/a%20b"


@pytest.mark.parametrize(("part", "name"), [(1, "00001"), (10_000, "10000")])
async def test_part_name_keeps_order(nextcloud: Nextcloud, fake: FakeNextcloud, part: int, name: str) -> None:
    """Part names sort in upload order."""
    fake.on("PUT", f"{UPLOAD}/{name}", answer(201))
    await uploads.put_part(nextcloud, ID, "d/a b", part, b"\0\xff")
    assert fake.requests[-1].content == b"\0\xff"
    assert fake.requests[-1].headers["Destination"] == DESTINATION


@pytest.mark.parametrize("part", [0, -1, 10_001])
async def test_part_number_out_of_range_is_named(nextcloud: Nextcloud, fake: FakeNextcloud, part: int) -> None:
    """No request is sent."""
    with pytest.raises(InvalidArgumentError, match=f"Invalid part {part}: pass a number from 1 to 10000"):
        await uploads.put_part(nextcloud, ID, "a", part, b"")
    assert fake.asked() == []


@pytest.mark.parametrize("upload", ["..", "a/../../files", "", ID + "0", ID.upper()])
async def test_invalid_upload_id_is_refused(nextcloud: Nextcloud, fake: FakeNextcloud, upload: str) -> None:
    """The id is part of a URL and can't lead elsewhere."""
    for call in (
        uploads.put_part(nextcloud, upload, "a", 1, b""),
        uploads.assemble(nextcloud, upload, "a", size=1, etag=None),
    ):
        with pytest.raises(InvalidArgumentError, match="Unknown upload id"):
            await call
    assert fake.asked() == []


async def test_missing_upload_or_folder_is_named(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Nextcloud answers 404 in both cases, so the error names both."""
    fake.on("PUT", f"{UPLOAD}/00001", answer(404))
    with pytest.raises(NotFoundError, match=f"no upload {ID}, or no folder for /no/a"):
        await uploads.put_part(nextcloud, ID, "no/a", 1, b"")


async def test_creates_new_file_from_parts(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The file is created only if none exists and the parts have the total size."""
    fake.on("MOVE", f"{UPLOAD}/.file", answer(201, headers={"OC-ETag": '"e"'}))
    written = await uploads.assemble(nextcloud, ID, "d/a b", size=7, etag=None)
    assert (written.status_code, written.etag) == (201, "e")
    headers = fake.requests[-1].headers
    assert (headers["Destination"], headers["Overwrite"], headers["OC-Total-Length"]) == (DESTINATION, "F", "7")
    assert "If" not in headers


@pytest.mark.parametrize("etag", ["abc", '"abc"', 'W/"abc-gzip"'])
async def test_if_header_names_file_to_replace(nextcloud: Nextcloud, fake: FakeNextcloud, etag: str) -> None:
    """The condition is tagged with the file, since the request's own URL is the upload (RFC 4918 section 10.4)."""
    fake.on("MOVE", f"{UPLOAD}/.file", answer(204, headers={"OC-ETag": '"e"'}))
    assert (await uploads.assemble(nextcloud, ID, "d/a b", size=7, etag=etag)).status_code == 204
    assert fake.requests[-1].headers["If"] == f'<{DESTINATION}> (["abc"])'
    assert "Overwrite" not in fake.requests[-1].headers


@pytest.mark.parametrize(("etag", "sentence"), [(None, "exists already"), ("old", "has changed since you read it")])
async def test_existing_file_is_not_overwritten(
    nextcloud: Nextcloud, fake: FakeNextcloud, etag: str | None, sentence: str
) -> None:
    """The conflict says to read the file first, as for an upload in one part."""
    fake.on("MOVE", f"{UPLOAD}/.file", answer(412))
    fake.on("PROPFIND", f"{FILES}/a", answer(207, content=multistatus(dav_file(f"{FILES}/a"))))
    with pytest.raises(ConflictError, match=f"{sentence}.*ETag from reading") as refused:
        await uploads.assemble(nextcloud, ID, "a", size=7, etag=etag)
    assert "68a55c7c" not in str(refused.value)


async def test_incomplete_upload_writes_nothing(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Nothing is written, and the missing parts can still be sent."""
    message = "Chunks on server do not sum up to 7 but to 6 bytes"
    fake.on("MOVE", f"{UPLOAD}/.file", answer(400, content=dav_error(r"Sabre\DAV\Exception\BadRequest", message)))
    with pytest.raises(InvalidArgumentError, match="are not 7 bytes together, and nothing was written"):
        await uploads.assemble(nextcloud, ID, "a", size=7, etag=None)


async def test_other_failures_keep_their_error(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """An invalid name or a lock is reported as such, not as a problem with the parts."""
    name = dav_error(r"OCA\DAV\Connector\Sabre\Exception\InvalidPath", "Filename is too long")
    fake.on("MOVE", f"{UPLOAD}/.file", answer(400, content=name))
    with pytest.raises(NextcloudError, match=r"does not allow the name of /a \(Filename is too long\)"):
        await uploads.assemble(nextcloud, ID, "a", size=7, etag=None)
    fake.on("MOVE", f"{UPLOAD}/.file", answer(423))
    fake.on("PROPFIND", f"{FILES}/a", answer(404))
    fake.on("PROPFIND", FILES, propfind(dav_folder(f"{FILES}/")))
    with pytest.raises(LockedError, match="/a is locked"):
        await uploads.assemble(nextcloud, ID, "a", size=7, etag=None)
