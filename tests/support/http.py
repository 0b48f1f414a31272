"""HTTP clients that wait for a busy machine: httpx itself gives up an answer after five seconds."""

import os
import ssl
from functools import cache
from typing import Any, Final

import httpx

TIMEOUT_SECONDS: Final = 120.0
"""How long a test waits for one answer; only a server that hangs takes longer."""


@cache
def _certificates(file: str | None) -> ssl.SSLContext:
    """Read the certificates once for each `SSL_CERT_FILE`: httpx does so for each client, and slower than a call is."""
    return ssl.create_default_context(cafile=file)


def patient_client(**options: Any) -> httpx.AsyncClient:
    """Return a client that uses no proxy of the environment; `options` are httpx's."""
    defaults: dict[str, Any] = {
        "trust_env": False,
        "timeout": TIMEOUT_SECONDS,
        "verify": _certificates(os.environ.get("SSL_CERT_FILE")),
    }
    return httpx.AsyncClient(**defaults | options)
