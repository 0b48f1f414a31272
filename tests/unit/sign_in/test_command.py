"""`sign_in.command`: how the `token` command works with a browser on the same machine."""

import os
import sys
from pathlib import Path
from typing import Final

import anyio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.listening import listening

PROGRAM: Final = "import sys; from nextcloud_mcp.cli import main; sys.exit(main())"

BROWSER: Final = """#!{python}
import sys
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen
print("noise of a browser")
query = {{name: values[0] for name, values in parse_qs(urlsplit(sys.argv[1]).query).items()}}
urlopen(f"{{query['redirect_uri']}}?code=the-code&state={{query['state']}}")
"""
"""A browser in which the person has signed in already: it is sent back at once."""


def authorization_server(forms: list[dict[str, str]]) -> Starlette:
    """Return a server and its authorization server in one, which keeps the forms of token requests."""

    async def refuse(request: Request) -> Response:
        metadata = f"{request.base_url}.well-known/oauth-protected-resource/mcp"
        return Response(
            status_code=401, headers={"WWW-Authenticate": f'Bearer scope="a b", resource_metadata="{metadata}"'}
        )

    async def resource(request: Request) -> Response:
        url = str(request.base_url).rstrip("/")
        return JSONResponse({"resource": f"{url}/mcp", "authorization_servers": [url]})

    async def metadata(request: Request) -> Response:
        url = str(request.base_url).rstrip("/")
        endpoints = {"authorization_endpoint": f"{url}/authorize", "token_endpoint": f"{url}/token"}
        return JSONResponse({"issuer": url, **endpoints, "code_challenge_methods_supported": ["S256"]})

    async def token(request: Request) -> Response:
        forms.append({name: str(value) for name, value in (await request.form()).items()})
        return JSONResponse({"access_token": "the-access-token", "refresh_token": "the-refresh-token"})

    return Starlette(
        routes=[
            Route("/mcp", refuse, methods=["POST"]),
            Route("/.well-known/oauth-protected-resource/mcp", resource),
            Route("/.well-known/openid-configuration", metadata),
            Route("/token", token, methods=["POST"]),
        ]
    )


async def test_browser_is_opened_and_standard_output_has_the_token_alone(tmp_path: Path) -> None:
    """With a screen, the browser opens by itself; what it prints does not get into the pipe, nor a refresh token."""
    browser = tmp_path / "browser"
    browser.write_text(BROWSER.format(python=sys.executable), encoding="utf-8")
    browser.chmod(0o755)
    forms: list[dict[str, str]] = []
    async with listening(authorization_server(forms)) as url:
        done = await anyio.run_process(
            [sys.executable, "-c", PROGRAM, "token", f"{url}/mcp", "--timeout", "60"],
            env=os.environ | {"DISPLAY": ":0", "BROWSER": f"{browser} %s"},
            check=False,
        )
    assert (done.returncode, done.stdout) == (0, b"the-access-token\n"), done.stderr.decode()
    assert b"the-refresh-token" not in done.stderr
    (form,) = forms
    assert form.keys() == {"grant_type", "code", "client_id", "redirect_uri", "code_verifier", "resource"}
    assert (form["code"], form["client_id"], form["resource"]) == ("the-code", "mcp-client", f"{url}/mcp")
