"""The name this server answers to."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_DEFAULT_PORTS = {"http": 80, "https": 443}


class PublicHost:
    """ASGI middleware: answers to the public name alone, so that no other can be pointed here (DNS rebinding).

    In place of the SDK's check, which comes after the token exchange, and which admits no `Origin` but those of a
    list. Origins need no limit here: a page elsewhere has no token, and there is no cookie that it could ride on.
    """

    def __init__(self, app: ASGIApp, *, url: str) -> None:
        self._app = app
        parts = urlsplit(url)
        self._hosts = {parts.netloc.lower()}
        if parts.port == _DEFAULT_PORTS[parts.scheme]:
            self._hosts.add(parts.netloc.lower().rpartition(":")[0])  # as clients write it

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it (RFC 9110 section 15.5.20)."""
        if Headers(scope=scope).get("host", "").lower() in self._hosts:
            await self._app(scope, receive, send)
            return
        refusal = PlainTextResponse("This server does not answer to that host name.", status_code=421)
        await refusal(scope, receive, send)
