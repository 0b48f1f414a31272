"""Clients of the realm: registration and token exchange."""

from collections.abc import Awaitable, Callable

import httpx

EXCHANGE_SECRET = "demo-only-exchange-client-secret"

Register = Callable[..., Awaitable[httpx.Response]]

Exchange = Callable[..., Awaitable[httpx.Response]]
