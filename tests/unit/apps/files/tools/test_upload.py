"""`apps.files.tools.upload`: the tool for large files, called through MCP."""

from base64 import b64encode
from typing import Any, Final

import httpx
import pytest

from tests.support.issuer import answer
from tests.support.nextcloud import FILES, FakeNextcloud, dav_error, dav_folder, propfind
from tests.support.server import Server

ID: Final = "0f" * 16
UPLOAD: Final = f"/remote.php/dav/uploads/alice/{ID}"
CONTENT: Final = b64encode(b"\0\xff").decode()


@pytest.fixture(autouse=True)
def known_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the next upload's id a known one."""
    monkeypatch.setattr("nextcloud_mcp.apps.files.upload.secrets.token_hex", lambda size: "0f" * size)


def takes(nextcloud: FakeNextcloud) -> None:
    """Let there be a Nextcloud that takes any part, and no file yet."""
    nextcloud.on("PROPFIND", f"{FILES}/a", answer(404))
    nextcloud.on("PROPFIND", FILES, propfind(dav_folder(f"{FILES}/")))
    nextcloud.on("MKCOL", UPLOAD, lambda _: httpx.Response(201))
    for part in (1, 2):
        nextcloud.on("PUT", f"{UPLOAD}/0000{part}", lambda _: httpx.Response(201))
    nextcloud.on("MOVE", f"{UPLOAD}/.file", lambda _: httpx.Response(201, headers={"OC-ETag": '"e"'}))


async def test_writes_a_file_in_two_parts(server: Server) -> None:
    """The result of the first part has what the next one needs; the total size ends the upload."""
    takes(server.nextcloud)
    first = await server.use("nc_webdav_upload_part", {"path": "a", "content": CONTENT, "part": 1})
    assert (first["upload"], first["is_complete"], first["etag"]) == (ID, False, None)
    last = {"path": "a", "content": CONTENT, "part": 2, "upload": first["upload"], "size": 4}
    second = await server.use("nc_webdav_upload_part", last)
    assert (second["is_complete"], second["etag"], second["message"]) == (True, "e", "a is written, 4 bytes.")
    uploads = [each.partition("uploads/alice/")[2] for each in server.nextcloud.asked() if "/uploads/" in each]
    assert uploads == [
        ID,
        f"{ID}/00001",
        f"{ID}/00002",
        f"{ID}/.file",
    ]


async def test_failed_assembly_names_stored_part(server: Server) -> None:
    """The part need not be sent again, and the upload goes on, also if it began in the same call."""
    takes(server.nextcloud)
    message = dav_error(r"Sabre\DAV\Exception\BadRequest", "Chunks on server do not sum up to 4 but to 2 bytes")
    server.nextcloud.on("MOVE", f"{UPLOAD}/.file", answer(400, content=message))
    said = await server.misuse("nc_webdav_upload_part", {"path": "a", "content": CONTENT, "part": 1, "size": 4})
    assert said == (
        f"Part 1 of upload {ID} is stored. The parts of /a are not 4 bytes together, and nothing was written: send "
        "what is missing, then the last part again with the right size."
    )


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"part": 2}, "upload is missing: pass what the result of part 1 said."),
        ({"part": 1, "content": "***"}, "content is not base64: encode the bytes of the part, also those of text."),
    ],
    ids=["a second part of nothing", "no base64"],
)
async def test_invalid_argument_is_named(server: Server, arguments: dict[str, Any], named: str) -> None:
    """The error is raised before any request, and names only arguments of the tool."""
    usual = {"path": "a", "content": CONTENT}
    assert named == await server.misuse("nc_webdav_upload_part", usual | arguments)
    assert server.nextcloud.asked() == []
