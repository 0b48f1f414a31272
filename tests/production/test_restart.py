"""Two replicas behind the shipped Caddyfile, under load: a rolling restart fails no call.

This process is a fake Keycloak and Nextcloud, so that calls can be as slow as the tests need.
"""

import ssl
from contextlib import ExitStack
from dataclasses import dataclass, field

import anyio
import anyio.to_thread
import httpx

from nextcloud_mcp.drain import MAX_DRAIN_SECONDS
from tests.production.deployment import MCP
from tests.production.replicas import (
    URL,
    authority,
    caddy,
    docker,
    errors_logged,
    gateway,
    images,
    neighbors,
    replica,
    until_healthy,
)
from tests.support.mcp_http import result, tool_request
from tests.support.neighbors import Neighbors
from tests.support.server import LEGACY, MODERN

__all__ = ["gateway", "images", "neighbors"]  # fixtures


@dataclass
class Caller:
    """Calls a tool again and again, until the event and once more.

    Attributes:
        answers: how often a call was answered.
    """

    version: str
    keeps: bool
    title: str | None
    answers: int = 0
    failures: list[str] = field(default_factory=list)

    async def work(self, address: str, trust: ssl.SSLContext, token: str, done: anyio.Event) -> None:
        """Write a note, if there is a title, or read one."""
        tool = "nc_notes_create_note" if self.title else "nc_notes_get_note"
        arguments = {"title": self.title, "content": "", "category": ""} if self.title else {"note_id": 1}
        request = tool_request(tool, arguments, token=token, version=self.version, Host=MCP)
        limits = httpx.Limits(max_keepalive_connections=1 if self.keeps else 0)
        async with httpx.AsyncClient(verify=trust, trust_env=False, timeout=90, limits=limits) as http:
            last = False
            while not last:
                last = done.is_set()
                try:
                    response = await http.post(f"{address}/mcp", **request, extensions={"sni_hostname": MCP})
                    assert not result(response).get("isError"), response.text
                    self.answers += 1
                except (httpx.HTTPError, AssertionError) as error:
                    self.failures.append(f"{type(error).__name__}: {error}")


async def test_rolling_restart_fails_no_call(images: dict[str, str], neighbors: Neighbors) -> None:
    """Every call of a dozen callers succeeds: reads and writes, short and long, with and without keep-alive."""
    done = anyio.Event()
    callers = [
        Caller(version=(LEGACY, MODERN)[n % 2], keeps=n % 3 > 0, title=(None, f"by {n}", f"slow {n}")[n // 2 % 3])
        for n in range(12)
    ]
    with ExitStack() as running:
        replicas = [running.enter_context(replica(number, images, neighbors)) for number in (1, 2)]
        proxy = running.enter_context(caddy(images))
        for each in replicas:
            await until_healthy(each)
        trust = await authority(proxy)
        address = f"https://{docker('port', proxy, '443/tcp').splitlines()[0]}"
        async with anyio.create_task_group() as group:
            for caller in callers:
                group.start_soon(caller.work, address, trust, neighbors.token(URL), done)
            for each in replicas:
                before = sum(caller.answers for caller in callers)
                while sum(caller.answers for caller in callers) < before + 30:  # noqa: ASYNC110 - both serve again
                    await anyio.sleep(0.05)
                started = anyio.current_time()
                await anyio.to_thread.run_sync(docker, "stop", each)
                assert anyio.current_time() - started < MAX_DRAIN_SECONDS
                await anyio.to_thread.run_sync(docker, "start", each)
                await until_healthy(each)
            done.set()
        statuses = [docker("inspect", "-f", "{{.State.OOMKilled}} {{.RestartCount}}", each) for each in replicas]
        logged = errors_logged(proxy)

    assert [failure for caller in callers for failure in caller.failures] == [], logged
    assert min(caller.answers for caller in callers) >= 2
    assert len(neighbors.written) == sum(caller.answers for caller in callers if caller.title)
    assert statuses == ["false 0"] * 2
