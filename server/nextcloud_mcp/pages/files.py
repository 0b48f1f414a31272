"""The stylesheet, the scripts and the logo, read once at the start."""

import hashlib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from nextcloud_mcp.errors import SettingsError
from nextcloud_mcp.pages import responses

MAX_LOGO_BYTES: Final = 256 * 1024

_MEDIA_TYPES: Final = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webp": "image/webp",
    ".jpg": "image/jpeg",
    ".gif": "image/gif",
}
_IMAGES: Final = tuple(ending for ending, media_type in _MEDIA_TYPES.items() if media_type.startswith("image/"))


class Files:
    """The files of the pages, by name."""

    def __init__(self, logo: Path | None) -> None:
        """Read the package's files, and the logo in place of the package's.

        Raises:
            SettingsError: the logo can't be read, is too large, or is no image.
        """
        self._files = dict(_package_files())
        self.logo: Final = "logo.svg" if logo is None else f"logo{logo.suffix.lower()}"
        if logo is not None:
            self._files[self.logo] = _read_logo(logo)
        self._etags = {name: f'"{hashlib.sha256(content).hexdigest()[:16]}"' for name, content in self._files.items()}

    async def respond(self, request: Request) -> Response:
        """Return the file that the path names, or 304 if the browser has it."""
        name = request.path_params["name"]
        if name not in self._files:
            raise HTTPException(404)
        response = responses.file(self._files[name], _MEDIA_TYPES[Path(name).suffix], self._etags[name])
        if self._etags[name] in request.headers.get("if-none-match", ""):
            del response.headers["content-length"]
            return Response(status_code=304, headers=response.headers)
        return response


def _package_files() -> Iterator[tuple[str, bytes]]:
    for each in files("nextcloud_mcp.pages").joinpath("static").iterdir():
        yield each.name, each.read_bytes()


def _read_logo(path: Path) -> bytes:
    if path.suffix.lower() not in _IMAGES:
        raise SettingsError("ORGANISATION_LOGO", f"{path} must end in {', '.join(_IMAGES)}")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SettingsError("ORGANISATION_LOGO", f"{path} can't be read ({type(error).__name__})") from error
    if len(content) > MAX_LOGO_BYTES:
        raise SettingsError("ORGANISATION_LOGO", f"{path} has more than {MAX_LOGO_BYTES // 1024} KiB")
    return content
