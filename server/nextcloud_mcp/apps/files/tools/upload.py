"""The tool that uploads files that are too large for one call (docs/decisions/0005-large-files.md)."""

from typing import Annotated

from nextcloud_mcp.apps.files import upload as uploads
from nextcloud_mcp.apps.files.tools.files import decode_base64
from nextcloud_mcp.boundary.arguments import NonEmptyText
from nextcloud_mcp.boundary.call import AsUser
from nextcloud_mcp.boundary.declaration import Result, writes
from nextcloud_mcp.boundary.file_paths import FilePath
from nextcloud_mcp.boundary.schemas import described
from nextcloud_mcp.errors import InvalidArgumentError, completed


class PartUploaded(Result):
    """An uploaded part, with the upload id for the next parts; after the last part, the ETag of the file."""

    upload: str
    part: int
    is_complete: bool
    message: str
    etag: str | None = None


@writes("Write a large file in parts", scopes="files:write", destructive=True, idempotent=True)
async def nc_webdav_upload_part(
    path: FilePath,
    content: Annotated[str, described("base64")],
    part: Annotated[int, described("from 1")],
    nextcloud: AsUser,
    upload: Annotated[str, described("from the result of part 1")] = "",
    size: Annotated[int | None, described("bytes of the whole file; only with the last part")] = None,
    etag: NonEmptyText = None,
) -> PartUploaded:
    """Write a file that is too large for one call (over 3 MB) in parts.

    The last part, with size, creates the file; with the etag from reading it, it replaces the file.
    """
    if not upload and part != 1:
        raise InvalidArgumentError("upload is missing", "pass what the result of part 1 said", argument="upload")
    data = decode_base64(content, "encode the bytes of the part, also those of text")
    upload = upload or await uploads.start_upload(nextcloud, path)
    await uploads.put_part(nextcloud, upload, path, part, data)
    if size is None:
        message = f"Part {part} of {path} is kept for a day."
        return PartUploaded(upload=upload, part=part, is_complete=False, message=message)
    with completed("{resource} is stored", resource=f"part {part} of upload {upload}"):
        written = await uploads.assemble(nextcloud, upload, path, size=size, etag=etag)
    message = f"{path} is written, {size} bytes."
    return PartUploaded(upload=upload, part=part, is_complete=True, message=message, etag=written.etag)
