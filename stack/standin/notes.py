"""The Notes API, version 1: https://github.com/nextcloud/notes/blob/main/docs/api/v1.md.

The gate has already applied the CORS rule to a request. Attachments exist since API 1.4, below `v1.4`; Notes 5 does not
know their path below `v1`.
"""

import hashlib
import json
import mimetypes
import time
from collections.abc import Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from stack.standin.gate import account_of
from stack.standin.notebook import CannotMoveError, LockedNoteError, NoSuchNoteError, NotAllowedError, Note, Notebook
from stack.standin.storage import Storage

_BASE = "/index.php/apps/notes/api"
_VERSIONS = {"X-Notes-API-Versions": "0.2, 1.3, 1.4"}
_NO_FILE = "OCP\\Files\\NotFoundException"
_SETTINGS = {"notesPath": "Notes", "fileSuffix": ".md", "noteMode": "rich"}

Handler = Callable[[Request, Notebook], "Response | dict[str, Any] | list[Any]"]


def routes(storage: Storage) -> list[Route]:
    """Return the API's routes; every unknown GET request gets 400 with an empty list."""

    def at(path: str, method: str, handler: Handler) -> Route:
        async def endpoint(request: Request) -> Response:
            request.scope["standin.body"] = await _json_object(request)
            return _respond(handler, request, storage)

        return Route(_BASE + path, endpoint, methods=[method])

    return [
        at("/v1/notes", "GET", _list),
        at("/v1/notes", "POST", _create),
        at("/v1/notes/{id:int}", "GET", _get),
        at("/v1/notes/{id:int}", "PUT", _update),
        at("/v1/notes/{id:int}", "DELETE", _delete),
        at("/v1/settings", "GET", lambda _request, _notes: _SETTINGS),
        at("/v1.4/attachment/{id:int}", "GET", _attachment),
        at("/{path:path}", "GET", lambda _request, _notes: JSONResponse([], 400)),
    ]


def _respond(handler: Handler, request: Request, storage: Storage) -> Response:
    try:
        answer = handler(request, Notebook(storage, account_of(request.scope).user))
    except NoSuchNoteError:
        answer = JSONResponse({"errorType": storage.release.no_note}, 404)
    except LockedNoteError:
        answer = JSONResponse({"errorType": "Exception"}, 423)
    except CannotMoveError:
        answer = JSONResponse({"errorType": "Exception"}, 500)
    except NotAllowedError:
        answer = JSONResponse({"errorType": "Exception"}, 500 if request.method == "POST" else 403)
    response = answer if isinstance(answer, Response) else JSONResponse(answer)
    response.headers.update(_VERSIONS)
    return response


async def _json_object(request: Request) -> dict[str, Any]:
    """Return the body; an invalid body counts as empty, as in the real API."""
    try:
        body = json.loads(await request.body())
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _list(request: Request, notes: Notebook) -> Response:
    exclude = _exclude(request)
    category = request.query_params.get("category")
    chosen = [note for note in notes.all() if category is None or note.category == category]
    cursor = _cursor(request.query_params.get("chunkCursor", ""))
    pending = sorted(((note.last_update(), note.number, note) for note in chosen), key=lambda entry: entry[:2])
    since = _number(request, "pruneBefore")
    pending = [entry for entry in pending if entry[0] >= since and entry[:2] > cursor[1:]]
    chunk = pending[: _number(request, "chunkSize") or None]
    data = [note.data(exclude) for _, _, note in chunk]
    headers = _chunk_headers(cursor[0], chunk, len(pending) - len(chunk))
    if not headers:
        # the last chunk lists the ids of all other notes, so that a client knows which were deleted
        sent = {number for _, number, _ in chunk}
        data += [{"id": note.number} for note in chosen if note.number not in sent]
    return _with_etag(request, JSONResponse(data, headers=headers))


def _chunk_headers(started: int, chunk: Sequence[tuple[int, int, Note]], pending: int) -> dict[str, str]:
    if not pending:
        return {}
    last_update, number, _ = chunk[-1]
    return {
        "X-Notes-Chunk-Cursor": f"{started}-{last_update}-{number}",
        "X-Notes-Chunk-Pending": str(pending),
    }


def _get(request: Request, notes: Notebook) -> Response:
    note = notes.get(request.path_params["id"])
    return _with_etag(request, JSONResponse(note.data(_exclude(request))), note.etag())


def _create(request: Request, notes: Notebook) -> dict[str, Any]:
    fields = request.scope["standin.body"]
    note = notes.create(str(fields.get("title", "")), str(fields.get("category", "")))
    note.write(str(fields.get("content", "")))
    if fields.get("modified"):
        note.set_modified(int(fields["modified"]))
    if fields.get("favorite"):
        note.set_favorite(favorite=True)
    return note.data()


def _update(request: Request, notes: Notebook) -> Response | dict[str, Any]:
    note = notes.get(request.path_params["id"])
    condition = request.headers.get("if-match")
    # only the quoted ETag matches, not the unquoted one and not `*`
    if condition and f'"{note.etag()}"' not in [tag.strip() for tag in condition.split(",")]:
        return JSONResponse(note.data(), 412)
    _change(note, notes, request.scope["standin.body"])
    return note.data()


def _change(note: Note, notes: Notebook, fields: dict[str, Any]) -> None:
    content, modified = fields.get("content"), fields.get("modified")
    if content is not None and content != note.content:
        notes.write(note, str(content))
    if modified is not None:
        note.set_modified(int(modified))
    title, category = fields.get("title"), fields.get("category")
    if title is not None or category is not None:
        same = (note.title, note.category)
        notes.move(note, same[0] if title is None else title, same[1] if category is None else category)
    if fields.get("favorite") is not None:
        note.set_favorite(favorite=bool(fields["favorite"]))


def _delete(request: Request, notes: Notebook) -> list[Any]:
    notes.delete(notes.get(request.path_params["id"]))
    return []


def _attachment(request: Request, notes: Notebook) -> Response:
    note = notes.get(request.path_params["id"])
    path = notes.attachment(note, request.query_params.get("path", ""))
    if path is None:
        return JSONResponse({"errorType": _NO_FILE}, 404)
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return FileResponse(path, media_type=media_type, filename=path.name)


def _with_etag(request: Request, response: Response, etag: str | None = None) -> Response:
    quoted = f'"{etag or hashlib.sha256(bytes(response.body)).hexdigest()[:32]}"'
    if request.headers.get("if-none-match") == quoted:
        response = Response(status_code=304)
    response.headers["ETag"] = quoted
    return response


def _exclude(request: Request) -> frozenset[str]:
    return frozenset(request.query_params.get("exclude", "").split(","))


def _number(request: Request, name: str) -> int:
    """Return a number of the query, or 0 if it is missing or invalid."""
    text = request.query_params.get(name, "")
    return int(text) if text.isdecimal() else 0


def _cursor(text: str) -> tuple[int, int, int]:
    """Return the time of the first chunk's request, and the update time and id of the last note sent."""
    parts = text.split("-")
    if len(parts) == 3 and all(part.isdecimal() for part in parts):  # noqa: PLR2004 - those three
        started, last_update, number = map(int, parts)
        return started, last_update, number
    return int(time.time()), 0, 0
