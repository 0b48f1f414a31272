"""`/remote.php/dav/files`: WsgiDAV, with middleware for the cases in which Nextcloud answers differently.

Each rule was recorded from Nextcloud 32; RFC 4918 leaves most of them open.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from wsgidav.dav_error import (  # type: ignore[import-untyped]
    HTTP_BAD_REQUEST,
    HTTP_CONFLICT,
    HTTP_FORBIDDEN,
    HTTP_INTERNAL_ERROR,
    HTTP_LOCKED,
    HTTP_METHOD_NOT_ALLOWED,
    HTTP_NOT_FOUND,
    HTTP_NOT_MODIFIED,
    HTTP_PRECONDITION_FAILED,
    DAVError,
    get_http_status_string,
)
from wsgidav.mw.base_mw import BaseMiddleware  # type: ignore[import-untyped]
from wsgidav.request_resolver import RequestResolver  # type: ignore[import-untyped]
from wsgidav.util import normalize_path  # type: ignore[import-untyped]
from wsgidav.wsgidav_app import WsgiDAVApp  # type: ignore[import-untyped]

from stack.standin.files import FilesProvider, Folder, escape_delimiters
from stack.standin.gate import account_of
from stack.standin.locks import LOCK_PREFIX, locked_body
from stack.standin.sabre import MEDIA_TYPE, NO_MATCH, NOTHING_THERE, error_body, if_match
from stack.standin.storage import Storage

MOUNT = "/remote.php/dav/files"
Environ = dict[str, Any]
WsgiApp = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

_MAX_NAME_BYTES = 250
_PARTIAL = ".part"
_CONTROL = re.compile(r"[\x00-\x1f]")
# WsgiDAV's message for a failed condition -> sabre/dav's message and the header in it
_CONDITIONS = {
    NO_MATCH: (NO_MATCH, "If-Match"),
    NOTHING_THERE: (NOTHING_THERE, "If-Match"),
    "If-None-Match header condition failed": (
        "An If-None-Match header was specified, but the ETag matched (or * was specified).",
        "If-None-Match",
    ),
    "Destination already exists and Overwrite is set to false": (
        "The destination node already exists, and the overwrite header is set to false",
        "Overwrite",
    ),
}
_NO_UPLOAD = (
    '<?xml version="1.0"?>\n<d:multistatus xmlns:d="DAV:"><d:response><d:href>{href}</d:href><d:propstat><d:prop>'
    "<d:getcontentlength>0</d:getcontentlength><d:resourcetype/><d:getetag>&quot;&quot;</d:getetag></d:prop>"
    "<d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response></d:multistatus>"
)
_EMPTY_COLLECTION = (
    '<?xml version="1.0"?>\n<d:multistatus xmlns:d="DAV:"><d:response><d:href>{href}</d:href><d:propstat><d:prop>'
    "<d:resourcetype><d:collection/></d:resourcetype></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat>"
    "</d:response></d:multistatus>"
)


def create_files_app(storage: Storage) -> WsgiApp:
    """Return the WSGI app to mount at `MOUNT`; it needs the account that the gate sets."""
    app: WsgiApp = WsgiDAVApp(
        {
            "provider_mapping": {"/": FilesProvider(storage)},
            "mount_path": MOUNT,
            "middleware_stack": [_SabreErrors, _NextcloudRules, RequestResolver],
            "http_authenticator": {"accept_basic": False, "accept_digest": False},
            "lock_storage": None,  # `Locks` answers LOCK
            "honor_mtime_header": True,
            "logging": {"enable": False},
            "verbose": 1,
        }
    )
    return app


class _NameError(DAVError):  # type: ignore[misc]
    """A file name that Nextcloud does not allow."""

    def __init__(self, message: str) -> None:
        super().__init__(HTTP_BAD_REQUEST, message)


class _ApacheNameError(DAVError):  # type: ignore[misc]
    """A file name for Apache, at which Nextcloud fails; the message is the path."""

    def __init__(self, path: str) -> None:
        super().__init__(HTTP_INTERNAL_ERROR, f"Invalid path: files/{path.strip('/')}")


class _LockedError(DAVError):  # type: ignore[misc]
    """A write to a locked file; the message is the user id and the path."""

    def __init__(self, user: str, path: str) -> None:
        super().__init__(HTTP_LOCKED, path)
        self.body = locked_body(user, path)


class _SabreErrors(BaseMiddleware):  # type: ignore[misc]
    """Middleware that turns WsgiDAV's errors into sabre/dav's."""

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterator[bytes]:
        try:
            yield from self.next_app(environ, start_response)
        except DAVError as error:
            body = _body(error, environ)
            headers = [("Content-Type", MEDIA_TYPE), ("Content-Length", str(len(body)))]
            start_response(get_http_status_string(error), headers)
            yield b"" if environ["REQUEST_METHOD"] == "HEAD" else body


_EXCEPTIONS: dict[type[DAVError], str] = {
    _NameError: r"OCA\DAV\Connector\Sabre\Exception\InvalidPath",
    _ApacheNameError: r"OCP\Files\ForbiddenException",
}


def _body(error: DAVError, environ: Environ) -> bytes:
    if error.value == HTTP_NOT_MODIFIED:
        return b""
    if isinstance(error, _LockedError):
        return error.body
    message, header = _CONDITIONS.get(error.context_info, (error.context_info or "", None))
    if error.value == HTTP_NOT_FOUND and message.startswith("/"):
        message = f"File with name {_inner(environ['PATH_INFO'])} could not be located"
    exception = next((_EXCEPTIONS[kind] for kind in _EXCEPTIONS if isinstance(error, kind)), "")
    return error_body(error.value, message, header, exception=exception)


def _inner(path: str) -> str:
    """Return a path relative to its owner's folder, with the two leading slashes of Nextcloud's messages."""
    return "//" + path.strip("/").partition("/")[2]


class _NextcloudRules(BaseMiddleware):  # type: ignore[misc]
    """Middleware that checks access, and refuses what Nextcloud refuses and WsgiDAV allows."""

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterator[bytes]:
        request = _Request(environ)
        environ["wsgidav.auth.user_name"] = request.user
        if request.method == "PROPFIND":
            # RFC 4918 section 9.1 has infinity as the default; Nextcloud uses 1
            environ.setdefault("HTTP_DEPTH", "1")
        request.check()
        short = request.short_answer()
        if short is None:
            yield from _as_nextcloud(self.next_app, environ, start_response)
            return
        status, media_type, body = short
        start_response(status, [("Content-Type", media_type), ("Content-Length", str(len(body)))])
        yield body


class _Request:
    """One request, with checks against the files."""

    def __init__(self, environ: Environ) -> None:
        self.environ = environ
        self.method: str = environ["REQUEST_METHOD"]
        self.path: str = environ["PATH_INFO"]
        self.provider: FilesProvider = environ["wsgidav.provider"]
        self.user = account_of(environ["asgi.scope"]).user

    def check(self) -> None:
        """Check the request by Nextcloud's rules.

        Raises:
            DAVError: Nextcloud refuses the request; the error has Nextcloud's status and message.
        """
        self._check_owner(self.path, creates=self.method in {"PUT", "MKCOL"})
        if self.method not in {"PUT", "MKCOL"} and _is_too_long(self.path):
            raise DAVError(HTTP_NOT_FOUND, self.path)
        self._check_partial()
        if self.method in {"PUT", "MKCOL"}:
            if "\n" in self.path:
                raise DAVError(HTTP_NOT_FOUND, self.path)
            self._check_name(self.path)
        if self.method == "PUT":
            self._check_put()
        elif self.method == "DELETE" and self._is_home(self.path):
            raise DAVError(HTTP_FORBIDDEN, "Permission denied to delete home folder")
        elif self.method == "DELETE":
            self._check_if_match(self._resource(self.path))
        elif self.method in {"MOVE", "COPY"}:
            self._check_locks(self._destination())
            self._check_transfer()
        self._check_permissions()
        if self.method in {"PUT", "DELETE", "MOVE", "PROPPATCH"}:
            self._check_locks(self.path)

    def _check_permissions(self) -> None:
        """Check what the owner of a shared folder allows."""
        destination = self._destination() if self.method in {"MOVE", "COPY"} else ""
        refusal = self.provider.mounts.refusal(self.method, self.user, _inner(self.path)[1:], _inner(destination)[1:])
        if refusal is None:
            return
        if refusal.is_replaced:
            self.provider.tree.remove(self.provider.location(destination))
        raise DAVError(refusal.status, refusal.message)

    def _check_locks(self, path: str) -> None:
        place = self.provider.mounts.find(self.user, _inner(path))
        if self.provider.locks.is_blocked(place, self.user, self.environ.get("HTTP_IF", "")):
            raise _LockedError(self.user, _inner(path))
        if LOCK_PREFIX in self.environ.get("HTTP_IF", ""):
            del self.environ["HTTP_IF"]  # WsgiDAV knows no locks

    def _check_partial(self) -> None:
        """Treat a missing file that is named like an incomplete upload as if it existed."""
        if not self._is_partial(self.path):
            return
        if self.method == "MKCOL":
            raise DAVError(HTTP_METHOD_NOT_ALLOWED, "The resource you tried to create already exists")
        if self.method == "PUT" and self.environ.get("HTTP_IF_NONE_MATCH") == "*":
            raise DAVError(HTTP_PRECONDITION_FAILED, "If-None-Match header condition failed")

    def _is_partial(self, path: str) -> bool:
        return path.endswith(_PARTIAL) and self._resource(path) is None

    def short_answer(self) -> tuple[str, str, bytes] | None:
        """Return the response to a request that WsgiDAV must not handle, such as GET of a folder, or None."""
        if self.method == "PROPFIND" and _owner(self.path) != self.user:
            href = quote(f"{MOUNT}/{_owner(self.path)}/")
            return "207 Multi-Status", MEDIA_TYPE, _EMPTY_COLLECTION.format(href=href).encode()
        if self.method == "PROPFIND" and self._is_partial(self.path):
            return "207 Multi-Status", MEDIA_TYPE, _NO_UPLOAD.format(href=quote(MOUNT + self.path)).encode()
        is_lock = self.method in {"LOCK", "UNLOCK"} and self.environ.get("HTTP_X_USER_LOCK") == "1"
        if is_lock and self.provider.release.has_locks:
            path = _inner(self.path)
            place = self.provider.mounts.find(self.user, path)
            status, body = self.provider.locks.answer(self.method, self.user, path, place, self.environ)
            return f"{status} {HTTPStatus(status).phrase}", MEDIA_TYPE, body
        if self.method == "DELETE" and self._is_partial(self.path):
            return "204 No Content", MEDIA_TYPE, b""
        if self.method in {"GET", "HEAD"} and isinstance(self._resource(self.path), Folder):
            page = b"" if self.method == "HEAD" else self.provider.release.folder_page
            return "200 OK", "text/html; charset=UTF-8", page
        return None

    def _check_owner(self, path: str, *, creates: bool) -> None:
        owner = _owner(path)
        if owner == self.user:
            return
        if not owner or not self.provider.tree.home(owner).is_dir():
            raise DAVError(HTTP_NOT_FOUND, f"Principal with name {owner} not found")
        if creates:
            name = path.rstrip("/").rpartition("/")[2]
            raise DAVError(HTTP_FORBIDDEN, f"Permission denied to create file (filename {name})")
        if self.method != "PROPFIND" or not self._is_home(path):
            raise DAVError(HTTP_NOT_FOUND, path)

    def _check_put(self) -> None:
        resource, parent = self._resource(self.path), self._resource(_parent(self.path))
        if not isinstance(parent, Folder):
            # RFC 4918 section 9.7.1 requires 409 here
            raise DAVError(HTTP_NOT_FOUND, self.path)
        if isinstance(resource, Folder):
            raise DAVError(HTTP_CONFLICT, "PUT is not allowed on non-files.")
        self._check_if_match(resource)

    def _check_if_match(self, resource: Any) -> None:
        """Evaluate `If-Match` as sabre/dav does, instead of WsgiDAV; a folder has no ETag here."""
        header = self.environ.pop("HTTP_IF_MATCH", None)
        if header is None:
            return
        etag = None if resource is None else "" if isinstance(resource, Folder) else f'"{resource.get_etag()}"'
        failed = if_match(header, etag)
        if failed:
            raise DAVError(HTTP_PRECONDITION_FAILED, failed)

    def _check_transfer(self) -> None:
        source, destination = self.path.rstrip("/"), self._destination().rstrip("/")
        if self._resource(_parent(destination)) is None:
            raise DAVError(HTTP_CONFLICT, "The destination node is not found")
        is_there = self._resource(destination) is not None or self._is_partial(destination)
        if is_there and self.environ.get("HTTP_OVERWRITE", "").upper() == "F":
            raise DAVError(HTTP_PRECONDITION_FAILED, "Destination already exists and Overwrite is set to false")
        if source == destination:
            raise DAVError(HTTP_FORBIDDEN, "Source and destination uri are identical.")
        if destination.startswith(source + "/"):
            message = "The destination may not be part of the same subtree as the source path."
            raise DAVError(HTTP_CONFLICT, message)
        if self._resource(source) is None:
            raise DAVError(HTTP_NOT_FOUND, source)
        self._check_owner(destination, creates=True)
        self._check_name(destination)
        self.environ["HTTP_DESTINATION"] = quote(escape_delimiters(MOUNT + destination))

    def _check_name(self, path: str) -> None:
        if self.provider.release.crashes_on_htaccess and self.method != "MKCOL" and path.endswith("/.htaccess"):
            raise _ApacheNameError(_inner(path))
        _check_name(path)

    def _destination(self) -> str:
        header = self.environ.get("HTTP_DESTINATION")
        if header is None:
            raise DAVError(HTTP_BAD_REQUEST, "The destination header was not supplied")
        path = str(normalize_path(unquote(urlsplit(header).path)))
        if not path.startswith(MOUNT + "/"):
            raise DAVError(HTTP_FORBIDDEN, f"Requested uri ({path}) is out of base uri (/remote.php/dav/)")
        return path.removeprefix(MOUNT)

    def _resource(self, path: str) -> object:
        return self.provider.get_resource_inst(path, self.environ)

    def _is_home(self, path: str) -> bool:
        return path.strip("/") == _owner(path)


def _check_name(path: str) -> None:
    name = path.rstrip("/").rpartition("/")[2]
    if "\\" in name:
        raise _NameError('"\\" is not allowed inside a file or folder name.')
    if len(name.encode()) > _MAX_NAME_BYTES:
        raise _NameError("Filename is too long")
    if _CONTROL.search(name):
        raise _NameError("Invalid path")
    if name == ".htaccess":
        raise _NameError("Filename is a reserved word")
    if name.endswith((_PARTIAL, ".filepart")):
        raise _NameError(f'"{name[name.rindex(".") :]}" is a forbidden file type.')


def _is_too_long(path: str) -> bool:
    """Return whether a name in the path is too long for any file to exist there."""
    return any(len(name.encode()) > _MAX_NAME_BYTES for name in path.split("/"))


def _owner(path: str) -> str:
    return path.strip("/").partition("/")[0]


def _parent(path: str) -> str:
    return path.rstrip("/").rpartition("/")[0]


def _as_nextcloud(app: WsgiApp, environ: Environ, start_response: Callable[..., Any]) -> Iterator[bytes]:
    """Pass on WsgiDAV's response without its body for 201, and with `OC-ETag`, which web servers do not change."""
    created = False

    def start(status: str, headers: list[tuple[str, str]], *rest: object) -> Any:
        nonlocal created
        created = status.startswith("201")
        if environ["REQUEST_METHOD"] == "PUT":
            headers = headers + [("OC-ETag", value) for name, value in headers if name == "ETag"]
        if created:
            headers = [(name, "0" if name == "Content-Length" else value) for name, value in headers]
        return start_response(status, headers, *rest)

    for chunk in app(environ, start):
        yield b"" if created else chunk
