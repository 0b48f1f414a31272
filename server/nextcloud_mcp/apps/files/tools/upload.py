"""The tool that uploads files that are too large for one call (docs/decisions/0005-large-files.md)."""

from nextcloud_mcp.apps.files import upload as uploads
from nextcloud_mcp.apps.files.tools.files import decode_base64
from nextcloud_mcp.boundary.arguments import NonEmptyText
from nextcloud_mcp.boundary.call import AsUser
from nextcloud_mcp.boundary.declaration import Result, writes
from nextcloud_mcp.boundary.file_paths import FilePath
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
    content: str,
    part: int,
    nextcloud: AsUser,
    upload: str = "",
    size: int | None = None,
    etag: NonEmptyText = None,
) -> PartUploaded:
    """Write a file that is too large for one call (3 MB), part by part.

    content is base64, part counts from 1, upload is as the result of part 1 says. With the last part give size, the
    whole file's bytes: then it is created; with the etag from reading it, replaced.
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
