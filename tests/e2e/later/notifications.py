"""Notifications: create, read and dismiss a notification."""

from typing import Final

from tests.support.old_client import OldClient

APP: Final = "notifications"


async def walk(client: OldClient) -> None:
    """Tidy up."""
    async with client.nextcloud_of("alice") as nextcloud:
        made = await nextcloud.post("/ocs/v2.php/apps/notifications/api/v3/test/self", params={"format": "json"})
    number = made.json()["ocs"]["data"]["nid"]

    (listed,) = (await client.use("nc_notifications_list", {"limit": 1}))["notifications"]
    assert (listed["notification_id"], listed["subject"]) == (number, "Testing push notifications")
    dismissed = await client.use("nc_notifications_dismiss", {"notification_id": number})
    assert dismissed["dismissed_id"] == number
    left = (await client.use("nc_notifications_list", {}))["notifications"]
    assert number not in {each["notification_id"] for each in left}
