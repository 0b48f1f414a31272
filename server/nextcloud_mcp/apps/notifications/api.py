"""Nextcloud's app Notifications, OCS API version 2 (github.com/nextcloud/notifications, docs/ocs-endpoint-v2.md)."""

from typing import Final

import httpx
from pydantic import AwareDatetime, BaseModel

from nextcloud_mcp.nextcloud.answers import parse
from nextcloud_mcp.nextcloud.client import Nextcloud

_NOTIFICATIONS: Final = "/ocs/v2.php/apps/notifications/api/v2/notifications"
_JSON: Final = {"format": "json"}


class Notification(BaseModel):
    """A notification; `subject` and `message` are in the person's language, and `link` leads to what it is about."""

    notification_id: int
    app: str
    datetime: AwareDatetime
    object_type: str
    object_id: str
    subject: str
    message: str = ""
    link: str = ""


class _Notifications(BaseModel):
    data: list[Notification]


class _OCSNotifications(BaseModel):
    ocs: _Notifications


async def list_all(nextcloud: Nextcloud) -> list[Notification]:
    """Return the user's notifications, newest first; Nextcloud sends the newest 25."""
    response = await nextcloud.request("GET", _NOTIFICATIONS, about="your notifications", params=_JSON)
    if response.status_code == httpx.codes.NO_CONTENT:  # no app sends notifications
        return []
    return parse(_OCSNotifications, response).ocs.data


async def delete(nextcloud: Nextcloud, notification_id: int) -> None:
    """Delete a notification; read it first, because Nextcloud answers 200 even if it does not exist.

    Raises:
        NotFoundError: the notification does not exist.
    """
    path, about = f"{_NOTIFICATIONS}/{notification_id}", f"notification {notification_id}"
    await nextcloud.request("GET", path, about=about, params=_JSON)
    await nextcloud.request("DELETE", path, about=about, params=_JSON)
