"""Check the Host and Origin headers (MCP, "Streamable HTTP", security warning)."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_DEFAULT_PORTS = {"http": 80, "https": 443}
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class PublicHost:
    """ASGI middleware: accepts requests only for the public host name, as protection from DNS rebinding.

    It replaces the SDK's check, which comes after the token exchange and can't allow loopback origins on any port.
    Browser-based clients such as the MCP Inspector have such origins.
    """

    def __init__(self, app: ASGIApp, *, url: str, origins: Iterable[str] = ()) -> None:
        """Accept requests for `url` without an origin, or from its own origin, loopback or `origins`."""
        self._app = app
        parts = urlsplit(url)
        self._hosts = {parts.netloc.lower()}
        if parts.port == _DEFAULT_PORTS[parts.scheme]:
            self._hosts.add(parts.netloc.lower().rpartition(":")[0])  # clients omit the default port
        self._origins = {f"{parts.scheme}://{host}" for host in self._hosts} | {origin.lower() for origin in origins}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        headers = Headers(scope=scope)
        if headers.get("host", "").lower() not in self._hosts:  # RFC 9110 section 15.5.20
            refusal = PlainTextResponse("This server does not answer to that host name.", status_code=421)
            await refusal(scope, receive, send)
            return
        origins = headers.getlist("origin")
        if not all(self._is_allowed_origin(origin) for origin in origins):
            refusal = PlainTextResponse("This server takes no requests from pages of that origin.", status_code=403)
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _is_allowed_origin(self, origin: str) -> bool:
        """Return whether pages of an origin may call; `null` may not."""
        try:
            return origin.lower() in self._origins or urlsplit(origin).hostname in _LOOPBACK
        except ValueError:  # not a URL
            return False
