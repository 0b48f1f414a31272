"""What the realm says of itself (OpenID Connect Discovery 1.0, RFC 8414)."""

import json
from pathlib import Path

from stack.keycloak import REALM_FILE, Keycloak
from tests.support.oauth import metadata

SERVER_SCOPES = {"nextcloud-mcp:exchange", "nextcloud-mcp:pass-through"}
APPS = ("files", "notes", "calendar", "todo", "contacts", "deck", "tables", "cookbook")
APP_SCOPES = {f"{app}:{verb}" for app in APPS for verb in ("read", "write")} | {"sharing:write"}


async def test_lists_the_scopes_of_apps_and_servers_alone(keycloak: Keycloak) -> None:
    """Clients ask for what is listed: neither `offline_access`, nor a scope that is no client's to ask for."""
    assert set((await metadata(keycloak))["scopes_supported"]) == {"openid"} | SERVER_SCOPES | APP_SCOPES


async def test_the_issuer_is_the_public_one_wherever_it_is_asked(keycloak: Keycloak) -> None:
    """The issuer is one, whatever address a client reached Keycloak by (RFC 8414 3.3)."""
    assert (await metadata(keycloak))["issuer"] == keycloak.issuer


def test_each_scope_says_in_words_what_it_allows() -> None:
    """Nobody consents to `deck:write`: what is on the consent page has a sentence."""
    scopes = json.loads(Path(REALM_FILE).read_text())["clientScopes"]
    shown = {
        scope["name"]: scope["attributes"].get("consent.screen.text", "")
        for scope in scopes
        if scope["attributes"]["display.on.consent.screen"] == "true"
    }
    assert shown.keys() == SERVER_SCOPES | APP_SCOPES
    assert [name for name, text in shown.items() if " " not in text] == []
