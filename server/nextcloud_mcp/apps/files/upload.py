"""Files in parts (Nextcloud developer manual, "Chunked file upload", version 2).

The parts of an upload lie in a folder of their own at Nextcloud until they are assembled; after a day without change
Nextcloud drops them. So nothing is kept here between two parts.
"""

import re
import secrets
from typing import Final

import httpx

from nextcloud_mcp.apps.files.webdav import Written, conflict
from nextcloud_mcp.errors import ConflictError, InvalidArgumentError, NotFoundError
from nextcloud_mcp.nextcloud import dav
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.files import check_new_name, shown, url_of
from nextcloud_mcp.nextcloud.refusals import Refusal, error_for

MAX_PARTS: Final = 10_000
"""Parts of one upload, as Nextcloud counts them."""

_OTHER_SIZE: Final = b"do not sum up"
"""Is in what Nextcloud says of parts that are not the whole file; its other 400s are about something else."""

_ID: Final = re.compile("[0-9a-f]{32}")


async def begin(nextcloud: Nextcloud, path: str) -> str:
    """Open an upload for a file and return the id that its parts need."""
    check_new_name(path)
    upload = secrets.token_hex(16)
    headers = {"Destination": nextcloud.absolute(await url_of(nextcloud, path))}
    await nextcloud.request(
        "MKCOL", await _place(nextcloud, upload), about=f"an upload of {shown(path)}", headers=headers
    )
    return upload


async def put(nextcloud: Nextcloud, upload: str, path: str, part: int, content: bytes) -> None:
    """Keep a part; one that was sent before is replaced.

    Raises:
        NotFoundError: the upload does not exist, or the folder of the file does not.
        InvalidArgumentError: `upload` or `part` is impossible.
    """
    if not 1 <= part <= MAX_PARTS:
        raise InvalidArgumentError(
            "Invalid part {part}", f"pass a number from 1 to {MAX_PARTS}", part=part, argument="part"
        )
    headers = {"Destination": nextcloud.absolute(await url_of(nextcloud, path))}
    place = f"{await _place(nextcloud, upload)}/{part:05}"
    missing = Refusal(
        NotFoundError,
        "There is no upload {upload}, or no folder for {resource}",
        "create the folder, then begin with part 1",
        {"upload": upload},
    )
    await nextcloud.request(
        "PUT", place, about=shown(path), headers=headers, content=content, errors={httpx.codes.NOT_FOUND: missing}
    )


async def assemble(nextcloud: Nextcloud, upload: str, path: str, *, size: int, etag: str | None) -> Written:
    """Make a file of the parts; with `etag`, in place of the one that has it. Nothing else is ever overwritten.

    Raises:
        InvalidArgumentError: the parts do not sum up to `size` bytes; they stay.
        ConflictError: the file exists (no `etag`), or has changed; they stay.
    """
    destination = nextcloud.absolute(await url_of(nextcloud, path))
    # If-Match would be about the parts; RFC 4918 section 10.4 has a condition that names what it is about
    condition = {"If": f"<{destination}> ([{dav.quoted(etag)}])"} if etag else {"Overwrite": "F"}
    headers = {"Destination": destination, "OC-Total-Length": str(size), **condition}
    place = f"{await _place(nextcloud, upload)}/.file"
    try:
        response = await nextcloud.request(
            "MOVE", place, about=shown(path), headers=headers, also_ok={httpx.codes.BAD_REQUEST}
        )
    except ConflictError as error:
        raise await conflict(nextcloud, path, etag) from error
    if response.status_code == httpx.codes.BAD_REQUEST:
        if _OTHER_SIZE not in response.content:  # such as a name that Nextcloud does not allow
            raise error_for(response, shown(path))
        raise InvalidArgumentError(
            "The parts of {path} are not {size} bytes together, and nothing was written",
            "send what is missing, then the last part again with the right size",
            path=shown(path),
            size=size,
        )
    return Written(status_code=response.status_code, etag=dav.etag(response.headers))


async def _place(nextcloud: Nextcloud, upload: str) -> str:
    if _ID.fullmatch(upload) is None:
        raise InvalidArgumentError("Unknown upload id", "use the one that the first part returned", argument="upload")
    return f"/remote.php/dav/uploads/{await nextcloud.home_name()}/{upload}"
