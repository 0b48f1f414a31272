"""Nextcloud's OCS Share API for the users' files.

https://docs.nextcloud.com/server/latest/developer_manual/client_apis/OCS/ocs-share-api.html
Statuses and messages were recorded from Nextcloud 32, which returns one share as a list of one, and a link's password
as its hash. `mounts` shows recipients the files. Nextcloud allows each user 20 new shares in ten minutes, the stand-in
any number.
"""

import re
import secrets
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stack.standin.gate import account_or_none
from stack.standin.mounts import GROUP, GROUPS, LINK, SHARE, USER, Place, Record
from stack.standin.ocs import NOT_LOGGED_IN, envelope
from stack.standin.storage import Storage

PATH = "/ocs/{version}.php/apps/files_sharing/api/v1/shares"
SHAREES = "/ocs/{version}.php/apps/files_sharing/api/v1/sharees"
_ON_A_FILE = 19  # nothing can be created or deleted in a file
_SHORTEST_PASSWORD = 10
_UNSEARCHABLE = re.compile("[+]|%[0-9A-Fa-f]{2}")
"""Characters in a user's own id with which Nextcloud's search for recipients fails."""


class _RefusedError(Exception):
    """An error response of Nextcloud."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Shares:
    """The API of all shares.

    Args:
        storage: The files, and the shares with where they are mounted.
    """

    def __init__(self, storage: Storage) -> None:
        self._tree = storage.tree
        self._mounts = storage.mounts
        self._expiry_time = storage.release.expiry_time

    def create(self, user: str, asked: Record) -> Record:
        """Create a share, or return the existing share with the same user or group."""
        place = self._find(user, asked.get("path"))
        kind = asked.get("shareType")
        self._check_recipient(user, kind, asked.get("shareWith"))
        if not place.permissions & SHARE:
            raise _RefusedError(404, f"You are not allowed to share {Path(asked['path']).name}")
        if kind == USER and asked.get("shareWith") == place.owner:
            raise _RefusedError(403, "Cannot share with the share owner")
        if self._mounts.inside(user, asked["path"]):
            raise _RefusedError(403, "You cannot share a folder that contains other shares")
        if kind != LINK:
            for known in self._mounts.records:
                same = (known["uid_owner"], known["path"], known["share_type"], known["share_with"])
                if same == (user, asked["path"], kind, asked["shareWith"]):
                    return known
        record: Record = {
            "id": str(1 + max((int(known["id"]) for known in self._mounts.records), default=0)),
            "share_type": kind,
            "uid_owner": user,
            "displayname_owner": self._tree.display_name(user),
            "uid_file_owner": place.owner,
            "displayname_file_owner": self._tree.display_name(place.owner),
            "stime": int(time.time()),
            "expiration": None,
            "token": None,
            "note": "",
            "label": "",
            "path": asked["path"],
            "item_type": "folder" if place.path.is_dir() else "file",
            "file_source": self._tree.node(place.path).id,
            "file_target": _target(asked["path"], is_note=kind == USER and place.path.is_file()),
            "share_with": asked.get("shareWith"),
            "share_with_displayname": asked.get("shareWith"),
        }
        if kind == LINK:
            token = secrets.token_urlsafe(11)
            record |= {"token": token, "share_with": None, "share_with_displayname": "(Shared link)", "password": None}
            record["url"] = f"{asked['base']}index.php/s/{token}"
        self._set(record, asked, creates=True)
        self._mounts.keep([*self._mounts.records, record])
        return record

    def of(self, user: str, path: str | None) -> list[Record]:
        """Return a user's shares, or only those of one file."""
        if path is not None:
            self._find(user, path)
        return [known for known in self._present() if known["uid_owner"] == user and path in {None, known["path"]}]

    def shared_with(self, user: str) -> list[Record]:
        """Return the shares that others have with a user, with the paths that the user sees."""
        return [share | {"path": target, "file_target": target} for share, target in self._mounts.received(user)]

    def find(self, user: str, number: str) -> Record:
        """Return a share that a user owns or receives."""
        for known in [*self.of(user, None), *self.shared_with(user)]:
            if known["id"] == number:
                return known
        raise _RefusedError(404, "Wrong share ID, share does not exist")

    def update(self, user: str, number: str, asked: Record) -> Record:
        """Change a share that the user owns."""
        known = self.find(user, number)
        if known["uid_owner"] != user:
            raise _RefusedError(403, "You are not allowed to edit incoming shares")
        if not asked:
            raise _RefusedError(400, "Wrong or no update parameter given")
        self._set(known, asked, creates=False)
        self._mounts.keep(self._mounts.records)
        return known

    def delete(self, user: str, number: str) -> None:
        """Delete a share, as its owner or recipient."""
        found = self.find(user, number)
        (share,) = (known for known in self._mounts.records if known["id"] == number)
        if found["uid_owner"] == user:
            self._mounts.keep([known for known in self._mounts.records if known is not share])
        else:
            self._mounts.leave(user, share)

    def _set(self, record: Record, asked: Record, *, creates: bool) -> None:
        """Apply the requested changes if all of them are valid."""
        changes: Record = {}
        if creates or "permissions" in asked:
            changes["permissions"] = _permissions(record, asked.get("permissions", _ON_A_FILE), creates=creates)
        if "expireDate" in asked:
            changes["expiration"] = _expiration(asked["expireDate"], self._expiry_time)
        if "password" in asked and record["share_type"] == LINK:
            changes["share_with"] = changes["password"] = _hash(asked["password"])
        record |= changes

    def _find(self, user: str, path: str | None) -> Place:
        if path is None:
            raise _RefusedError(404, "Please specify a file or folder path")
        place = self._mounts.find(user, path)
        if not place.path.exists():
            raise _RefusedError(404, "Wrong path, file/folder does not exist")
        if place.path == self._tree.home(user):
            raise _RefusedError(403, "You cannot share your root folder")
        return place

    def _check_recipient(self, user: str, kind: object, recipient: str | None) -> None:
        if kind not in {USER, GROUP, LINK}:
            raise _RefusedError(400, "Unknown share type")
        if kind == USER and recipient == user:
            raise _RefusedError(403, "Cannot share with yourself")
        if kind == USER and not (recipient and self._accounts(recipient)):
            raise _RefusedError(404, "Please specify a valid account to share with")
        if kind == GROUP and recipient not in GROUPS:
            raise _RefusedError(404, "Please specify a valid group")

    def _accounts(self, called: str) -> list[str]:
        """Return the accounts with this user id or mail address, regardless of case.

        Nextcloud 32 and 34 accept each of these for a new share, and store it as it was sent. The recipient then sees
        the share only if it was sent as the exact user id.
        """
        homes = [home.name for home in self._tree.files.iterdir() if home.is_dir()]
        return [user for user in homes if called.casefold() in {user.casefold(), f"{user}@example.org".casefold()}]

    def sharees(self, called: str, kind: str) -> Record:
        """Return the response of the recipient search, which finds exact matches only."""
        users = self._accounts(called) if kind == str(USER) else []
        groups = [group for group in GROUPS if group.casefold() == called.casefold()] if kind == str(GROUP) else []
        return {
            "exact": {
                "users": [{"label": user, "value": {"shareType": USER, "shareWith": user}} for user in users],
                "groups": [{"label": group, "value": {"shareType": GROUP, "shareWith": group}} for group in groups],
            },
            "users": [],
            "groups": [],
        }

    def _present(self) -> list[Record]:
        """Return the shares whose file still exists."""
        return [known for known in self._mounts.records if self._mounts.source(known) is not None]


