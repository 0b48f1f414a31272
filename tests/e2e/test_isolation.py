"""Many users at once: no user's data reaches another, and the server keeps no token."""

import json
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import anyio
import httpx
import pytest

from nextcloud_mcp.connections import ExclusiveConnections
from stack.chain import Chain
from stack.config import EXCHANGE_CLIENT_SECRET
from stack.process import free_port
from stack.servers import run_server
from tests.e2e.servers import EVERYTHING, Server, TokenFor
from tests.support.browser import Browser
from tests.support.eventually import MAX_SECONDS, eventually
from tests.support.fault_proxy import FaultProxy, run_fault_proxy
from tests.support.http import patient_client
from tests.support.mcp_http import result, tool_request
from tests.support.oauth import sign_in
from tests.support.server import LEGACY, MODERN
from tests.support.threads import in_thread
from tests.support.watched import FINDINGS

PEOPLE: Final = 50
ROUNDS: Final = {"stand-in": 4, "nextcloud": 1}
"""How often each person asks for everything of theirs, at each server: a real Nextcloud is slower by a multiple."""

CALLS_AT_ONCE: Final = {"stand-in": 2 * 50, "nextcloud": 12}
"""How many of a hundred members call at the same time: a real Nextcloud on two cores makes the others wait for so long
that calls end for want of time."""

SIGN_INS_AT_ONCE: Final = {"stand-in": 4, "nextcloud": 1}
"""A real Nextcloud needs all of two cores to make an account; several at once would exceed the timeout of a call."""
CROWD_PASSWORD: Final = "crowd-demo-password"

MARK: Final = re.compile(r"content-of-(crowd-\d\d)")
"""What everything that a person writes says, and nothing that anybody else may read."""


LOCKED: Final = "is locked by somebody who is writing to it: try again shortly"
LOCKED_SECONDS: Final = 120


@dataclass
class Member:
    """One of the crowd, at one server; `sign_in` returns a new token."""

    name: str
    server: Server
    token: str
    sign_in: Callable[[], Awaitable[str]]
    http: httpx.AsyncClient
    turns: anyio.Semaphore

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool; nothing in the whole answer may be another's."""
        version = MODERN if tool.endswith("e") else LEGACY  # both eras, interleaved
        async with self.turns:
            request = tool_request(tool, arguments, token=self.token, version=version)
            response = await self.http.post(self.server.url, **request)
            if response.status_code == httpx.codes.UNAUTHORIZED:  # a real Nextcloud takes longer than a token lives
                self.token = await self.sign_in()
                request = tool_request(tool, arguments, token=self.token, version=version)
                response = await self.http.post(self.server.url, **request)
            with anyio.fail_after(LOCKED_SECONDS):
                while LOCKED in response.text:  # by the person's other member, who makes the folder of the notes
                    response = await self.http.post(self.server.url, **request)
        answer = result(response)
        assert not answer.get("isError"), answer
        assert set(MARK.findall(response.text)) <= {self.name}, "somebody else's"
        structured: dict[str, Any] = answer["structuredContent"]
        return structured

    async def live(self, rounds: int) -> None:
        """Write a file and a note, read them back again and again, and clear up."""
        path = f"{self.name}-{self.server.mode}.txt"
        mine = f"content-of-{self.name} by {self.server.mode}"
        await self.call("nc_webdav_write_file", path=path, content=mine)
        note = await self.call("nc_notes_create_note", title=path, content=mine, category="")
        for _ in range(rounds):
            who = await self.call("nc_whoami")
            file = await self.call("nc_webdav_read_file", path=path)
            read = await self.call("nc_notes_get_note", note_id=note["id"])
            listing = await self.call("nc_webdav_list_directory", path="")
            assert who["user_id"] == self.name
            assert (file["content"], read["content"]) == (mine, mine)
            assert {name for name in names(listing) if name.startswith("crowd-")} <= own_names(self.name)
        await self.call("nc_notes_delete_note", note_id=note["id"])
        await self.call("nc_webdav_delete_resource", path=path)


def names(listing: dict[str, Any]) -> list[str]:
    """Return the names of a listing."""
    return [file["name"] for file in listing["files"]]


def own_names(person: str) -> set[str]:
    """Return the names of the files that a person writes, through the two servers at the same time."""
    return {f"{person}-{mode}.txt" for mode in ("exchange", "pass-through")}


@pytest.fixture
async def crowd(chain: Chain, exchange: Server, pass_through: Server) -> AsyncIterator[list[Member]]:
    """Fifty people in one import, each signed in at both servers on Keycloak's own pages."""
    admin = chain.keycloak.admin()
    people = [f"crowd-{number:02}" for number in range(PEOPLE)]
    admin.partial_import_realm(
        chain.keycloak.realm, {"ifResourceExists": "OVERWRITE", "users": [person(name) for name in people]}
    )
    members: list[Member] = []
    at_once = anyio.Semaphore(SIGN_INS_AT_ONCE[chain.nextcloud.kind])
    turns = anyio.Semaphore(CALLS_AT_ONCE[chain.nextcloud.kind])

    async def token_for(name: str, scope: str, alone: anyio.Lock, browser: Browser | None = None) -> str:
        account = {"username": name, "password": CROWD_PASSWORD}
        async with alone:  # Keycloak's brute-force protection refuses one of two simultaneous sign-ins of a user
            return str((await sign_in(chain.keycloak, **account, scope=scope, browser=browser))["access_token"])

    async def join(name: str, http: httpx.AsyncClient) -> None:
        async with at_once:
            browser, alone = Browser(), anyio.Lock()
            for server in (exchange, pass_through):
                signed_in = partial(token_for, name, f"{server.scope} {EVERYTHING}", alone)
                member = Member(name, server, await signed_in(browser), signed_in, http, turns)
                members.append(member)
            await member.call("nc_whoami")  # makes the account in Nextcloud, which takes it a while

    # Fewer connections than members, so that they pass from one to the next; given up before the server does.
    limits = httpx.Limits(max_connections=PEOPLE, max_keepalive_connections=PEOPLE, keepalive_expiry=1)
    timeout = httpx.Timeout(120, pool=None)  # a member may have to wait for a connection for as long as others need
    async with httpx.AsyncClient(transport=ExclusiveConnections(limits), timeout=timeout) as http:
        async with anyio.create_task_group() as group:
            for name in people:
                group.start_soon(join, name, http)
        yield members
    for user in admin.get_users({"search": "crowd-", "max": PEOPLE}):
        admin.delete_user(user["id"])


