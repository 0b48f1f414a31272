"""Request bodies cannot exhaust the server's shipped memory limit."""

import json
from contextlib import AsyncExitStack

import anyio
import pytest
from starlette.responses import Response

from stack.chain import Chain
from tests.abuse.limited_server import LimitedServer, run_limited
from tests.support.fault_proxy import run_fault_proxy
from tests.support.mcp_http import call_tool, message, post, result
from tests.support.oauth import sign_in
from tests.support.run import PEOPLE
from tests.support.threads import in_thread

MAX_BODY = 4 * 2**20
TOOL = "nc_webdav_list_directory"


async def _sign_in(chain: Chain, server: LimitedServer, scope: str) -> str:
    token: str = (await sign_in(chain.keycloak, **PEOPLE["alice"], scope=f"{server.scope} {scope}"))["access_token"]
    return token


async def test_parallel_writes_of_the_largest_size(limited_exchange: LimitedServer, chain: Chain) -> None:
    """Ten parallel writes of nearly 4 MB succeed or get 503, and the server continues to work."""
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
async def test_unfinished_bodies_stay_within_the_memory_limit(
    limited_exchange: LimitedServer, chain: Chain, scope: str
) -> None:
    """Forty unfinished bodies of 4 MB stay within the memory limit, with and without a scope in the token."""
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


async def test_json_with_a_million_values_is_refused(limited_exchange: LimitedServer, chain: Chain) -> None:
    """JSON lists need far more memory than their text, so a body with a million values is refused."""
    server = limited_exchange
    token = await _sign_in(chain, server, "files:read")
    answer = await call_tool(server.url, "nc_whoami", token=token, host=server.host, x=[[]] * (MAX_BODY // 5))

    assert answer.status_code == 400
    assert "values" in json.loads(answer.text)["error"]["message"]
    await _assert_serves(server, token)


FILES = 33_000
_RESPONSE = (
    "<d:response><d:href>/remote.php/dav/files/alice/many/file-{0:05}.txt</d:href><d:propstat><d:prop><d:resourcetype/>"
    "<d:getcontentlength>12</d:getcontentlength><d:getcontenttype>text/plain</d:getcontenttype>"
    "<d:getlastmodified>Thu, 26 Nov 2026 22:00:00 GMT</d:getlastmodified><d:getetag>&quot;6564c0ffee{0:05}&quot;"
    "</d:getetag><oc:fileid>{0}</oc:fileid><oc:favorite>0</oc:favorite></d:prop>"
    "<d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
)


def _folder_of_many_files(path: str, real: Response) -> Response:
    """Answer as Nextcloud does for a folder of 33,000 files, of which the stand-in would take minutes to make one."""
    if not path.endswith("/many"):
        return real
    itself = _RESPONSE.format(0).replace("/file-00000.txt", "/")
    itself = itself.replace("<d:resourcetype/>", "<d:resourcetype><d:collection/></d:resourcetype>")
    namespaces = 'xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns"'
    files = "".join(map(_RESPONSE.format, range(FILES)))
    return Response(f"<d:multistatus {namespaces}>{itself}{files}</d:multistatus>", 207, media_type="application/xml")


async def test_parallel_listings_of_a_large_folder(chain: Chain) -> None:
    """Six parallel listings of a folder with 33,000 files are answered one after the other.

    Meanwhile the server answers health checks: no listing blocks the event loop.
    """
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(run_fault_proxy(chain.nextcloud.url))
        running = run_limited(chain, mode="exchange", settings={"NEXTCLOUD_HOST": proxy.url})
        server = await stack.enter_async_context(in_thread(running))
        stack.enter_context(proxy.altering(_folder_of_many_files))
        token = await _sign_in(chain, server, "files:read")
        totals: list[int | None] = []

        async def list_it() -> None:
            answer = result(await call_tool(server.url, TOOL, token=token, host=server.host, path="many"))
            totals.append(None if answer.get("isError") else answer["structuredContent"]["total_count"])

        async with anyio.create_task_group() as group:
            for _ in range(6):
                group.start_soon(list_it)
            await _assert_serves(server, token)

        assert set(totals) <= {FILES, None}
        assert FILES in totals
        await _assert_serves(server, token)
        assert server.is_running
        assert server.peak_bytes <= server.limit_bytes


@pytest.mark.parametrize("tool", ["nc_calendar_create_event", "nc_calendar_create_meeting"])
async def test_event_with_too_many_attendees_is_refused(
    limited_exchange: LimitedServer, chain: Chain, tool: str
) -> None:
    """A list of 250,000 attendees (1 MB) is refused with one sentence."""
    server = limited_exchange
    token = await _sign_in(chain, server, "calendar:read calendar:write")
    arguments = {
        "calendar_name": "personal",
        "title": "All",
        "start_datetime": "2026-12-01T10:00",
        "date": "2026-12-01",
        "time": "10:00",
        "attendees": "a@b," * 250_000,
    }
    wanted = {name: arguments[name] for name in await _parameters(server, token, tool) & arguments.keys()}
    answer = await call_tool(server.url, tool, token=token, host=server.host, **wanted)

    assert result(answer)["isError"] is True
    (content,) = result(answer)["content"]
    assert len(content["text"]) < 500
    await _assert_serves(server, token)


async def _parameters(server: LimitedServer, token: str, tool: str) -> set[str]:
    """Return the names of a tool's parameters."""
    listed = result(await post(server.url, message("tools/list"), token=token, Host=server.host))
    (found,) = (each for each in listed["tools"] if each["name"] == tool)
    return set(found["inputSchema"]["properties"])


async def _assert_serves(server: LimitedServer, token: str) -> None:
    answer = await call_tool(server.url, "nc_whoami", token=token, host=server.host)
    assert result(answer)["structuredContent"]["user_id"] == "alice"
