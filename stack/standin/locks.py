"""User locks: `LOCK` and `UNLOCK` with `X-User-Lock: 1`, of the app files_lock as measured in Nextcloud 34.0.1.

https://github.com/nextcloud/files_lock#webdav. A lock of type 0 belongs to a user, who may still write. A lock of type
2 belongs to a token, which every write must send in `If`. Locks last until the next start.
"""

import time
import uuid
from collections.abc import Mapping
from typing import NamedTuple
from xml.sax.saxutils import escape

from stack.standin.mounts import UPDATE, Place
from stack.standin.sabre import error_body
from stack.standin.tree import Tree

_TOKEN = 2
LOCK_PREFIX = "files_lock/"
"""How all tokens of locks begin."""
_NO_TIMEOUT = "-60"  # the app multiplies its setting of -1 minutes
_NAMES = ("owner-type", "owner", "owner-displayname", "time", "timeout", "token")


class Lock(NamedTuple):
    """A lock on a file or folder.

    Attributes:
        kind: The type: 0 for a user, 1 for an app, 2 for a token.
        second: The time, in seconds since 1970.
    """

    user: str
    kind: int
    second: int
    token: str


class Answer(NamedTuple):
    """The response to LOCK or UNLOCK, with an XML body."""

    status: int
    body: bytes


class Locks:
    """The locks of all files.

    Args:
        tree: The files.
    """

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._locks: dict[int, Lock] = {}

    def properties(self, place: Place) -> dict[str, str]:
        """Return the properties of a file's lock, by name; one that is not locked has only `lock`, which is empty."""
        lock = self._locks.get(self._tree.node(place.path).id)
        if lock is None:
            return {"lock": ""}
        # the name of a token follows the display name, and those of the tests have none
        display_name = self._tree.display_name(lock.user) + " " * (lock.kind == _TOKEN)
        values = (str(lock.kind), lock.user, display_name, str(lock.second), _NO_TIMEOUT, lock.token)
        return {"lock": "1", **{f"lock-{name}": value for name, value in zip(_NAMES, values, strict=True)}}

    def is_blocked(self, place: Place, user: str, condition: str) -> bool:
        """Return whether a lock refuses a write; `condition` is the `If` header of the request."""
        lock = self._locks.get(self._tree.node(place.path).id) if place.path.exists() else None
        if lock is None:
            return False
        return lock.token not in condition if lock.kind == _TOKEN else lock.user != user

    def is_held_by_another(self, place: Place, user: str) -> bool:
        """Return whether another user holds a lock that also stops an app's write; one of a token does not."""
        lock = self._locks.get(self._tree.node(place.path).id)
        return lock is not None and lock.kind != _TOKEN and lock.user != user

    def answer(self, method: str, user: str, path: str, place: Place, headers: Mapping[str, str]) -> Answer:
        """Lock or unlock a file.

        Args:
            method: LOCK or UNLOCK.
            user: The user.
            path: The path relative to the user's folder.
            place: What the path stands for.
            headers: The headers of the request, as WSGI names them.
        """
        if not place.path.exists():
            message = f"/{user}/files/{path.strip('/')}"
            return Answer(500, error_body(500, message, exception=r"OCP\Files\NotFoundException"))
        number = self._tree.node(place.path).id
        lock = self._locks.get(number)
        status = 200
        if method == "UNLOCK" and lock is None:
            status = 412
        elif method == "UNLOCK" and lock is not None and user in {lock.user, place.owner}:
            del self._locks[number]
        elif lock is not None and lock.user != user:
            status = 423
        elif not place.permissions & UPDATE:
            exception = r"OCA\FilesLock\Exceptions\UnauthorizedUnlockException"
            return Answer(500, error_body(500, "File can only be locked with update permissions.", exception=exception))
        elif lock is None:
            kind = int(headers.get("HTTP_X_USER_LOCK_TYPE", "0"))
            self._locks[number] = Lock(user, kind, int(time.time()), f"{LOCK_PREFIX}{uuid.uuid4()}")
        return Answer(status, self._body(place))

    def _body(self, place: Place) -> bytes:
        found = self.properties(place)
        values = {f"lock-{name}": found.get(f"lock-{name}", "") for name in _NAMES}
        lines = [
            f" <nc:{name}>{escape(value)}</nc:{name}>" for name, value in {"lock": found["lock"], **values}.items()
        ]
        return (
            '<?xml version="1.0"?>\n<d:prop xmlns:d="DAV:" xmlns:s="http://sabredav.org/ns" '
            'xmlns:oc="http://owncloud.org/ns" xmlns:nc="http://nextcloud.org/ns">\n'
            f" <d:getetag>{self._tree.etag(place.path)}</d:getetag>\n" + "\n".join(lines) + "\n</d:prop>\n"
        ).encode()


def locked_body(user: str, path: str) -> bytes:
    """Return the body of the 423 for a write to a locked file."""
    href = escape(f"files/{user}/{path.strip('/')}")
    submitted = f"  <d:lock-token-submitted>\n    <d:href>{href}</d:href>\n  </d:lock-token-submitted>\n</d:error>"
    body = error_body(423, "", exception=r"Sabre\DAV\Exception\Locked").decode()
    return body.replace("<s:message></s:message>", "<s:message/>").replace("</d:error>", submitted).encode()
