"""A web page with a recipe on it, which the Nextcloud of the tests can fetch."""

import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from starlette.responses import HTMLResponse
from starlette.types import Receive, Scope, Send

from stack.standin.app import HEADER
from stack.standin.cookbook import PAGE
from tests.support.listening import listening

NAME = "Imported soup"
_RECIPE = {
    "@context": "https://schema.org",
    "@type": "Recipe",
    "name": NAME,
    "recipeIngredient": ["1 l water", "salt"],
    "recipeInstructions": ["Boil.", "Eat."],
}


@asynccontextmanager
async def recipe_page(nextcloud: httpx.AsyncClient) -> AsyncIterator[str]:
    """Return the page's URL: the one that the stand-in knows, or for a real Nextcloud one of our own.

    Cookbook refuses `localhost`, so ours has this machine's name.
    """
    status = await nextcloud.get("/status.php")
    if HEADER in status.headers:
        yield PAGE
        return
    async with listening(_page) as url:
        yield url.replace("localhost", socket.gethostname()) + "/soup"


async def _page(scope: Scope, receive: Receive, send: Send) -> None:
    script = f'<script type="application/ld+json">{json.dumps(_RECIPE)}</script>'
    await HTMLResponse(f"<html><head>{script}</head><body>Soup</body></html>")(scope, receive, send)
