"""Activity, OCS API version 2 (github.com/nextcloud/activity, docs/endpoint-v2.md), as measured on Nextcloud
34.0.1.

Each file that a user creates, changes, moves, copies or deletes over WebDAV becomes an activity of that user, kept in
memory. Nextcloud has many more kinds of activities; their filters exist here, but find nothing.
"""  # noqa: D205 - one sentence, which takes two lines

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stack.standin.gate import account_or_none
from stack.standin.ocs import NOT_LOGGED_IN, envelope
from stack.standin.tree import Tree

PATH = "/ocs/{version}.php/apps/activity/api/v2/activity"
_FILES = "/remote.php/dav/files"
_CHANGES = {"PUT", "MKCOL", "DELETE", "COPY", "MOVE"}
_MAX_LISTED = 200  # activities in a page, whatever `limit` the request has
_MAX_JOINED = 5  # files in one entry
_JOINED_SECONDS = 3 * 60 * 60
_TYPES = {"created": "file_created", "deleted": "file_deleted"}  # every other verb is file_changed
_FILTERS: dict[str, tuple[str, Callable[["_Change"], bool]]] = {
    "all": ("All activities", lambda _: True),
    "self": ("By you", lambda _: True),
    "by": ("By others", lambda _: False),
    "files": ("File changes", lambda _: True),
    "files_sharing": ("File shares", lambda _: False),
    "calendar": ("Calendar", lambda _: False),
    "calendar_todo": ("Tasks", lambda _: False),
    "contacts": ("Contacts", lambda _: False),
    "deck": ("Deck", lambda _: False),
    "tables": ("Tables", lambda _: False),
}


@dataclass(frozen=True)
class _Change:
    """One change of a file or folder.

    Attributes:
        verb: The verb in the activity's subject.
        path: The file's present path from the user's root, with a leading slash.
        old: The former path, if the file was moved.
        second: The time of the change, in seconds since 1970.
    """

    id: int
    user: str
    verb: str
    file_id: int
    path: str
    old: str = ""
    second: int = field(default_factory=lambda: int(time.time()))


class Log:
    """The activities of all users, oldest first."""

    def __init__(self) -> None:
        self._changes: list[_Change] = []
        self._ids = count(1)

    def add(self, user: str, verb: str, file_id: int, path: str, old: str = "") -> None:
        """Add a change."""
        self._changes.append(_Change(next(self._ids), user, verb, file_id, path, old))

    def of(self, user: str) -> list[_Change]:
        """Return the changes of a user, newest first."""
        return [change for change in reversed(self._changes) if change.user == user]

    def owner(self, number: int) -> str | None:
        """Return the user whose activity has this id, or None."""
        return next((change.user for change in self._changes if change.id == number), None)


class Recorder:
    """ASGI middleware that logs how WebDAV requests change files.

    Args:
        app: The app that handles the requests.
        log: The log to add changes to.
        tree: The files.
    """

    def __init__(self, app: ASGIApp, *, log: Log, tree: Tree) -> None:
        self._app = app
        self._log = log
        self._tree = tree

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and log its effect before the response is sent."""
        is_change = scope["type"] == "http" and scope["method"] in _CHANGES
        account = account_or_none(scope) if is_change else None
        path = _below_home(scope["path"], account.user) if account else ""
        if account is None or not path:
            await self._app(scope, receive, send)
            return
        user, before = account.user, self._file_id(account.user, path)

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._note(scope, message["status"], user, path, before)
            await send(message)

        await self._app(scope, receive, noting)

    def _note(self, scope: Scope, status: int, user: str, path: str, before: int | None) -> None:
        destination = unquote(urlsplit(Headers(scope=scope).get("destination", "")).path)
        target = _below_home(destination, user)
        match scope["method"], status:
            case (("PUT" | "MKCOL"), 201):
                self._log.add(user, "created", self._file_id(user, path) or 0, path)
            case "PUT", 204:
                self._log.add(user, "changed", before or 0, path)
            case "DELETE", 204 if before is not None:
                self._log.add(user, "deleted", before, path)
            case "COPY", 201:
                self._log.add(user, "created", self._file_id(user, target) or 0, target)
            case "MOVE", 201 | 204:
                is_renamed = PurePosixPath(path).parent == PurePosixPath(target).parent
                self._log.add(user, "renamed" if is_renamed else "moved", before or 0, target, path)
            case _:
                pass

    def _file_id(self, user: str, path: str) -> int | None:
        try:
            return self._tree.node(self._tree.home(user) / path.strip("/")).id
        except (OSError, ValueError):  # the file does not exist, or its name is too long or has a NUL byte
            return None


def _below_home(path: str, user: str) -> str:
    """Return a path relative to the user's home, with a leading slash; empty if it is the home or outside of it."""
    home = f"{_FILES}/{user}/"
    return f"/{path.removeprefix(home).strip('/')}" if path.startswith(home) and path != home else ""


