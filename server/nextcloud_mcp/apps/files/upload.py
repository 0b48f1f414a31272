"""Upload files in parts (Nextcloud developer manual, "Chunked file upload", version 2).

Nextcloud stores the parts of an upload in a separate folder until they are assembled, and deletes them after a day
without change. Therefore this server stores nothing between two parts.
"""

import re
import secrets
from typing import Final

import httpx

from nextcloud_mcp.apps.files.webdav import CONFLICT_STATUSES, Written, conflict
from nextcloud_mcp.errors import InvalidArgumentError, NotFoundError
from nextcloud_mcp.nextcloud import dav
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.file_refusals import check_permissions, explained, to_write
from nextcloud_mcp.nextcloud.files import check_new_name, display_path, url_of
from nextcloud_mcp.nextcloud.refusals import Refusal, error_for

MAX_PARTS: Final = 10_000
"""The most parts of one upload, and the highest number of a part; a limit of Nextcloud."""

_SIZE_MISMATCH: Final = b"do not sum up"
"""Part of Nextcloud's message for a wrong total size; a 400 without it has another cause."""

_ID: Final = re.compile("[0-9a-f]{32}")


async def start_upload(nextcloud: Nextcloud, path: str) -> str:
    """Start the upload of a file, and return the id of the upload."""
    check_new_name(path)
    upload = secrets.token_hex(16)
    headers = {"Destination": nextcloud.absolute(await url_of(nextcloud, path))}
    await check_permissions(nextcloud, *to_write(path))  # Nextcloud would refuse only the last part
    await nextcloud.request(
        "MKCOL", await _upload_path(nextcloud, upload), about=f"an upload of {display_path(path)}", headers=headers
    )
    return upload


async def put_part(nextcloud: Nextcloud, upload: str, path: str, part: int, content: bytes) -> None:
    """Store a part, or replace it if it exists.

    Raises:
        NotFoundError: the upload or the parent folder of the file does not exist.
        InvalidArgumentError: `upload` or `part` is not valid.
    """
    if not 1 <= part <= MAX_PARTS:
        raise InvalidArgumentError(
            "Invalid part {part}", f"pass a number from 1 to {MAX_PARTS}", part=part, argument="part"
        )
    headers = {"Destination": nextcloud.absolute(await url_of(nextcloud, path))}
    place = f"{await _upload_path(nextcloud, upload)}/{part:05}"
    missing = Refusal(
        NotFoundError,
        "There is no upload {upload}, or no folder for {resource}",
        "create the folder, then begin with part 1",
        {"upload": upload},
    )
    async with explained(nextcloud, *to_write(path)):
        await nextcloud.request(
            "PUT",
            place,
            about=display_path(path),
            headers=headers,
            content=content,
            errors={httpx.codes.NOT_FOUND: missing},
        )


async def assemble(nextcloud: Nextcloud, upload: str, path: str, *, size: int, etag: str | None) -> Written:
    """Assemble the parts to a new file; with `etag`, replace the file with this ETag. Nothing else is ever overwritten.

    After these errors, the parts stay.

    Raises:
        InvalidArgumentError: the parts do not have `size` bytes in total.
        ConflictError: the file exists and `etag` is None, or the file has another ETag.
    """
    destination = nextcloud.absolute(await url_of(nextcloud, path))
    # If-Match would apply to the source; the If header (RFC 4918 section 10.4) names the resource that it applies to
    condition = {"If": f"<{destination}> ([{dav.quoted(etag)}])"} if etag else {"Overwrite": "F"}
    headers = {"Destination": destination, "OC-Total-Length": str(size), **condition}
    place = f"{await _upload_path(nextcloud, upload)}/.file"
    async with explained(nextcloud, *to_write(path)):
        response = await nextcloud.request(
            "MOVE",
            place,
            about=display_path(path),
            headers=headers,
            also_ok=CONFLICT_STATUSES | {httpx.codes.BAD_REQUEST},
        )
    if response.status_code in CONFLICT_STATUSES:
        raise await conflict(nextcloud, path, etag, response)
    if response.status_code == httpx.codes.BAD_REQUEST:
        if _SIZE_MISMATCH not in response.content:  # such as a name that Nextcloud does not allow
            raise error_for(response, display_path(path))
        raise InvalidArgumentError(
            "The parts of {path} are not {size} bytes together, and nothing was written",
            "send what is missing, then the last part again with the right size",
            path=display_path(path),
            size=size,
        )
    return Written(status_code=response.status_code, etag=dav.etag(response.headers))


async def _upload_path(nextcloud: Nextcloud, upload: str) -> str:
    if _ID.fullmatch(upload) is None:
        raise InvalidArgumentError("Unknown upload id", "use the one that the first part returned", argument="upload")
    return f"/remote.php/dav/uploads/{await nextcloud.home_name()}/{upload}"
