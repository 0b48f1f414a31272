"""Calendars (CalDAV, RFC 4791) and contacts (CardDAV, RFC 6352): Radicale at Nextcloud's paths.

Radicale serves `/{user}/{collection}/{item}`. Nextcloud serves the same below `/remote.php/dav/calendars` and
`/remote.php/dav/addressbooks/users`, so there are two instances, each with its own mount path and folder.
"""

import io
import json
import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from radicale import config
from radicale.app import Application

from stack.standin.caldav import Calendars
from stack.standin.gate import account_of
from stack.standin.reserved import GENERATED_BOOKS
from stack.standin.sabre import MEDIA_TYPE, error_body, if_match

ADDRESS_BOOKS = "/remote.php/dav/addressbooks/users"
Environ = dict[str, Any]
WsgiApp = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

_FIRST_CALENDAR = {
    "personal": {
        "tag": "VCALENDAR",
        "D:displayname": "Personal",
        "C:supported-calendar-component-set": "VEVENT",
        "ICAL:calendar-color": "#00679e",
    }
}
_FIRST_ADDRESS_BOOKS = {
    name: {"tag": "VADDRESSBOOK", "D:displayname": title}
    for name, title in {"contacts": "Contacts", **GENERATED_BOOKS}.items()
}


def create_calendars_app(folder: Path) -> WsgiApp:
    """Return the WSGI app to mount at `caldav.CALENDARS`; each user has the calendar `personal`, for events."""
    return Calendars(_RadicaleForOwner(folder, _FIRST_CALENDAR), folder)


def create_address_books_app(folder: Path) -> WsgiApp:
    """Return the WSGI app to mount at `ADDRESS_BOOKS`; each user has `contacts` and `GENERATED_BOOKS`."""
    return _RadicaleForOwner(folder, _FIRST_ADDRESS_BOOKS)


class _RadicaleForOwner:
    """Radicale for one kind of collection; users see only their own."""

    def __init__(self, folder: Path, first: dict[str, dict[str, str]]) -> None:
        # Radicale logs every request; only errors matter here
        logging.getLogger("radicale").setLevel(logging.ERROR)
        settings = config.load()
        settings.update(
            {
                # the gate has already verified the token and sets the user
                "auth": {"type": "remote_user", "delay": "0"},
                "storage": {
                    "filesystem_folder": str(folder),
                    "predefined_collections": json.dumps(first),
                },
                "server": {"validate_user_value": "none", "validate_path_value": "none"},  # Nextcloud has any user id
                "web": {"type": "none"},
            },
            "stand-in",
        )
        self._radicale = Application(settings)

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        # other users may request a user's free/busy times
        user = environ.get("standin.as") or account_of(environ["asgi.scope"]).user
        owner = environ["PATH_INFO"].strip("/").partition("/")[0]
        if owner != user:
            return _refuse(start_response, "404 Not Found", f"Principal with name {owner} not found")
        environ["REMOTE_USER"] = user
        if environ["REQUEST_METHOD"] in {"PUT", "DELETE"} and "HTTP_IF_MATCH" in environ:
            failed = if_match(environ.pop("HTTP_IF_MATCH"), self._etag(environ))
            if failed:
                return _refuse(start_response, "412 Precondition Failed", failed)
        return self._radicale(environ, start_response)

    def _etag(self, environ: Environ) -> str | None:
        """Return the present ETag of the request's target; Radicale evaluates conditions differently from sabre/dav."""
        told: list[Any] = []
        asked = {**environ, "REQUEST_METHOD": "GET", "CONTENT_LENGTH": "0", "wsgi.input": io.BytesIO()}
        b"".join(self._radicale(asked, lambda *arguments: told.extend(arguments[:2])))
        return dict(told[1]).get("ETag") if told[0].startswith("200") else None


def _refuse(start_response: Callable[..., Any], status: str, message: str) -> list[bytes]:
    body = error_body(int(status[:3]), message)
    start_response(status, [("Content-Type", MEDIA_TYPE), ("Content-Length", str(len(body)))])
    return [body]
