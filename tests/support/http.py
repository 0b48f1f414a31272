"""HTTP clients that wait for a busy machine: httpx itself gives up an answer after five seconds."""

import ssl
from typing import Any, Final

import httpx

TIMEOUT_SECONDS: Final = 120.0
"""How long a test waits for one answer; only a server that hangs takes longer."""


_CERTIFICATES: Final = ssl.create_default_context()
"""Read once: httpx would read all of them for each client, which takes it longer than a call."""


def patient_client(**options: Any) -> httpx.AsyncClient:
    """Return a client that uses no proxy of the environment; `options` are httpx's."""
    defaults: dict[str, Any] = {"trust_env": False, "timeout": TIMEOUT_SECONDS, "verify": _CERTIFICATES}
    return httpx.AsyncClient(**defaults | options)