def _target(path: str, *, is_note: bool) -> str:
    """Return where a recipient has it first; Notes puts a note among the recipient's notes."""
    name = Path(path).name
    return f"/Notes/{name}" if is_note and path.startswith("/Notes/") else f"/{name}"


def _permissions(record: Record, permissions: int, *, creates: bool) -> int:
    possible = permissions & _ON_A_FILE if record["item_type"] == "file" else permissions
    if not creates and (possible != permissions or not possible):
        raise _RefusedError(400, "Failed to update share.")
    return possible | SHARE if record["share_type"] == LINK and possible & 1 else possible


def _expiration(text: str, time_of_day: str) -> str | None:
    if not text:
        return None
    try:
        day = _day(text)
    except ValueError:
        raise _RefusedError(404, "Invalid date. Format must be YYYY-MM-DD") from None
    end = datetime.fromisoformat(f"{day}T{time_of_day}+00:00")
    if end <= datetime.now(UTC):
        raise _RefusedError(404, "Expiration date is in the past")
    return f"{day} {time_of_day}"


def _day(text: str) -> date:
    """Parse a date as PHP does: a date-time is set to midnight in its own time zone and then converted to UTC."""
    if text == "tomorrow":
        return datetime.now(UTC).date() + timedelta(days=1)
    moment = datetime.fromisoformat(text).replace(hour=0, minute=0, second=0, microsecond=0)
    return (moment.astimezone(UTC) if moment.tzinfo else moment).date()


def _hash(password: str) -> str | None:
    if password and len(password) < _SHORTEST_PASSWORD:
        raise _RefusedError(400, "Password needs to be at least 10 characters long.")
    return f"3|{secrets.token_hex(8)}" if password else None


def routes(storage: Storage) -> list[Route]:
    """Return the routes of the shares and of the recipient search."""
    shares = Shares(storage)

    async def collection(request: Request) -> Response:
        return await _answer(request, shares)

    async def recipients(request: Request) -> Response:
        account = account_or_none(request.scope)
        if account is None:
            return envelope(request, 997, NOT_LOGGED_IN, [])
        if _UNSEARCHABLE.search(account.user):
            return Response(status_code=500)
        asked = request.query_params
        return envelope(request, 200, "OK", shares.sharees(asked.get("search", ""), asked.get("shareType", "")))

    return [
        Route(SHAREES, recipients, methods=["GET"]),
        Route(PATH, collection, methods=["GET", "POST"]),
        Route(PATH + "/{number}", collection, methods=["GET", "PUT", "DELETE"]),
    ]


async def _answer(request: Request, shares: Shares) -> Response:
    account = account_or_none(request.scope)
    if account is None:
        return envelope(request, 997, NOT_LOGGED_IN, [])
    asked = await request.json() if request.method in {"POST", "PUT"} else {}
    try:
        return envelope(request, 200, "OK", _data(request, shares, account.user, asked))
    except _RefusedError as refusal:
        return envelope(request, refusal.status, str(refusal), [])


def _data(request: Request, shares: Shares, user: str, asked: Record) -> Any:
    number = request.path_params.get("number")
    if request.method == "POST":
        return shares.create(user, asked | {"base": str(request.base_url)})
    if number is None:
        with_me = request.query_params.get("shared_with_me") == "true"
        return shares.shared_with(user) if with_me else shares.of(user, request.query_params.get("path"))
    if request.method == "PUT":
        return shares.update(user, number, asked)
    if request.method == "DELETE":
        shares.delete(user, number)
        return []
    return [shares.find(user, number)]
