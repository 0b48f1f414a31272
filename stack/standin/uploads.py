"""`/remote.php/dav/uploads`: files that are uploaded in parts.

https://docs.nextcloud.com/server/latest/developer_manual/client_apis/WebDAV/chunking.html, version 2. Recorded from
Nextcloud 32: a part is refused if the folder of its destination is missing; parts are assembled in the order of their
names, even if one is missing; a refused request does not change the parts.
"""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stack.standin.gate import account_of
from stack.standin.locks import locked_body
from stack.standin.sabre import MEDIA_TYPE, error_body
from stack.standin.storage import Storage
from stack.standin.tree import Tree

PATH = "/remote.php/dav/uploads"
_FILES = "/remote.php/dav/files/"
_IF = re.compile(r"(?:<(.*?)>\s)?\((Not\s)?(?:<([^>]*)>)?\s?(?:\[([^\]]*)\])?\)", re.IGNORECASE)
"""Matches the lists of an `If` header (RFC 4918 section 10.4) as sabre/dav does: an ETag ends at the first bracket."""


class _RefusedError(Exception):
    """An error response of Nextcloud."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def routes(storage: Storage, data: Path) -> list[Route]:
    """Return the routes of uploads and their parts; `data` is the folder of the parts."""
    methods = {"MKCOL": _open, "DELETE": _drop, "PUT": _put, "MOVE": _assemble}

    async def answer(request: Request) -> Response:
        user = account_of(request.scope).user
        place = data / user / request.path_params["upload"]
        action: Callable[[Request, bytes, Path, Storage], Response] = methods[request.method]
        try:
            return action(request, await request.body(), place, storage)
        except _RefusedError as refusal:
            return Response(error_body(refusal.status, str(refusal)), refusal.status, media_type=MEDIA_TYPE)

    return [
        Route(PATH + "/{user}/{upload}", answer, methods=["MKCOL", "DELETE"]),
        Route(PATH + "/{user}/{upload}/.file", answer, methods=["MOVE"]),
        Route(PATH + "/{user}/{upload}/{part}", answer, methods=["PUT"]),
    ]


def _open(request: Request, body: bytes, place: Path, storage: Storage) -> Response:
    del request, body, storage
    if place.exists() or place.name == "..":
        raise _RefusedError(405, "The resource you tried to create already exists")
    place.mkdir(parents=True)
    return Response(status_code=201)


def _drop(request: Request, body: bytes, place: Path, storage: Storage) -> Response:
    del request, body, storage
    _check(place)
    shutil.rmtree(place)
    return Response(status_code=204)


def _put(request: Request, body: bytes, place: Path, storage: Storage) -> Response:
    _check(place)
    if "destination" in request.headers and not _destination(request, storage).parent.is_dir():
        raise _RefusedError(404, "File could not be located")
    part = place / request.path_params["part"]
    status = 204 if part.exists() else 201
    part.write_bytes(body)
    return Response(status_code=status)


def _assemble(request: Request, body: bytes, place: Path, storage: Storage) -> Response:
    del body
    _check(place)
    destination = _destination(request, storage)
    user, path = account_of(request.scope).user, _name(request)
    if storage.locks.is_blocked(storage.mounts.find(user, path), user, request.headers.get("if", "")):
        return Response(locked_body(user, path), 423, media_type=MEDIA_TYPE)
    if not destination.parent.is_dir():
        raise _RefusedError(409, "The destination node is not found")
    existed = destination.exists()
    if not _holds(request, destination, storage.tree):
        raise _RefusedError(412, "Failed to find a valid token/etag combination")
    if existed and request.headers.get("overwrite") == "F":
        raise _RefusedError(412, "The destination node already exists, and the overwrite header is set to false")
    content = b"".join(part.read_bytes() for part in sorted(place.iterdir()))
    expected = request.headers.get("oc-total-length", str(len(content)))
    if expected != str(len(content)):
        raise _RefusedError(400, f"Chunks on server do not sum up to {expected} but to {len(content)} bytes")
    destination.write_bytes(content)
    if not existed:
        storage.tree.forget(destination)  # its inode may be that of a deleted file
    storage.tree.written(destination)
    shutil.rmtree(place)
    etag = f'"{storage.tree.etag(destination)}"'
    return Response(status_code=204 if existed else 201, headers={"OC-ETag": etag, "ETag": etag})


def _holds(request: Request, destination: Path, tree: Tree) -> bool:
    """Return whether a list of the `If` header matches; only the destination has an ETag, and there are no locks."""
    lists = _IF.findall(request.headers.get("if", ""))
    about = unquote(urlsplit(lists[0][0]).path) if lists else ""
    named = about == unquote(urlsplit(request.headers["destination"]).path) and destination.is_file()
    present = f'"{tree.etag(destination)}"' if named else None
    held = [bool(negated) != (not token and etag in {"", present}) for _, negated, token, etag in lists]
    return any(held) or not lists


def _check(place: Path) -> None:
    if not place.is_dir() or place.name == "..":
        raise _RefusedError(404, f"File with name {place.name} could not be located")


def _name(request: Request) -> str:
    """Return the path of the destination, relative to the user's folder."""
    path = unquote(urlsplit(request.headers["destination"]).path)
    owner, _, name = path.removeprefix(_FILES).partition("/")
    if not path.startswith(_FILES) or owner != account_of(request.scope).user or ".." in name.split("/"):
        raise _RefusedError(403, "Permission denied")
    return name


def _destination(request: Request, storage: Storage) -> Path:
    user, name = account_of(request.scope).user, _name(request)
    if storage.mounts.refusal("PUT", user, name) is not None:
        raise _RefusedError(403, "")
    return storage.mounts.find(user, name).path
