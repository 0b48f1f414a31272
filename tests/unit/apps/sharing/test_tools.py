"""`apps.sharing.tools`: the tools for shares, called through MCP."""

import json
from typing import Any

import pytest

from tests.support.nextcloud import SHAREES, SHARES, ocs, share
from tests.support.server import Server


@pytest.mark.parametrize(
    ("tool", "arguments", "method", "path", "answered"),
    [
        ("nc_share_create", {"path": "d/a.txt", "share_with": "bob"}, "POST", SHARES, share()),
        ("nc_share_get", {"share_id": 5}, "GET", f"{SHARES}/5", [share()]),
        ("nc_share_update", {"share_id": "5", "permissions": 1}, "PUT", f"{SHARES}/5", share()),
    ],
)
async def test_returns_share_as_fields_and_json_text(
    server: Server, tool: str, arguments: dict[str, Any], method: str, path: str, answered: Any
) -> None:
    """Clients of the seed project read the JSON text; an id may be a string."""
    server.nextcloud.on(method, path, ocs(answered))
    server.nextcloud.on("GET", SHAREES, ocs({"exact": {"users": [], "groups": []}}))
    result = await server.use(tool, arguments)
    assert (result["share"]["share_with"], result["share"]["permission_names"]) == ("bob", ["read"])
    assert json.loads(result["result"]).items() <= result["share"].items()


async def test_creates_a_public_link(server: Server) -> None:
    """Old clients pass an empty string for no recipient; a date is a whole day."""
    server.nextcloud.on("POST", SHARES, ocs(share(share_type=3, share_with=None, url="https://cloud.test/s/x")))
    arguments = {"path": "a", "share_with": "", "share_type": 3, "expires": "2027-05-01", "password": "Kq7-otter"}
    assert (await server.use("nc_share_create", arguments))["share"]["url"] == "https://cloud.test/s/x"
    sent = json.loads(server.nextcloud.requests[-1].content)
    assert (sent["shareType"], sent["expireDate"], sent["permissions"]) == (3, "2027-05-01", 1)


async def test_lists_shares_in_pages(server: Server) -> None:
    """Pages are small enough for a model; the count is of all shares."""
    server.nextcloud.on("GET", SHARES, ocs([share(id=str(number)) for number in range(60)]))
    first = await server.use("nc_share_list")
    assert [each["id"] for each in first["shares"]] == list(range(50))
    assert [each["id"] for each in json.loads(first["result"])] == list(range(50))
    assert first["total_count"] == 60
    second = await server.use("nc_share_list", {"cursor": first["next_cursor"]})
    assert [each["id"] for each in second["shares"]] == list(range(50, 60))
    assert second["next_cursor"] is None


async def test_deletes_a_share(server: Server) -> None:
    """The result says so in JSON text; a share with the user is left."""
    server.nextcloud.on("GET", f"{SHARES}/5", ocs([share()]), ocs([share(uid_owner="bob")]))
    server.nextcloud.on("DELETE", f"{SHARES}/5", ocs([]))
    ended, left = [await server.use("nc_share_delete", {"share_id": 5}) for _ in range(2)]
    assert (ended["share_id"], json.loads(ended["result"])["message"]) == (5, "Share 5 deleted")
    assert json.loads(left["result"])["message"].startswith("You have left /d/a.txt, which belongs to bob.")


async def test_invalid_expiration_is_named(server: Server) -> None:
    """Nothing is shared if the expiration is invalid."""
    arguments = {"path": "a", "share_with": "bob", "expires": "soon"}
    server.nextcloud.on("GET", SHAREES, ocs({"exact": {"users": [], "groups": []}}))
    assert "expires" in await server.misuse("nc_share_create", arguments)
    assert server.nextcloud.asked("POST") == []
