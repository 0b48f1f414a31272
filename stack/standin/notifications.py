"""Notifications, OCS API version 2 (github.com/nextcloud/notifications, docs/ocs-endpoint-v2.md), as measured on
Nextcloud 34.0.1.

They are kept in memory. The only kind is the test notification that users send themselves (`POST …/v3/test/self`).
"""  # noqa: D205 - one sentence, which takes two lines

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stack.standin.gate import account_or_none
from stack.standin.ocs import NOT_LOGGED_IN, envelope

_API = "/ocs/{version}.php/apps/notifications/api"
_MAX_LISTED = 25  # in the list
Row = dict[str, Any]


@dataclass(frozen=True)
class _Box:
    """The notifications of all users, by id."""

    rows: dict[int, Row]

    def of(self, user: str) -> list[Row]:
        """Return a user's notifications, newest first."""
        return [row for row in reversed(self.rows.values()) if row["user"] == user]

    def find(self, user: str, number: int) -> Row | None:
        """Return a user's notification, or None."""
        row = self.rows.get(number)
        return row if row is not None and row["user"] == user else None


def routes() -> list[Route]:
    """Return the routes that list, read, delete and send notifications."""
    box, ids = _Box({}), count(1)

    async def listing(request: Request) -> Response:
        account = account_or_none(request.scope)
        if account is None:
            return envelope(request, 997, NOT_LOGGED_IN, [])
        return envelope(request, 200, "OK", box.of(account.user)[:_MAX_LISTED])

    async def one(request: Request) -> Response:
        account = account_or_none(request.scope)
        if account is None:
            return envelope(request, 997, NOT_LOGGED_IN, [])
        number = request.path_params["number"]
        row = box.find(account.user, number)
        if request.method == "DELETE" and number:
            if row is not None:
                del box.rows[number]
            return envelope(request, 200, "OK", [])
        return envelope(request, 404, "", None) if row is None else envelope(request, 200, "OK", row)

    async def send(request: Request) -> Response:
        account = account_or_none(request.scope)
        if account is None:
            return envelope(request, 997, NOT_LOGGED_IN, [])
        number = next(ids)
        box.rows[number] = _row(number, account.user, str(request.base_url))
        return envelope(request, 200, "OK", {"message": "No devices found for user\n", "nid": number})

    return [
        Route(f"{_API}/v2/notifications", listing),
        Route(f"{_API}/v2/notifications/{{number:int}}", one, methods=["GET", "DELETE"]),
        Route(f"{_API}/v3/test/self", send, methods=["POST"]),
    ]


def _row(number: int, user: str, base: str) -> Row:
    now = datetime.now(UTC).replace(microsecond=0)
    return {
        "notification_id": number,
        "app": "admin_notifications",
        "user": user,
        "datetime": now.isoformat(),
        "object_type": "admin_notifications",
        "object_id": f"{int(now.timestamp()):x}",
        "subject": "Testing push notifications",
        "message": "",
        "link": "",
        "subjectRich": "",
        "subjectRichParameters": [],
        "messageRich": "",
        "messageRichParameters": [],
        "icon": f"{base}apps/notifications/img/notifications-dark.svg",
        "shouldNotify": True,
        "actions": [],
    }
