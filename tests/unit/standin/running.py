"""Runs the stand-in in this process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from stack.standin.app import Options, create_app


@asynccontextmanager
async def running(options: Options) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a stand-in that lives as long as the block."""
    app = create_app(options)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        headers = {"OCS-APIRequest": "true"}
        async with httpx.AsyncClient(transport=transport, base_url="http://nextcloud", headers=headers) as client:
            yield client
