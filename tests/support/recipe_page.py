"""A web page with a recipe that the tests' Nextcloud can fetch without access to the internet.

Cookbook refuses `localhost` and IP addresses, so the page needs a host name that Nextcloud resolves: this machine's, or
the one of a container in Nextcloud's network.
"""

import json
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Final

import pytest
from starlette.responses import HTMLResponse
from starlette.types import Receive, Scope, Send

from stack.process import LOOPBACK
from stack.standin.cookbook import PAGE
from tests.support.composed import Project
from tests.support.listening import listening

NAME: Final = "Imported soup"
_RECIPE: Final = {
    "@context": "https://schema.org",
    "@type": "Recipe",
    "name": NAME,
    "recipeIngredient": ["1 l water", "salt"],
    "recipeInstructions": ["Boil.", "Eat."],
}
_HTML: Final = (
    f'<html><head><script type="application/ld+json">{json.dumps(_RECIPE)}</script></head><body>Soup</body></html>'
)
_HOST: Final = "recipes"
_SERVE: Final = 'printf %s "$PAGE" > /tmp/soup.html && exec python -m http.server 80 --directory /tmp'
_WAIT: Final = """
import time, urllib.request
for attempt in range(600):
    try:
        urllib.request.urlopen("http://localhost/soup.html")
        break
    except OSError:
        time.sleep(0.1)
else:
    raise SystemExit("the page does not answer")
"""

RecipePage = Callable[[], AbstractAsyncContextManager[str]]
"""A context manager that serves the page and yields its URL."""


@asynccontextmanager
async def known_page() -> AsyncIterator[str]:
    """Yield the URL of the recipe that is built into the stand-in."""
    yield PAGE


@asynccontextmanager
async def page_on_this_machine() -> AsyncIterator[str]:
    """Serve the page under this machine's host name, for a Nextcloud on this machine."""
    host = socket.gethostname()
    try:
        address = socket.gethostbyname(host)
    except OSError:
        address = "nothing"
    if address != LOOPBACK:
        pytest.skip(f"Cookbook refuses localhost, and this machine's name {host} leads to {address}, not to {LOOPBACK}")
    async with listening(_page) as url:
        yield url.replace("localhost", host) + "/soup"


async def _page(scope: Scope, receive: Receive, send: Send) -> None:
    await HTMLResponse(_HTML)(scope, receive, send)


def page_in_container(project: Project) -> RecipePage:
    """Return a context manager that serves the page in a container, on the network of a compose project."""

    @asynccontextmanager
    async def page() -> AsyncIterator[str]:
        with _container(project):
            yield f"http://{_HOST}/soup.html"

    return page


@contextmanager
def _container(project: Project) -> Iterator[None]:
    where = ["--network", f"{project.name}_default", "--network-alias", _HOST, "--env", f"PAGE={_HTML}"]
    run = ["docker", "run", "--detach", "--rm", *where, project.environment["PYTHON_IMAGE"], "sh", "-c", _SERVE]
    container = subprocess.run(run, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603 - docker
    try:
        wait = ["docker", "exec", container, "python", "-c", _WAIT]
        subprocess.run(wait, check=True, capture_output=True)  # noqa: S603 - docker
        yield
    finally:
        subprocess.run(["docker", "rm", "--force", container], check=True, capture_output=True)  # noqa: S603, S607