def person(name: str) -> dict[str, Any]:
    """Return a user as Keycloak imports one."""
    return {
        "username": name,
        "enabled": True,
        "email": f"{name}@example.org",
        "emailVerified": True,
        "firstName": "One",
        "lastName": "Ofmany",
        "credentials": [{"type": "password", "value": CROWD_PASSWORD, "temporary": False}],
    }


async def test_fifty_parallel_users_get_only_their_own_data(
    chain: Chain, crowd: list[Member], record_property: Callable[[str, object], None]
) -> None:
    """In 2000 interleaved calls through both servers, every user gets only their own data."""
    rounds = ROUNDS[chain.nextcloud.kind]
    started = time.perf_counter()
    async with anyio.create_task_group() as group:
        for member in crowd:
            group.start_soon(member.live, rounds)
    record_property("calls_per_second", len(crowd) * (4 + 4 * rounds) / (time.perf_counter() - started))

    assert len({(member.name, member.server.mode) for member in crowd}) == 2 * PEOPLE


@dataclass(frozen=True)
class Watched:
    """A server that tells what tokens it holds.

    Attributes:
        url: where it listens.
        host: its public name.
        findings: the file that it tells by.
        nextcloud: the proxy in front of Nextcloud.
    """

    url: str
    host: str
    findings: Path
    nextcloud: FaultProxy

    async def holders(self) -> list[str]:
        """Return the types of the objects that hold a token now."""
        pid, *known = self.findings.read_text().splitlines()
        os.kill(int(pid), signal.SIGUSR1)

        async def news() -> list[str] | None:
            lines = self.findings.read_text().splitlines()[1 + len(known) :]
            return lines or None

        (finding,) = await eventually(news)
        holders: list[str] = json.loads(finding)
        return holders

    async def is_held_by(self, types: set[str]) -> bool:
        """Say whether tokens are held by objects of just these types."""
        return set(await self.holders()) == types


@pytest.fixture
async def watched(chain: Chain, server: Server, tmp_path: Path) -> AsyncIterator[Watched]:
    """A server in each mode, in which there can be looked for tokens."""
    async with run_watched(chain, server, tmp_path / "findings") as running:
        yield running


@asynccontextmanager
async def run_watched(chain: Chain, server: Server, findings: Path) -> AsyncIterator[Watched]:
    """Run such a server for as long as the block lasts."""
    async with AsyncExitStack() as stack:
        nextcloud = await stack.enter_async_context(run_fault_proxy(chain.nextcloud.url))
        settings = {
            "NEXTCLOUD_HOST": nextcloud.url,
            "OIDC_DISCOVERY_URL": chain.keycloak.discovery_url,
            FINDINGS: str(findings),
        }
        if server.mode == "exchange":
            settings |= {"ENABLE_TOKEN_EXCHANGE": "true", "OIDC_CLIENT_SECRET": EXCHANGE_CLIENT_SECRET}
        command = (sys.executable, "-m", "tests.support.watched")
        name = f"watched-{server.mode}"
        running = run_server(name, server.url, free_port(), settings, logs=chain.config.state, command=command)
        url = await stack.enter_async_context(in_thread(running))
        yield Watched(url, server.origin.removeprefix("http://"), findings, nextcloud)


@pytest.mark.parametrize("version", [LEGACY, MODERN])
async def test_no_token_stays_in_memory_after_a_call(watched: Watched, token_of: TokenFor, version: str) -> None:
    """The tokens are found in memory during a call, which proves the search; after the call nothing refers to them.

    One exception: the web server keeps the headers of a connection's last request, and the bytes that it read from it,
    until the next request or until ten seconds after the connection has ended. An exchanged token is gone at once.
    """
    token = await token_of()
    call = partial(tool_request, token=token, version=version, Host=watched.host)
    async with patient_client() as http:
        for tool in ("nc_whoami", "nc_notes_search_notes", "nc_webdav_list_directory"):
            result(await http.post(watched.url, **call(tool, {"query": ""} if "search" in tool else {})))
        with watched.nextcloud.holding() as held:
            async with anyio.create_task_group() as group:
                group.start_soon(partial(http.post, watched.url, **call("nc_whoami", {})))
                with anyio.fail_after(MAX_SECONDS):
                    await held.arrived.wait()
                during = await watched.holders()
                held.released.set()
        await eventually(partial(watched.is_held_by, {"Principal", "tuple"}))
    await eventually(partial(watched.is_held_by, set()))

    assert {"Admission", "Nextcloud", "Principal"} <= set(during)
