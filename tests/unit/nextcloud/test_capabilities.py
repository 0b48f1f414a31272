"""`nextcloud.capabilities`: the installed apps."""

import pytest

from nextcloud_mcp.errors import TokenNotAcceptedError
from nextcloud_mcp.nextcloud import capabilities
from nextcloud_mcp.nextcloud.client import Nextcloud
from tests.support.nextcloud import CAPABILITIES_PATH, FakeNextcloud, ocs_capabilities


async def test_apps_are_the_keys_of_the_capabilities(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """One request fetches them as JSON."""
    fake.on("GET", CAPABILITIES_PATH, ocs_capabilities("core", "notes"))
    assert await capabilities.apps(nextcloud) == {"core", "notes"}
    assert [request.url.query for request in fake.requests] == [b"format=json"]


async def test_anonymous_capabilities_are_refused(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Nextcloud also answers anonymous requests and those with an invalid token."""
    fake.on("GET", CAPABILITIES_PATH, ocs_capabilities("theming", "bruteforce"))
    with pytest.raises(TokenNotAcceptedError, match="did not accept the token"):
        await capabilities.apps(nextcloud)
