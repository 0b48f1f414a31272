"""A user who calls without pause does not affect other users."""

from collections import Counter

import anyio

from stack.chain import Chain
from tests.abuse.limited_server import run_limited
from tests.support.mcp_http import call_tool
from tests.support.oauth import sign_in
from tests.support.run import PEOPLE

CALLS = 120


async def test_rate_limit_of_one_user_does_not_affect_others(chain: Chain) -> None:
    """A flood runs only as often as the rate allows, the rest gets 429 with `Retry-After`; bob's calls succeed."""
    with run_limited(chain, mode="exchange", settings={"MCP_CALLS_PER_MINUTE": "30"}) as server:
        alice, bob = [
            (await sign_in(chain.keycloak, **PEOPLE[name], scope=f"{server.scope} files:read"))["access_token"]
            for name in ("alice", "bob")
        ]
        flood: Counter[int] = Counter()
        others: list[int] = []

        async def call_as_alice() -> None:
            answer = await call_tool(server.url, "nc_whoami", token=alice, host=server.host)
            flood[answer.status_code] += 1
            assert answer.status_code == 200 or int(answer.headers["retry-after"]) > 0

        async with anyio.create_task_group() as group:
            for _ in range(CALLS):
                group.start_soon(call_as_alice)
            for _ in range(5):
                answer = await call_tool(server.url, "nc_whoami", token=bob, host=server.host)
                others.append(answer.status_code)

        assert others == [200] * 5
        assert set(flood) == {200, 429}
        assert flood[200] < CALLS / 2
        assert server.is_running
