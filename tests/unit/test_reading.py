"""A token with reading scopes only can't make this server send a writing request to Nextcloud, for any tool."""

import re
from pathlib import Path
from typing import Final

import pytest

from nextcloud_mcp.catalogue import APPS
from nextcloud_mcp.nextcloud.retries import SAFE_METHODS
from tests.e2e.later import WALKS
from tests.support.declared import OFFER, RESOURCE_SCOPES, TOOL_SCOPES
from tests.support.recorded import recorded
from tests.support.server import PASS_THROUGH, Server, challenge, serving

READING: Final = " ".join(scope for scope in OFFER.scopes() if scope.endswith(":read"))
WRITING_TOOLS: Final = sorted(name for name, scopes in TOOL_SCOPES.items() if scopes - set(READING.split()))

ASKS_FOR_FREE_BUSY: Final = re.compile(r"POST /remote\.php/dav/calendars/[^/]+/outbox/?")
"""CalDAV asks when people are free by a POST to the asker's own outbox, which keeps nothing (RFC 6638 section 5)."""


@pytest.mark.parametrize("app", sorted(WALKS))
async def test_reading_tools_send_safe_methods_only(app: str, tmp_path: Path) -> None:
    """In a walk through every tool and resource of an app, reading ones send only safe methods."""
    async with recorded(tmp_path) as old:
        await WALKS[app](old)
    declared = {tool.name: tool.annotations for app in APPS for tool in app.tools}
    reading = {name for name, scopes in TOOL_SCOPES.items() if scopes <= set(READING.split())}
    reading |= {name for name, annotations in declared.items() if annotations and annotations.read_only_hint}
    unsafe = {
        name: [each for each in requests if not _is_safe(each)]
        for name, requests in old.sent.items()
        if name in reading or "://" in name
    }
    assert reading & old.sent.keys(), "the walk came by nothing that reads"
    assert {name: requests for name, requests in unsafe.items() if requests} == {}
    writing = {name for name in old.sent if "://" not in name} - reading
    recorded_any = any(not _is_safe(each) for requests in old.sent.values() for each in requests)
    assert recorded_any == bool(writing), "nothing was recorded"


def _is_safe(request: str) -> bool:
    return request.partition(" ")[0] in SAFE_METHODS or ASKS_FOR_FREE_BUSY.fullmatch(request) is not None


def test_resources_require_reading_scopes() -> None:
    """Resources have reading scopes only, so the walk above covers them."""
    assert all(scopes <= set(READING.split()) for scopes in RESOURCE_SCOPES.values())


@pytest.mark.parametrize("tool", WRITING_TOOLS)
async def test_reading_scopes_call_no_writing_tool(server: Server, tool: str) -> None:
    """With all reading scopes, a tool that needs another scope is refused before any request."""
    response = await server.call(tool, token=server.keycloak.mint(scope=READING))
    assert response.status_code == 403
    assert challenge(response)["error"] == "insufficient_scope"
    assert server.nextcloud.requests == []


async def test_read_only_server_calls_no_writing_tool() -> None:
    """Even with all scopes, a read-only server has no writing tools."""
    async with serving({**PASS_THROUGH, "MCP_READ_ONLY": "true"}) as server:
        for tool in WRITING_TOOLS:
            assert (await server.misuse(tool)).startswith(f"There is no tool '{tool}'")
    assert server.nextcloud.requests == []
