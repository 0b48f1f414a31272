"""A fake Keycloak and Nextcloud on a real socket, with slow responses."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

import anyio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.minting import Minter, rsa_key
from tests.support.nextcloud import note
from tests.support.server import EVERYTHING

NOTES: Final = "/index.php/apps/notes/api/v1/notes"
SLOW: Final = 5.0
"""Seconds that a slow response takes: for note 2, and for a new note whose title begins with `slow`."""

KEY: Final = rsa_key("the-key")


@dataclass
class Neighbors:
    """A fake Keycloak and Nextcloud on one port.

    Attributes:
        url: the base URL of both.
        slow: the number of slow requests so far.
        held: whether slow requests get no response (until an hour has passed).
        written: the titles of the notes that were created.
    """

    url: str = ""
    slow: int = 0
    held: bool = False
    written: list[str] = field(default_factory=list)

    @property
    def app(self) -> Starlette:
        """The ASGI application of both."""
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._metadata),
                Route("/certs", _always({"keys": [KEY.as_dict(private=False)]})),
                Route("/status.php", _always({"installed": True, "maintenance": False})),
                Route("/ocs/v2.php/cloud/user", _always({"ocs": {"data": {"id": "alice"}}})),
                Route("/ocs/v2.php/cloud/capabilities", _always({"ocs": {"data": {"capabilities": {"notes": {}}}}})),
                Route(f"{NOTES}/{{number}}", self._read),
                Route(NOTES, self._write, methods=["POST"]),
            ]
        )

    def token(self, url: str) -> str:
        """Return a token for the server at `url`, in pass-through mode."""
        return Minter(issuer=self.url, resource=url, key=KEY).mint(scope=EVERYTHING, aud=[url, "nextcloud"], exp=2**33)

    async def _metadata(self, _: Request) -> Response:
        return JSONResponse(
            {"issuer": self.url, "jwks_uri": f"{self.url}/certs", "token_endpoint": f"{self.url}/token"}
        )

    async def _read(self, request: Request) -> Response:
        return await self._answer(request.path_params["number"] == "2")

    async def _write(self, request: Request) -> Response:
        title = (await request.json())["title"]
        response = await self._answer(title.startswith("slow"))
        self.written.append(title)
        return response

    async def _answer(self, is_slow: bool) -> Response:  # noqa: FBT001 - both callers say it in words
        if is_slow:
            self.slow += 1
            await anyio.sleep(3600 if self.held else SLOW)
        return JSONResponse(note(), headers={"ETag": '"1"'})


def _always(content: Any) -> Callable[[Request], Awaitable[Response]]:
    async def answer(_: Request) -> Response:
        return JSONResponse(content)

    return answer
