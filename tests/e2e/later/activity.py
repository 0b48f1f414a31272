"""Activity: create, change and delete a file, and read the activities about it."""

from datetime import UTC, datetime
from typing import Final

from tests.support.old_client import OldClient

APP: Final = "activity"


async def walk(client: OldClient) -> None:
    """Look what happened."""
    since = datetime.now(UTC).replace(microsecond=0).isoformat()
    path = f"{client.unique}.txt"
    async with client.nextcloud_of("alice") as nextcloud:
        file = f"/remote.php/dav/files/alice/{path}"
        assert (await nextcloud.put(file, content=b"x")).status_code == 201
        assert (await nextcloud.put(file, content=b"y")).status_code == 204
        assert (await nextcloud.delete(file)).status_code == 204

    first = await client.use("nc_activity_list", {"since": since, "limit": 2})
    second = await client.use("nc_activity_list", {"since": since, "kind": "files", "cursor": first["next_cursor"]})
    seen = [each for each in first["activities"] + second["activities"] if path in each["subject"]]
    assert [(each["type"], each["user"]) for each in seen] == [
        ("file_deleted", "alice"),
        ("file_changed", "alice"),
        ("file_created", "alice"),
    ]
    assert (seen[0]["object_name"], seen[0]["subject"]) == (f"/{path}", f"You deleted {path}")
    assert second["next_cursor"] is None
