"""The tools for notifications."""

from nextcloud_mcp.apps.notifications import api
from nextcloud_mcp.apps.notifications.api import Notification
from nextcloud_mcp.boundary.call import AsUser
from nextcloud_mcp.boundary.declaration import Result, reads, writes
from nextcloud_mcp.boundary.paging import DEFAULT_LIMIT, Paged, page
from nextcloud_mcp.boundary.schemas import Cursor


class NotificationsListed(Paged):
    """A page of notifications, newest first."""

    notifications: list[Notification]


class NotificationDismissed(Result):
    """A dismissed notification."""

    dismissed_id: int


@reads("List notifications", scopes="notifications:read")
async def nc_notifications_list(
    nextcloud: AsUser, limit: int = DEFAULT_LIMIT, cursor: Cursor = ""
) -> NotificationsListed:
    """List the user's notifications, newest first. Nextcloud returns only the newest 25."""
    notifications, next_cursor = page(await api.list_all(nextcloud), limit, cursor)
    return NotificationsListed(notifications=notifications, next_cursor=next_cursor)


@writes("Dismiss a notification", scopes="notifications:write", destructive=True, idempotent=True)
async def nc_notifications_dismiss(notification_id: int, nextcloud: AsUser) -> NotificationDismissed:
    """Dismiss a notification permanently. What it is about does not change."""
    await api.delete(nextcloud, notification_id)
    return NotificationDismissed(dismissed_id=notification_id)
