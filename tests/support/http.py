"""HTTP clients with time-outs for a busy machine; httpx's default is five seconds."""

import os
import ssl
from functools import cache
from typing import Any, Final

import httpx

TIMEOUT_SECONDS: Final = 120.0
"""Time-out for one response; only a server that hangs takes longer."""


@cache
def _certificates(file: str | None) -> ssl.SSLContext:
    """Load the certificates once for each `SSL_CERT_FILE`; httpx loads them for each client, which is slow."""
    return ssl.create_default_context(cafile=file)


def patient_client(**options: Any) -> httpx.AsyncClient:
    """Return a client that ignores proxies in the environment; `options` are httpx's."""
    defaults: dict[str, Any] = {
        "trust_env": False,
        "timeout": TIMEOUT_SECONDS,
        "verify": _certificates(os.environ.get("SSL_CERT_FILE")),
    }
    return httpx.AsyncClient(**defaults | options)
