"""Bodies of requests can't fill the memory that the server is shipped with."""

import json

import anyio
import pytest

from stack.chain import Chain
from tests.abuse.conftest import LimitedServer
from tests.conftest import PEOPLE
from tests.support.mcp_http import call_tool, result
from tests.support.oauth import sign_in

MAX_BODY = 4 * 2**20


async def _sign_in(chain: Chain, server: LimitedServer, scope: str) -> str:
    token: str = (await sign_in(chain.keycloak, **PEOPLE["alice"], scope=f"{server.scope} {scope}"))["access_token"]
    return token


async def test_parallel_writes_of_the_largest_size(limited_exchange: LimitedServer, chain: Chain) -> None:
    """Ten writes of nearly 4 MB at a time are done or refused with 503, and the server goes on."""
    server = limited_exchange
    token = await _sign_in(chain, server, "files:read files:write")
    statuses: list[int] = []

    async def write(number: int) -> None:
        answer = await call_tool(
            server.url,
            "nc_webdav_write_file",
            token=token,
            host=server.host,
            path=f"/large-{number}.txt",
            content="x" * (MAX_BODY - 1000),
        )
        statuses.append(answer.status_code)

    async with anyio.create_task_group() as group:
        for number in range(10):
            group.start_soon(write, number)

    assert set(statuses) <= {200, 503}
    assert 200 in statuses
    await _assert_serves(server, token)


@pytest.mark.parametrize("scope", ["openid", "files:read"])
async def test_unfinished_bodies(limited_exchange: LimitedServer, chain: Chain, scope: str) -> None:
    """Forty bodies of 4 MB that never end leave the server in its memory, whether their token has a scope or none."""
    server = limited_exchange
    token = await _sign_in(chain, server, scope)
    head = (
        f"POST /mcp HTTP/1.1\r\nHost: {server.host}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {MAX_BODY}\r\n\r\n"
    ).encode()
    streams = []
    try:
        for _ in range(40):
            stream = await anyio.connect_tcp("127.0.0.1", server.port)
            streams.append(stream)
            with anyio.move_on_after(1):  # the server need not read it
                await stream.send(head + b" " * (MAX_BODY - 1))
        assert server.is_running
        assert server.peak_bytes < server.limit_bytes
    finally:
        for stream in streams:
            await stream.aclose()
    await _assert_serves(server, token)


async def test_body_of_many_small_values(limited_exchange: LimitedServer, chain: Chain) -> None:
    """Lists in JSON take far more memory than their text; a body of a million is refused."""
    server = limited_exchange
    token = await _sign_in(chain, server, "files:read")
    answer = await call_tool(server.url, "nc_whoami", token=token, host=server.host, x=[[]] * (MAX_BODY // 5))

    assert answer.status_code == 400
    assert "values" in json.loads(answer.text)["error"]["message"]
    await _assert_serves(server, token)


async def _assert_serves(server: LimitedServer, token: str) -> None:
    answer = await call_tool(server.url, "nc_whoami", token=token, host=server.host)
    assert result(answer)["structuredContent"]["user_id"] == "alice"
