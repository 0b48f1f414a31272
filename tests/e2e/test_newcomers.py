"""Somebody whose first visit to Nextcloud is a tool call: the account has what meetings need."""

import secrets
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from stack.chain import Chain
from tests.e2e.servers import EVERYTHING, Server
from tests.support.administration import somebody_new
from tests.support.mcp_http import call_tool, result
from tests.support.oauth import sign_in

ZONE = "Europe/Berlin"


async def test_first_call_may_invite(chain: Chain, server: Server) -> None:
    """A newcomer's first call is a meeting, whose organizer is the address that Keycloak has; free times are found."""
    guest = f"guest-{secrets.token_hex(4)}@example.com"
    day = datetime.now(ZoneInfo(ZONE)) + timedelta(days=7)
    with somebody_new(chain.keycloak.admin()) as (_, person):
        scope = f"{server.scope} {EVERYTHING}"
        token = (await sign_in(chain.keycloak, **person, scope=scope))["access_token"]

        async def call(tool: str, **arguments: Any) -> dict[str, Any]:
            answer = result(await call_tool(server.url, tool, token=token, **arguments))
            assert not answer.get("isError"), answer["content"]
            content: dict[str, Any] = answer["structuredContent"]
            return content

        made = await call(
            "nc_calendar_create_event",
            calendar_name="personal",
            title="Welcome",
            start_datetime=f"{day:%Y-%m-%d}T10:00:00",
            attendees=guest,
            time_zone=ZONE,
        )
        stored = await call("nc_calendar_get_event", calendar_name="personal", event_uid=made["uid"])
        await call("nc_calendar_find_availability", duration_minutes=30, attendees=guest, time_zone=ZONE)

    assert f"{person['username']}@example.org" in str(stored)
    assert guest in str(stored)
