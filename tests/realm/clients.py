"""Clients of the realm: registration and token exchange."""

from collections.abc import Awaitable, Callable

import httpx

LOOPBACK_CALLBACK = "http://localhost:49152/callback"


EXCHANGE_SECRET = "demo-only-exchange-client-secret"


Register = Callable[..., Awaitable[httpx.Response]]


Exchange = Callable[..., Awaitable[httpx.Response]]
