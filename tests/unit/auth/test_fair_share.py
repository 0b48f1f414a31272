"""`auth.fair_share`: limits for the calls of each user and for request bodies."""

import json
from collections.abc import AsyncIterator

import anyio
import httpx
import pytest
from structlog.testing import capture_logs

from nextcloud_mcp.auth import fair_share
from nextcloud_mcp.auth.fair_share import MAX_BODY_WITHOUT_SCOPE
from tests.support.server import EVERYTHING, EXCHANGE, Server, serving

LIMIT = 3


@pytest.fixture
async def strict() -> AsyncIterator[Server]:
    """A server that lets each person make three requests a minute."""
    async with serving({**EXCHANGE, "MCP_CALLS_PER_MINUTE": str(LIMIT)}) as server:
        yield server


@pytest.mark.requirement("limits-tool-calls")
async def test_calls_over_rate_limit_get_429_without_exchange(strict: Server) -> None:
    """The answer is 429 with `Retry-After` and a JSON-RPC error, without an exchange."""
    token = strict.keycloak.mint(scope=EVERYTHING)
    for _ in range(LIMIT):
        assert (await strict.call("nc_whoami", token=token)).status_code == 200
    exchanges = len(strict.keycloak.exchanges())
    with capture_logs() as events:
        response = await strict.call("nc_whoami", token=token)

    assert response.status_code == 429
    assert 0 < int(response.headers["retry-after"]) <= 60 // LIMIT
    assert response.json()["error"]["message"].startswith(
        f"You make more than {LIMIT} calls a minute: make fewer; try again in "
    )
    assert len(strict.keycloak.exchanges()) == exchanges
    assert [event["code"] for event in events if event["event"] == "request.limited"] == ["limit.person"]


@pytest.mark.requirement("limits-tool-calls")
async def test_rate_limit_applies_to_users_not_tokens(strict: Server) -> None:
    """All tokens, clients and scopes of a user share one limit; each user has their own."""
    for client in ("one", "two", "three"):
        token = strict.keycloak.mint(scope=EVERYTHING, azp=client)
        assert (await strict.call("nc_whoami", token=token)).status_code == 200
    again = await strict.call("nc_whoami", token=strict.keycloak.mint(scope="openid", azp="four"))
    other = await strict.call("nc_whoami", token=strict.keycloak.mint(scope=EVERYTHING, sub="somebody-else"))

    assert (again.status_code, other.status_code) == (429, 200)


@pytest.mark.requirement("limits-completion")
async def test_completions_count_towards_rate_limit(strict: Server) -> None:
    """Completions and calls share the limit."""
    token = strict.keycloak.mint(scope=EVERYTHING)
    params = {"ref": {"type": "ref/resource", "uri": "nc://none/{x}"}, "argument": {"name": "x", "value": ""}}
    answers = [await strict.request("completion/complete", params, token=token) for _ in range(LIMIT + 1)]

    assert [answer.status_code == 429 for answer in answers] == [False] * LIMIT + [True]


async def test_large_body_requires_a_tool_scope(server: Server) -> None:
    """A token without any tool scope may send small bodies only."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"x": "y" * MAX_BODY_WITHOUT_SCOPE}})
    refused = await server.post(body, token=server.keycloak.mint(scope="openid"))
    taken = await server.post(body, token=server.keycloak.mint(scope=EVERYTHING))

    assert refused.status_code == 413
    assert taken.status_code != 413


async def test_body_over_memory_limit_is_503(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """If other bodies use all memory, the answer is 503 with `Retry-After`, and the body is not read."""
    monkeypatch.setattr(fair_share, "WAIT_TIMEOUT", 0.2)
    release, refused, waiting = anyio.Event(), anyio.Event(), 0

    async def unfinished() -> AsyncIterator[bytes]:
        nonlocal waiting
        yield b"{"
        waiting += 1
        await release.wait()
        yield b"}"

    async def send(subject: str, answers: list[int]) -> None:
        token = server.keycloak.mint(scope=EVERYTHING, sub=subject)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        answers.append((await server.http.post("/mcp", content=unfinished(), headers=headers)).status_code)
        if len(answers) == 4:  # a chunked body counts as the largest: four of eight fit
            refused.set()

    answers: list[int] = []
    async with anyio.create_task_group() as group:
        for number in range(8):
            group.start_soon(send, f"person-{number}", answers)
        with anyio.fail_after(30):
            await refused.wait()
        assert set(answers) == {503}
        assert waiting == 4
        release.set()
    assert answers.count(503) == 4


async def test_concurrent_calls_of_a_user_are_limited(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some concurrent calls of a user run, some wait, and the others are refused at once."""
    monkeypatch.setattr(fair_share, "MAX_CONCURRENT_CALLS", 2)
    monkeypatch.setattr(fair_share, "MAX_WAITING_CALLS", 3)
    token = server.keycloak.mint(scope=EVERYTHING)
    answers: list[httpx.Response] = []

    async def call() -> None:
        answers.append(await server.call("nc_whoami", token=token))

    async with anyio.create_task_group() as group:
        for _ in range(9):
            group.start_soon(call)
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [429] * 4
