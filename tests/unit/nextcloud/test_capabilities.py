"""`nextcloud.capabilities`: which apps there are, and for how long that is believed."""

import pytest

from nextcloud_mcp.errors import TokenNotAcceptedError
from nextcloud_mcp.nextcloud import capabilities
from nextcloud_mcp.nextcloud.capabilities import REMEMBERED, known_apps
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.users import LIMIT
from tests.support.nextcloud import CAPABILITIES_PATH, FakeNextcloud, ocs_capabilities

ALICE = ("https://issuer.test", "alice", "alice")
BOB = ("https://issuer.test", "bob", "bob")


async def test_apps_are_the_keys_of_the_capabilities(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """One request, as JSON."""
    fake.on("GET", CAPABILITIES_PATH, ocs_capabilities("core", "notes"))
    assert await capabilities.apps(nextcloud) == {"core", "notes"}
    assert [request.url.query for request in fake.requests] == [b"format=json"]


async def test_what_strangers_see_is_no_answer(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Nextcloud tells strangers something too, also those with a token that it does not accept."""
    fake.on("GET", CAPABILITIES_PATH, ocs_capabilities("theming", "bruteforce"))
    with pytest.raises(TokenNotAcceptedError, match="did not accept the token"):
        await capabilities.apps(nextcloud)


def test_apps_are_remembered_for_a_while() -> None:
    """By account, and no longer than that."""
    now = 1000.0
    apps = known_apps(clock=lambda: now)
    assert apps.get(ALICE) is None
    apps[ALICE] = frozenset({"notes"})
    now += REMEMBERED - 1
    assert apps.get(ALICE) == frozenset({"notes"})
    assert apps.get(BOB) is None
    now += 1
    assert apps.get(ALICE) is None


def test_memory_is_bounded() -> None:
    """A new account makes one that was asked before go."""
    apps = known_apps()
    for subject in range(LIMIT + 1):
        apps["issuer", str(subject), "name"] = frozenset({"notes"})
    assert len(apps) == LIMIT
    assert apps.get(("issuer", str(LIMIT), "name")) == frozenset({"notes"})
