"""`apps.notifications.tools`: the notification tools, called through MCP."""

from typing import Any, Final

import pytest

from tests.support.issuer import answer
from tests.support.nextcloud import ocs
from tests.support.server import Server

NOTIFICATIONS: Final = "/ocs/v2.php/apps/notifications/api/v2/notifications"


def row(number: int = 36) -> dict[str, Any]:
    """Return a notification as Nextcloud 34 answers it, cut down."""
    return {
        "notification_id": number,
        "app": "admin_notifications",
        "user": "alice",
        "datetime": "2026-11-27T23:14:44+00:00",
        "object_type": "admin_notifications",
        "object_id": "6b0a0ee4",
        "subject": "Maintenance tonight",
        "message": "From 22:00",
        "link": "https://cloud.test/news",
        "subjectRich": "",
        "subjectRichParameters": [],
        "icon": "https://cloud.test/apps/notifications/img/notifications-dark.svg",
        "shouldNotify": True,
        "actions": [],
    }


async def test_lists_notifications_with_selected_fields(server: Server) -> None:
    """Each notification has text, object and time, and no other field of Nextcloud's answer."""
    server.nextcloud.on("GET", NOTIFICATIONS, ocs([row()]))
    result = await server.use("nc_notifications_list")
    assert result["notifications"] == [
        {
            "notification_id": 36,
            "app": "admin_notifications",
            "datetime": "2026-11-27T23:14:44Z",
            "object_type": "admin_notifications",
            "object_id": "6b0a0ee4",
            "subject": "Maintenance tonight",
            "message": "From 22:00",
            "link": "https://cloud.test/news",
        }
    ]
    assert result["next_cursor"] is None


async def test_lists_in_pages(server: Server) -> None:
    """Pages work as in every other list."""
    server.nextcloud.on("GET", NOTIFICATIONS, ocs([row(number) for number in (9, 8, 7)]))
    first = await server.use("nc_notifications_list", {"limit": 2})
    second = await server.use("nc_notifications_list", {"limit": 2, "cursor": first["next_cursor"]})
    assert [each["notification_id"] for each in first["notifications"] + second["notifications"]] == [9, 8, 7]
    assert second["next_cursor"] is None


async def test_empty_response_is_empty_list(server: Server) -> None:
    """Nextcloud sends no body if no app sends notifications."""
    server.nextcloud.on("GET", NOTIFICATIONS, answer(204))
    assert (await server.use("nc_notifications_list"))["notifications"] == []


async def test_dismisses_a_notification(server: Server) -> None:
    """The scope for writing suffices, since the notification read before is not returned."""
    server.nextcloud.on("GET", f"{NOTIFICATIONS}/36", ocs(row()))
    server.nextcloud.on("DELETE", f"{NOTIFICATIONS}/36", ocs([]))
    result = await server.use("nc_notifications_dismiss", {"notification_id": 36}, scope="notifications:write")
    assert result["dismissed_id"] == 36
    assert "Maintenance" not in str(result)
    one = f"{NOTIFICATIONS}/36?format=json"
    assert server.nextcloud.asked() == [f"GET {one}", f"DELETE {one}"]


@pytest.mark.parametrize("number", [0, 36])
async def test_dismissing_missing_notification_is_an_error(server: Server, number: int) -> None:
    """Nextcloud would answer 200 to DELETE, so it is looked up first, and the error names it."""
    server.nextcloud.on("GET", f"{NOTIFICATIONS}/{number}", ocs(None, 404, ""))
    error = await server.misuse("nc_notifications_dismiss", {"notification_id": number})
    assert error.startswith(f"Nextcloud did not find notification {number}")
    assert server.nextcloud.asked("DELETE") == []
