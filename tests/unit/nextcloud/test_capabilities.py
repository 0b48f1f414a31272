"""`nextcloud.capabilities`: which apps there are."""

import pytest

from nextcloud_mcp.errors import TokenNotAcceptedError
from nextcloud_mcp.nextcloud import capabilities
from nextcloud_mcp.nextcloud.client import Nextcloud
from tests.support.nextcloud import CAPABILITIES_PATH, FakeNextcloud, ocs_capabilities


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
