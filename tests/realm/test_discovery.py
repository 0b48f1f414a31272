"""The realm's metadata (OpenID Connect Discovery 1.0, RFC 8414)."""

import json
from base64 import urlsafe_b64decode
from pathlib import Path

import pytest
from joserfc import jws

from stack.keycloak import REALM_FILE, Keycloak
from tests.support.administration import one_more_realm
from tests.support.browser import Browser
from tests.support.http import patient_client
from tests.support.oauth import ALICE, Person, Pkce, authorize, claims, metadata, sign_in
from tests.support.run import ServerUrls

APPS = ("files", "notes", "calendar", "todo", "contacts", "deck", "tables", "cookbook", "notifications")
APP_SCOPES = {f"{app}:{verb}" for app in APPS for verb in ("read", "write")} | {"sharing:write", "activity:read"}


async def test_listed_scopes_may_be_requested_together(keycloak: Keycloak, server_urls: ServerUrls) -> None:
    """Some clients request every listed scope; that request gives a token for one server, with the scopes of the apps.

    So the list has the scope of one server, and no scope that a client cannot have.
    """
    listed = (await metadata(keycloak))["scopes_supported"]
    assert set(listed) == {"openid", "nextcloud-mcp:exchange"} | APP_SCOPES

    token = claims((await sign_in(keycloak, **ALICE, scope=" ".join(listed)))["access_token"])

    assert token["aud"] == server_urls.exchange
    assert set(token["scope"].split()) == set(listed)


@pytest.mark.parametrize("server", ["exchange", "pass-through"])
async def test_realm_lists_the_chosen_server(keycloak: Keycloak, server: str) -> None:
    """`ADVERTISE_EXCHANGE` and `ADVERTISE_PASS_THROUGH` choose the server whose scope the metadata lists."""
    values = {f"ADVERTISE_{each}": "false" for each in ("EXCHANGE", "PASS_THROUGH")}
    values[f"ADVERTISE_{server.replace('-', '_').upper()}"] = "true"
    with one_more_realm(keycloak, f"listing-{server}", values) as realm:
        listed = (await metadata(realm))["scopes_supported"]

    assert [scope for scope in listed if scope.startswith("nextcloud-mcp:")] == [f"nextcloud-mcp:{server}"]


async def test_issuer_is_the_public_url_at_every_address(keycloak: Keycloak) -> None:
    """The issuer is the same at every address of Keycloak (RFC 8414 section 3.3)."""
    assert (await metadata(keycloak))["issuer"] == keycloak.issuer


@pytest.mark.requirement("mcp26-iss-advertised", "mcp26-iss-in-response")
@pytest.mark.parametrize("grant", [True, False], ids=["consent", "refusal"])
async def test_authorization_responses_have_the_issuer(keycloak: Keycloak, someone: Person, *, grant: bool) -> None:
    """The response names the issuer with a code and with an error, for clients of several servers (RFC 9207)."""
    answer = await authorize(
        keycloak, Browser(grant=grant), **someone, scope="nextcloud-mcp:exchange", **Pkce().parameters
    )
    assert answer["iss"] == keycloak.issuer
    assert ("code" in answer) is grant
    assert (await metadata(keycloak))["authorization_response_iss_parameter_supported"] is True


@pytest.mark.requirement("rfc9068-keys-published", "rfc8725-key-entropy")
async def test_jwks_has_the_signing_key(keycloak: Keycloak) -> None:
    """The JWK set at the metadata's URL has the key that signed a token, for RS256."""
    token = (await sign_in(keycloak, **ALICE, scope="nextcloud-mcp:exchange"))["access_token"]
    async with patient_client() as http:
        keys = (await http.get((await metadata(keycloak))["jwks_uri"])).raise_for_status().json()["keys"]
    (key,) = [key for key in keys if key["kid"] == jws.extract_compact(token.encode()).headers()["kid"]]
    assert (key["kty"], key["alg"], key["use"]) == ("RSA", "RS256", "sig")
    assert len(urlsafe_b64decode(key["n"] + "==")) * 8 >= 2048


@pytest.mark.parametrize("language", ["en", "de"])
def test_each_scope_has_a_consent_text(language: str) -> None:
    """Each scope on the consent page has a sentence instead of its name, such as `deck:write`, under any theme."""
    realm = json.loads(Path(REALM_FILE).read_text())
    scopes, texts = realm["clientScopes"], realm["localizationTexts"][language]
    shown = {
        scope["name"]: texts[scope["attributes"]["consent.screen.text"].strip("${}")]
        for scope in scopes
        if scope["attributes"]["display.on.consent.screen"] == "true"
    }
    identity = {"profile", "email", "offline_access"}
    assert shown.keys() == {"nextcloud-mcp:exchange", "nextcloud-mcp:pass-through"} | identity | APP_SCOPES
    assert [name for name, text in shown.items() if " " not in text] == []
