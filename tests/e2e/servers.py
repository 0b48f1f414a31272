"""The servers of end-to-end tests, and the types of the fixtures that connect to them."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Literal

import httpx
from mcp.client import Client

from tests.support.declared import OFFER

EVERYTHING = " ".join(OFFER.scopes())


Connect = Callable[[str], AbstractAsyncContextManager[Client]]


TokenFor = Callable[..., Awaitable[str]]


NextcloudOf = Callable[[str], AbstractAsyncContextManager[httpx.AsyncClient]]


@dataclass(frozen=True)
class Server:
    """One of the two servers, as somebody with an MCP client knows it."""

    mode: Literal["exchange", "pass-through"]
    url: str

    @property
    def scope(self) -> str:
        """The scope that makes a token meant for this server."""
        return f"nextcloud-mcp:{self.mode}"

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return self.url.removesuffix("/mcp")
