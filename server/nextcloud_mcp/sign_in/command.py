"""The `token` command: a person signs in with the browser, and standard output gets the access token alone.

The sign-in is that of an MCP client: authorization code with PKCE (RFC 7636), for the server as resource (RFC 8707),
with a redirect to the loopback interface (RFC 8252). Only its access token is kept, and only until it is printed.
"""

import argparse
import base64
import hashlib
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

import httpx

from nextcloud_mcp.errors import SettingsError
from nextcloud_mcp.sign_in.discovery import Target, discover
from nextcloud_mcp.sign_in.errors import SignInError
from nextcloud_mcp.sign_in.loopback import Loopback, Parameters, listening

DESCRIPTION: Final = """\
Sign a person in with the browser, and print an access token for the server, for nextcloud-mcp doctor --token-stdin.
Nothing is stored. Status 0: signed in; 1: not signed in; 2: an argument or a setting is wrong.
"""
EPILOG: Final = "example: nextcloud-mcp token https://mcp.example.org/mcp | nextcloud-mcp doctor --token-stdin"
CLIENT_ID: Final = "mcp-client"
"""The client of the shipped realm for programs on people's machines."""

TIMEOUT_SECONDS: Final = 300
"""How long the person has to sign in, by default: as long as Keycloak's page waits."""

RESPONSE_TIMEOUT: Final = 10
"""Seconds for each response of the server and of Keycloak."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options to a parser."""
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("url", nargs="?", help="the server's URL; default: NEXTCLOUD_MCP_SERVER_URL")
    parser.add_argument("--client-id", default=CLIENT_ID, help="the client id at Keycloak; default: %(default)s")
    parser.add_argument("--no-browser", action="store_true", help="open no browser, only show the address")
    parser.add_argument(
        "--timeout",
        type=float,
        default=TIMEOUT_SECONDS,
        metavar="SECONDS",
        help="how long to wait for the sign-in; default: %(default)s",
    )


def run(arguments: argparse.Namespace, environ: Mapping[str, str] = os.environ) -> int:
    """Sign in, print the access token, and return the exit status: 0, or 1 if the sign-in failed.

    Raises:
        SettingsError: no server is named.
    """
    url = arguments.url or environ.get("NEXTCLOUD_MCP_SERVER_URL")
    if not url:
        raise SettingsError("NEXTCLOUD_MCP_SERVER_URL", "is not set; or pass the server's URL to nextcloud-mcp token")
    try:
        token = _sign_in(arguments, url, environ)
    except SignInError as error:
        _say(f"nextcloud-mcp token: {error}")
        return 1
    except KeyboardInterrupt:
        return 130  # as shells do for a command that Ctrl-C ended
    if sys.stdout.isatty():
        _say("Whoever has this token can act as you until it expires:")
    print(token)  # noqa: T201 - a command's output
    return 0


def _sign_in(arguments: argparse.Namespace, url: str, environ: Mapping[str, str]) -> str:
    with httpx.Client(timeout=RESPONSE_TIMEOUT) as http:
        target = discover(http, url)
        state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
        with listening(state) as loopback:
            request = {
                "response_type": "code",
                "client_id": arguments.client_id,
                "redirect_uri": loopback.redirect_uri,
                "scope": target.scope,
                "state": state,
                "code_challenge": _challenge(verifier),
                "code_challenge_method": "S256",
                "resource": target.resource,
            }
            address = f"{target.authorization_endpoint}?{urlencode(request)}"
            _show(address, loopback)
            if not arguments.no_browser:
                _open(address, environ)
            redirect = loopback.wait(arguments.timeout)
        form = {
            "grant_type": "authorization_code",
            "code": _code(redirect, target),
            "client_id": arguments.client_id,
            "redirect_uri": loopback.redirect_uri,
            "code_verifier": verifier,
            "resource": target.resource,
        }
        return _redeem(http, target, form)


def _challenge(verifier: str) -> str:
    """Return BASE64URL(SHA256(verifier)), RFC 7636 section 4.2."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _show(address: str, loopback: Loopback) -> None:
    port = loopback.port
    _say(
        f"Open this address in a browser, and sign in:\n\n  {address}\n\n"
        f"If the browser is on another machine, it ends at an address with 127.0.0.1:{port} that it can't open: paste "
        f"that address here. Or forward the port first: ssh -L {port}:127.0.0.1:{port} THIS-MACHINE\n"
    )


def _open(address: str, environ: Mapping[str, str]) -> None:
    """Open a browser if there is a screen, in a process of its own, because browsers write to standard output."""
    if sys.platform not in {"darwin", "win32"} and not {"DISPLAY", "WAYLAND_DISPLAY"} & environ.keys():
        return  # a browser in the terminal would be the only one
    subprocess.Popen(  # noqa: S603 - this Python, and an address that is no option
        [sys.executable, "-m", "webbrowser", address],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _code(redirect: Parameters, target: Target) -> str:
    """Return the code of a redirect (RFC 6749 section 4.1.2), which must come from this issuer (RFC 9207).

    Raises:
        SignInError: the sign-in was refused, or the redirect comes from another issuer.
    """
    named = redirect.get("iss")
    if named != target.issuer and (named is not None or target.names_issuer):
        raise SignInError(
            f"The redirect comes from {named or 'an unnamed issuer'} and not from {target.issuer}: try again."
        )
    if "code" in redirect:
        return redirect["code"]
    reason = redirect.get("error_description") or redirect.get("error") or "no reason given"
    raise SignInError(f"{target.issuer} refused the sign-in ({reason}): run the command again, and consent.")


def _redeem(http: httpx.Client, target: Target, form: dict[str, str]) -> str:
    """Return the access token for a code (RFC 6749 section 4.1.3).

    Raises:
        SignInError: the token endpoint does not answer, or refuses.
    """
    try:
        response = http.post(target.token_endpoint, data=form)
        answer: Any = response.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise SignInError(
            f"{target.token_endpoint} did not answer with JSON ({type(error).__name__}): try again."
        ) from error
    answer = answer if isinstance(answer, dict) else {}
    if not response.is_success or "access_token" not in answer:
        reason = answer.get("error_description") or answer.get("error") or f"HTTP {response.status_code}"
        raise SignInError(f"{target.issuer} issued no token for the sign-in ({reason}): run nextcloud-mcp doctor.")
    return str(answer["access_token"])


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - for the person; standard output has the token alone
