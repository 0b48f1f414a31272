"""Signs in with FastMCP, lists the tools and calls one: `fastmcp_client.py URL TOOL`."""

import asyncio
import sys

from fastmcp import Client


async def main(url: str, tool: str) -> None:
    """Use the server as a person of FastMCP would."""
    async with Client(url, auth="oauth") as client:
        await client.list_tools()
        print(await client.call_tool(tool, {}))


asyncio.run(main(*sys.argv[1:]))
