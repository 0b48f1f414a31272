"""Signs in with the Python SDK, lists the tools and calls one: `python_sdk.py URL TOOL`."""

import asyncio
import sys
import webbrowser
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
from mcp.client import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata


class Memory:
    """The provider's storage, for as long as the program runs."""

    def __init__(self) -> None:
        self._kept: dict[str, Any] = {}

    async def get_tokens(self) -> Any:
        """Return the tokens."""
        return self._kept.get("tokens")

    async def set_tokens(self, tokens: Any) -> None:
        """Keep the tokens."""
        self._kept["tokens"] = tokens

    async def get_client_info(self) -> Any:
        """Return the registration."""
        return self._kept.get("client")

    async def set_client_info(self, client_info: Any) -> None:
        """Keep the registration."""
        self._kept["client"] = client_info


async def main(url: str, tool: str) -> None:
    """Listen for the redirect on a free port of loopback, and use the server."""
    arrived: asyncio.Future[AuthorizationCodeResult] = asyncio.get_running_loop().create_future()

    async def redirected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = (await reader.readline()).split()[1].decode()
        query = {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\nSigned in.")
        await writer.drain()
        writer.close()
        if "code" in query and not arrived.done():
            arrived.set_result(
                AuthorizationCodeResult(code=query["code"], state=query.get("state"), iss=query.get("iss"))
            )

    async def open_browser(page: str) -> None:
        webbrowser.open(page)

    async def code() -> AuthorizationCodeResult:
        return await arrived

    async with await asyncio.start_server(redirected, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        provider = OAuthClientProvider(
            url,
            OAuthClientMetadata.model_validate(
                {"client_name": "Python SDK", "redirect_uris": [f"http://127.0.0.1:{port}/callback"]}
            ),
            Memory(),
            open_browser,
            code,
        )
        async with (
            httpx2.AsyncClient(auth=provider, timeout=60) as http,
            Client(streamable_http_client(url, http_client=http)) as client,
        ):
            await client.list_tools()
            print(await client.call_tool(tool, {}))


asyncio.run(main(*sys.argv[1:]))