def routes(log: Log) -> list[Route]:
    """Return the routes of the activities, with or without a filter, and of the filters."""

    async def activities(request: Request) -> Response:
        account = account_or_none(request.scope)
        if account is None:
            return envelope(request, 997, NOT_LOGGED_IN, [])
        return _activities(request, log, account.user)

    async def filters(request: Request) -> Response:
        if account_or_none(request.scope) is None:
            return envelope(request, 997, NOT_LOGGED_IN, [])
        found = [{"id": number, "name": name, "icon": "", "priority": 1} for number, (name, _) in _FILTERS.items()]
        return envelope(request, 200, "OK", found)

    return [
        Route(PATH, activities),
        Route(PATH + "/filters", filters),
        Route(PATH + "/{filter}", activities),
    ]


def _activities(request: Request, log: Log, user: str) -> Response:
    chosen = request.path_params.get("filter", "all")
    if chosen not in _FILTERS:
        return envelope(request, 404, "", [])
    since, limit = int(request.query_params.get("since", "0")), int(request.query_params.get("limit", "50"))
    owner = log.owner(since)
    if owner not in {None, user}:
        return envelope(request, 403, "", [])
    own = log.of(user)
    found = [change for change in own if _FILTERS[chosen][1](change) and (owner is None or change.id < since)]
    page, limit = found[: min(limit, _MAX_LISTED)], min(limit, _MAX_LISTED)
    headers: dict[str, str] = {}
    if owner is None and own:  # also for an unknown id: the list then starts with the newest activity
        headers["X-Activity-First-Known"] = str(own[0].id)
    if page:
        headers["X-Activity-Last-Given"] = str(page[-1].id)
    if len(found) > limit:
        asked = {"since": page[-1].id, "limit": limit, "sort": "desc", "format": "json"}
        headers["Link"] = f'<{request.url.replace(query=urlencode(asked))}>; rel="next"'
    if not page:
        return Response(status_code=304, headers=headers)
    answer = envelope(request, 200, "OK", [_entry(request, each) for each in _joined(page)])
    answer.headers.update(headers)
    return answer


def _joined(changes: list[_Change]) -> list[list[_Change]]:
    """Group the changes that Nextcloud joins in one activity."""
    entries: list[list[_Change]] = []
    for change in changes:
        if entries and _can_join(entries[-1], change):
            entries[-1].append(change)
        else:
            entries.append([change])
    return entries


def _can_join(entry: list[_Change], change: _Change) -> bool:
    is_alike = change.verb == entry[0].verb and not change.old
    files = {(each.file_id, each.path) for each in [*entry, change]}
    return is_alike and len(files) <= _MAX_JOINED and entry[0].second - change.second <= _JOINED_SECONDS


def _entry(request: Request, changes: list[_Change]) -> dict[str, Any]:
    """Return one activity for joined changes: it has the time of the newest, and the id and object of the oldest."""
    newest, oldest = changes[0], changes[-1]
    *others, last = dict.fromkeys(_told(change) for change in changes)
    return {
        "activity_id": oldest.id,
        "app": "files",
        "type": _TYPES.get(oldest.verb, "file_changed"),
        "user": oldest.user,
        "subject": f"You {oldest.verb} {' and '.join(filter(None, [', '.join(others), last]))}",
        "message": "",
        "object_type": "files",
        "object_id": oldest.file_id,
        "object_name": oldest.path,
        "objects": {str(change.file_id): change.path for change in changes},
        "link": f"{request.base_url}index.php/apps/files/?dir={PurePosixPath(oldest.path).parent}",
        "icon": "",
        "datetime": datetime.fromtimestamp(newest.second, UTC).isoformat(),
    }


def _told(change: _Change) -> str:
    """Return how the subject names the file; for a moved file, the target is its new folder."""
    path = change.path.strip("/")
    if change.verb == "moved" and PurePosixPath(change.path).name == PurePosixPath(change.old).name:
        path = str(PurePosixPath(change.path).parent).strip("/")
    return f"{change.old.strip('/')} to {path}" if change.old else path
