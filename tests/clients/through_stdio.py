"""Lists the tools of a local server and calls one: `through_stdio.py TOOL COMMAND ARGUMENT…`."""

import os
import sys

import anyio
from mcp import StdioServerParameters
from mcp.client import Client
from mcp.client.stdio import stdio_client


async def main(*words: str) -> None:
    """Run the command as a local MCP server, whose standard error is shown."""
    tool, command, *arguments = words
    server = StdioServerParameters(command=command, args=arguments, env=dict(os.environ))
    async with Client(stdio_client(server), mode="legacy") as client:
        await client.list_tools()
        await client.call_tool(tool, {})


anyio.run(main, *sys.argv[1:])
