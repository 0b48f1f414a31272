"""Take the pictures of docs/explanation/consent.md on a real Keycloak: `python -m tests.screenshots`."""

import sys
import tempfile
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import httpx

from stack.keycloak import Keycloak, default_cache, run_keycloak
from stack.process import free_port
from tests.support.chromium import DESKTOP, PHONE, missing, new_page, run_chromium, sign_in
from tests.support.oauth import ALICE, LOOPBACK_CALLBACK, Pkce
from tests.support.pages import ALL_SCOPES

IMAGES: Final = Path(__file__).parents[1] / "docs" / "images"


def request(keycloak: Keycloak, client_id: str, mode: str) -> str:
    """Return the URL of an authorization request for all scopes."""
    parameters = {"response_type": "code", "client_id": client_id, "redirect_uri": LOOPBACK_CALLBACK}
    scope = {"scope": f"nextcloud-mcp:{mode} {ALL_SCOPES}"}
    return f"{keycloak.issuer}/protocol/openid-connect/auth?{urlencode(parameters | scope | Pkce().parameters)}"


def register(keycloak: Keycloak, name: str) -> str:
    """Register a client as MCP clients do (RFC 7591), and return its id."""
    client = {"client_name": name, "redirect_uris": [LOOPBACK_CALLBACK], "token_endpoint_auth_method": "none"}
    endpoint = f"{keycloak.issuer}/clients-registrations/openid-connect"
    return str(httpx.post(endpoint, json=client).raise_for_status().json()["client_id"])


def take(keycloak: Keycloak) -> None:
    """Write all pictures."""
    claude, official = (
        register(keycloak, "Claude Code"),
        register(keycloak, "Official Nextcloud ✔ trusted by your company"),
    )
    IMAGES.mkdir(exist_ok=True)
    with run_chromium() as chromium:
        page = new_page(chromium, DESKTOP)
        page.goto(request(keycloak, claude, "exchange"))
        page.screenshot(path=IMAGES / "sign-in.png")

        page = new_page(chromium, DESKTOP)
        sign_in(page, request(keycloak, claude, "exchange"), **ALICE)
        page.screenshot(path=IMAGES / "consent.png")

        page = new_page(chromium, PHONE, language="de", scheme="dark")
        sign_in(page, request(keycloak, official, "pass-through"), **ALICE)
        page.screenshot(path=IMAGES / "consent-phone.png")

        page = new_page(chromium, PHONE)
        page.goto(request(keycloak, "nobody", "exchange"))
        page.screenshot(path=IMAGES / "error-phone.png")


def main() -> None:
    """Start Keycloak, take the pictures, and end it."""
    if reason := missing():
        sys.exit(f"Cannot take pictures: {reason}.")
    with (
        tempfile.TemporaryDirectory() as home,
        run_keycloak(
            port=free_port(),
            home=Path(home),
            cache=default_cache(),
            log=Path(home) / "keycloak.log",
            realm_values={},
        ) as keycloak,
    ):
        take(keycloak)


if __name__ == "__main__":
    main()
