"""A server that only the SDK makes, with which the benchmark compares: `python -m bench.bare URL PORT TOOLS`.

It checks no token, no argument and no answer. Its tool `raw` sends the HTTP requests that a tool of the real server
sends, and returns the number of bytes. `empty` sends none. Event loop and HTTP parser are those of the real server.
"""

import sys

import httpx
import uvicorn
from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings

from bench.workloads import RAW, TOKEN_PATH

EVENT_LOOP = "asyncio"


def create_server(url: str, tools: int) -> MCPServer:
    """Return a server with these two tools, and with others that only lengthen its list."""
    server = MCPServer("bare", log_level="ERROR")
    nextcloud = httpx.AsyncClient(
        base_url=url,
        headers={"OCS-APIRequest": "true", "Authorization": "Bearer x"},
        limits=httpx.Limits(max_connections=None),  # otherwise, a crowd would wait here until it times out
    )

    @server.tool()
    def empty() -> str:
        return "ok"

    @server.tool()
    async def raw(workload: str, *, exchange: bool) -> str:
        if exchange:
            await nextcloud.post(TOKEN_PATH, data={"subject_token": "x"})
        method, path, body = RAW[workload]
        return str(len((await nextcloud.request(method, path, content=body)).content))

    for number in range(tools):
        server.tool(name=f"tool_{number}")(empty)
    return server


if __name__ == "__main__":
    app = create_server(sys.argv[1], int(sys.argv[3])).streamable_http_app(
        stateless_http=True,
        json_response=True,
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(sys.argv[2]),
        http="h11",
        ws="none",
        loop=EVENT_LOOP,
        log_config=None,
        access_log=False,
    )
