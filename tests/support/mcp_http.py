"""MCP in raw HTTP, for tests of statuses and headers, and of requests that no client would send."""

from typing import Any, Final

import httpx

from stack.json_rpc import message_in
from tests.support.http import patient_client
from tests.support.server import LEGACY, MODERN, meta

HEADERS: Final = {
    "Accept": "application/json, text/event-stream",
    "Content-Type": "application/json",
    "MCP-Protocol-Version": LEGACY,
}


def message(method: str, **params: Any) -> dict[str, Any]:
    """Return a JSON-RPC request."""
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


async def post(url: str, body: object, *, token: str | None = None, **headers: str) -> httpx.Response:
    """Post a JSON-RPC message to an MCP endpoint, and return the response."""
    credentials = {"Authorization": f"Bearer {token}"} if token else {}
    async with patient_client() as http:
        return await http.post(url, json=body, headers=HEADERS | credentials | headers)


async def call_tool(url: str, tool: str, *, token: str, host: str | None = None, **arguments: Any) -> httpx.Response:
    """Call a tool; `host` is the server's public host if `url` has another one."""
    headers = {"Host": host} if host else {}
    return await post(url, message("tools/call", name=tool, arguments=arguments), token=token, **headers)


def tool_request(
    tool: str, arguments: dict[str, Any], *, token: str, version: str = LEGACY, **headers: str
) -> dict[str, Any]:
    """Return the arguments of httpx's `post` for a tool call in either protocol version."""
    body = message("tools/call", name=tool, arguments=arguments)
    sent = HEADERS | {"Authorization": f"Bearer {token}", "MCP-Protocol-Version": version} | headers
    if version == MODERN:
        body["params"]["_meta"] = meta()
        sent |= {"Mcp-Method": "tools/call", "Mcp-Name": tool}
    return {"json": body, "headers": sent}


def result(response: httpx.Response) -> dict[str, Any]:
    """Return the JSON-RPC result of a response, which may be JSON or one SSE event."""
    assert response.status_code == 200, (response.status_code, response.text)
    answer = message_in(response.text)
    assert "result" in answer, answer
    content: dict[str, Any] = answer["result"]
    return content


def challenge(response: httpx.Response) -> dict[str, str]:
    """Return the parameters of a `WWW-Authenticate: Bearer` header (RFC 9110 section 11.6.1)."""
    scheme, _, parameters = response.headers["www-authenticate"].partition(" ")
    assert scheme == "Bearer"
    pairs = (pair.partition("=") for pair in parameters.split(", "))
    return {name: value.strip('"') for name, _, value in pairs}
