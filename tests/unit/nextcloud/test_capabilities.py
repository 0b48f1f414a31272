"""`nextcloud.capabilities`: which apps there are, and for how long that is believed."""

import pytest

from nextcloud_mcp.errors import TokenNotAcceptedError
from nextcloud_mcp.nextcloud import capabilities
from nextcloud_mcp.nextcloud.capabilities import REMEMBERED, Apps
from nextcloud_mcp.nextcloud.client import Nextcloud
from tests.support.nextcloud import CAPABILITIES_PATH, FakeNextcloud, ocs_capabilities

ALICE = ("https://issuer.test", "alice")
BOB = ("https://issuer.test", "bob")


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
    apps = Apps(clock=lambda: now)
    assert apps.get(ALICE) is None
    apps.remember(ALICE, frozenset({"notes"}))
    now += REMEMBERED - 1
    assert apps.get(ALICE) == frozenset({"notes"})
    assert apps.get(BOB) is None
    now += 1
    assert apps.get(ALICE) is None


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The account asked longest ago makes room."""
    monkeypatch.setattr(capabilities, "LIMIT", 2)
    apps = Apps()
    for subject in ("a", "b", "a", "c"):
        apps.remember(("issuer", subject), frozenset({subject}))
    assert [apps.get(("issuer", subject)) for subject in "abc"] == [frozenset("a"), None, frozenset("c")]
