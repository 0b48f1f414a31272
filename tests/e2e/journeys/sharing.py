"""Sharing: share a folder with bob, read the share as both users, extend its permissions, and delete it."""

import json
from typing import Final

from tests.support.old_client import OldClient

APP: Final = "sharing"
GLANCE: Final = ("nc_share_list", {"path": None, "shared_with_me": False})


async def journey(old: OldClient) -> None:
    """Share a folder; an old client reads the JSON text in `result`."""
    async with old.nextcloud_of("bob") as nextcloud:
        await nextcloud.get("/ocs/v2.php/cloud/user")  # the first call of somebody makes their account
    async with old.nextcloud_of("alice") as nextcloud:
        folder = f"/remote.php/dav/files/alice/{old.unique}"
        await nextcloud.request("MKCOL", folder)
        await _share(old)
        await nextcloud.delete(folder)


async def _share(old: OldClient) -> None:
    with_bob = {"path": f"/{old.unique}", "share_with": "bob", "share_type": 0, "permissions": 1}
    created = json.loads((await old.call("nc_share_create", with_bob))["result"])
    assert (created["share_with"], created["permissions"]) == ("bob", 1)
    share = {"share_id": created["id"]}

    read = json.loads((await old.call("nc_share_get", share))["result"])
    assert (read["id"], read["path"]) == (created["id"], f"/{old.unique}")
    listed = json.loads((await old.call("nc_share_list", {"path": f"/{old.unique}"}))["result"])
    assert [each["id"] for each in listed] == [created["id"]]
    updated = json.loads((await old.call("nc_share_update", {**share, "permissions": 31}))["result"])
    assert updated["permissions"] == 31
    assert json.loads((await old.call("nc_share_delete", share))["result"])["success"] is True
