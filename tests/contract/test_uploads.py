"""Files in parts: Nextcloud's chunked upload, version 2.

https://docs.nextcloud.com/server/latest/developer_manual/client_apis/WebDAV/chunking.html
"""

import uuid
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.contract.multistatus import exception, properties
from tests.contract.people import Person


class Upload:
    """An upload of Alice's, to a file."""

    def __init__(self, alice: Person, *names: str) -> None:
        self.alice = alice
        self.path = f"/remote.php/dav/uploads/{alice.user}/{uuid.uuid4().hex}"
        self.file = alice.path(*names)
        self.destination = {"Destination": alice.address(*names)}

    async def begin(self) -> httpx.Response:
        """Open it."""
        return await self.alice.http.request("MKCOL", self.path, headers=self.destination)

    async def put(self, part: int, content: bytes) -> httpx.Response:
        """Send a part."""
        return await self.alice.http.put(f"{self.path}/{part:05}", content=content, headers=self.destination)

    async def assemble(self, **headers: str) -> httpx.Response:
        """Put the parts together; underscores in the names of `headers` stand for hyphens."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.alice.http.request("MOVE", f"{self.path}/.file", headers=self.destination | sent)

    async def is_there(self) -> bool:
        """Whether it still waits for parts."""
        return (await self.put(99, b"")).status_code in {201, 204}


@pytest.fixture
async def upload(alice: Person, folder: str) -> AsyncIterator[Upload]:
    """An open upload, which goes afterwards."""
    upload = Upload(alice, folder, "größe 1.bin")
    assert (await upload.begin()).status_code == 201
    yield upload
    await alice.http.delete(upload.path)


async def test_parts_are_assembled_by_number(upload: Upload) -> None:
    """Parts may be small; they are ordered by number, not by arrival; a part that is sent again is replaced."""
    assert (await upload.put(2, b"two")).status_code == 201
    assert (await upload.put(1, b"ONE")).status_code == 201
    assert (await upload.put(1, b"one")).status_code == 204
    done = await upload.assemble(Overwrite="F", OC_Total_Length="6")
    assert done.status_code == 201
    assert (await upload.alice.http.get(upload.file)).content == b"onetwo"
    assert done.headers["oc-etag"] == (await properties(upload.alice.http, upload.file))["d:getetag"]
    assert not await upload.is_there()


async def test_missing_part_needs_oc_total_length(upload: Upload) -> None:
    """Without `OC-Total-Length`, Nextcloud would assemble an incomplete file; with it, nothing changes."""
    await upload.put(1, b"one")
    await upload.put(3, b"three")
    assert (await upload.assemble(Overwrite="F", OC_Total_Length="11")).status_code == 400
    assert (await upload.alice.http.get(upload.file)).status_code == 404
    await upload.put(2, b"two")
    assert (await upload.assemble(Overwrite="F", OC_Total_Length="11")).status_code == 201
    assert (await upload.alice.http.get(upload.file)).content == b"onetwothree"


async def test_overwrite_f_keeps_an_existing_file(upload: Upload) -> None:
    """`Overwrite: F` gets 412 if the file exists, and the parts stay."""
    await upload.alice.http.put(upload.file, content=b"old")
    await upload.put(1, b"new")
    refused = await upload.assemble(Overwrite="F")
    assert (refused.status_code, exception(refused)) == (412, "PreconditionFailed")
    assert (await upload.alice.http.get(upload.file)).content == b"old"
    assert await upload.is_there()


async def test_if_header_replaces_a_file_by_its_etag(upload: Upload) -> None:
    """`If` (RFC 4918 section 10.4) names the destination; `If-Match` would apply to the parts."""
    old = (await upload.alice.http.put(upload.file, content=b"old")).headers["oc-etag"]
    await upload.put(1, b"new")
    address = upload.destination["Destination"]
    assert (await upload.assemble(If=f'<{address}> (["0123"])')).status_code == 412
    assert (await upload.alice.http.get(upload.file)).content == b"old"
    assert (await upload.assemble(If=f"<{address}> ([{old}])")).status_code == 204
    assert (await upload.alice.http.get(upload.file)).content == b"new"


async def test_part_needs_the_destination_folder(alice: Person, folder: str) -> None:
    """An upload can be opened for a file in a missing folder, but each part gets 404."""
    upload = Upload(alice, folder, "none", "a.bin")
    assert (await upload.begin()).status_code == 201
    assert (await upload.put(1, b"one")).status_code == 404
    assert (await alice.http.delete(upload.path)).status_code == 204


async def test_part_needs_an_open_upload(alice: Person, folder: str) -> None:
    """A part of an unknown upload gets 404; opening an upload twice gets 405."""
    upload = Upload(alice, folder, "a.bin")
    assert (await upload.put(1, b"one")).status_code == 404
    assert (await upload.begin()).status_code == 201
    assert (await upload.begin()).status_code == 405
    await alice.http.delete(upload.path)


@pytest.mark.parametrize(
    ("conditions", "status"),
    [
        pytest.param("([{etag}])", 204, id="the ETag"),
        pytest.param('(["old"])', 412, id="another"),
        pytest.param('(["*"])', 412, id="any, which has no meaning here"),
        pytest.param('(["old"]) ([{etag}])', 204, id="one of two"),
        pytest.param('(["old"]) (Not ["y"])', 204, id="a second condition that holds"),
        pytest.param('(["old])([])"])', 204, id="a second condition that is empty and always holds"),
        pytest.param('(["old)(Not<x>"])', 412, id="without a bracket, a part of the ETag"),
    ],
)
async def test_bracket_in_a_quoted_etag_ends_the_condition(upload: Upload, conditions: str, status: int) -> None:
    """Nextcloud reads `If` up to the first `]` (RFC 4918 section 10.4), so a caller's ETag must not contain one."""
    await upload.alice.http.put(upload.file, content=b"old")
    etag = (await properties(upload.alice.http, upload.file))["d:getetag"]
    await upload.put(1, b"new")
    done = await upload.assemble(If=f"<{upload.destination['Destination']}> {conditions.format(etag=etag)}")
    assert done.status_code == status
    assert (await upload.alice.http.get(upload.file)).content == (b"new" if status == 204 else b"old")
