"""Every field of a client registration (RFC 7591, OpenID Connect Registration and extensions), one by one.

A field is refused, or it can harm only the client that registered it: neither the consent page nor the sign-in domain
links to its URLs, and the user's tokens are the same as from any client. keycloak/README.md has the same table for
readers, and a test here compares the two.
"""

from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest

from stack.keycloak import Keycloak
from tests.realm.clients import Register
from tests.support.browser import Browser, BrowserError
from tests.support.http import patient_client
from tests.support.oauth import (
    ALICE,
    LOOPBACK_CALLBACK,
    Pkce,
    authorize,
    basic_auth,
    claims,
    metadata,
    sign_in,
    token_request,
)
from tests.support.pages import Reader

README: Final = Path(__file__).parents[2] / "keycloak" / "README.md"
SCOPE: Final = "openid nextcloud-mcp:exchange notes:read"

ATTACKER: Final = "https://attacker.example/page"
OWN_MACHINE: Final = "http://localhost:9200/"
KEYS: Final = {
    "keys": [
        {
            "kty": "EC",
            "crv": "P-256",
            "use": "sig",
            "alg": "ES256",
            "kid": "a-key",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        }
    ]
}

REFUSED: Final[dict[str, list[Any]]] = {
    "redirect_uris": [[ATTACKER], [LOOPBACK_CALLBACK, ATTACKER], ["http://localhost/*"], ["javascript:alert(1)"]],
    "post_logout_redirect_uris": [[ATTACKER], [LOOPBACK_CALLBACK, ATTACKER], ["*"], ["+"], ["https://claude.ai/*"]],
    "frontchannel_logout_uri": [ATTACKER, OWN_MACHINE],
    "backchannel_logout_uri": [ATTACKER, OWN_MACHINE],
    "jwks_uri": [ATTACKER, OWN_MACHINE],
    "request_uris": [[ATTACKER], [OWN_MACHINE]],
    "sector_identifier_uri": [ATTACKER, OWN_MACHINE],
    "backchannel_client_notification_endpoint": [ATTACKER, OWN_MACHINE],
    "backchannel_token_delivery_mode": ["ping"],
    "default_acr_values": [["gold"]],
    "scope": ["nextcloud", "offline_access notes:read"],
    "software_statement": ["e30.e30."],
    "require_signed_request_object": [True],
    "introspection_signed_response_alg": ["RS256"],
    "authorization_details_types": [["payment"]],
    "tls_client_auth_san_dns": ["attacker.example"],
    "tls_client_auth_san_uri": [ATTACKER],
    "tls_client_auth_san_ip": ["192.0.2.1"],
    "tls_client_auth_san_email": ["mail@attacker.example"],
    "backchannel_user_code_parameter": [True],
    "client_name#en": ["Nextcloud"],
}
"""What makes no client, with values that would do harm."""

PAGES: Final = ("client_uri", "logo_uri", "policy_uri", "tos_uri")
"""The client's own pages, which may be anywhere on the web; the realm's theme shows none of them."""

NOT_A_WEB_ADDRESS: Final = {
    name: ["javascript:alert(1)", "data:image/svg+xml,<svg/>", "/page", "//attacker.example", "ftp://attacker.example"]
    for name in PAGES
}
"""Values of these fields that make no client."""

SAME_TOKENS: Final[dict[str, Any]] = {
    **dict.fromkeys(PAGES, ATTACKER),
    "client_name": "Nextcloud",
    "subject_type": "pairwise",
    "jwks": KEYS,
    "initiate_login_uri": ATTACKER,
    "contacts": ["mail@attacker.example"],
    "software_id": "2e6dc280-f3c3-4e01-99a7-8181dbd1d23d",
    "software_version": "1",
    "application_type": "web",
    "default_max_age": 1,
    "require_auth_time": True,
    "id_token_signed_response_alg": "ES256",
    "userinfo_signed_response_alg": "RS256",
    "userinfo_encrypted_response_alg": "RSA-OAEP",
    "userinfo_encrypted_response_enc": "A256GCM",
    "request_object_signing_alg": "RS256",
    "request_object_encryption_alg": "RSA-OAEP",
    "request_object_encryption_enc": "A256GCM",
    "authorization_signed_response_alg": "RS256",
    "authorization_encrypted_response_alg": "RSA-OAEP",
    "authorization_encrypted_response_enc": "A256GCM",
    "token_endpoint_auth_signing_alg": "RS256",
    "tls_client_auth_subject_dn": ".*",
    "backchannel_authentication_request_signing_alg": "RS256",
    "backchannel_logout_session_required": True,
    "backchannel_logout_revoke_offline_tokens": True,
    "frontchannel_logout_session_required": True,
    "id_token_encrypted_response_enc": "A256GCM",
    "client_secret": "chosen-by-the-client",
    "client_id_issued_at": 1,
    "client_secret_expires_at": 1,
    "registration_client_uri": ATTACKER,
    "registration_access_token": "chosen-by-the-client",
    "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code", "none"],
    "token_endpoint_auth_method": "none",
}
"""What is dropped, or concerns the client's own messages alone: the person's tokens are as ever."""

NO_TOKENS: Final[dict[str, Any]] = {
    "id_token_encrypted_response_alg": "RSA-OAEP",
    "tls_client_certificate_bound_access_tokens": True,
    "dpop_bound_access_tokens": True,
    "require_pushed_authorization_requests": True,
}
"""What the client makes harder for itself: without the proof or key that it promised it gets nothing."""


async def tokens_of(keycloak: Keycloak, client: dict[str, Any], browser: Browser) -> dict[str, Any] | None:
    """Sign alice in through a client; its tokens, or None where Keycloak refuses it."""
    pkce, client_id = Pkce(), client["client_id"]
    own = {"client_id": client_id, "redirect_uri": LOOPBACK_CALLBACK}
    try:
        answer = await authorize(keycloak, browser, **ALICE, **own, scope=SCOPE, **pkce.parameters)
    except BrowserError:
        return None
    form = {"grant_type": "authorization_code", "code": answer.get("code", ""), "code_verifier": pkce.verifier}
    response = await token_request(keycloak, form | own)
    tokens: dict[str, Any] | None = response.json() if response.is_success else None
    return tokens


def what_matters(token: str) -> dict[str, Any]:
    """What a server and Nextcloud read of a token, as alice's tokens have it from any client."""
    return {name: claims(token).get(name) for name in ("iss", "sub", "aud", "scope", "preferred_username")}


@pytest.fixture(scope="module")
async def usual(keycloak: Keycloak) -> dict[str, Any]:
    """What a token says that alice gets through the client registered by hand."""
    return what_matters((await sign_in(keycloak, **ALICE, scope=SCOPE))["access_token"])


REFUSALS: Final = [
    pytest.param(name, value, id=f"{name}={value}")
    for name, values in (REFUSED | NOT_A_WEB_ADDRESS).items()
    for value in values
]


@pytest.mark.parametrize(("name", "value"), REFUSALS)
async def test_refused_field_creates_no_client(register: Register, name: str, value: Any) -> None:
    """A registration with the field creates no client."""
    answer = await register(token_endpoint_auth_method="none", **{name: value})

    assert answer.status_code in {400, 403}, answer.text


@pytest.mark.parametrize(("name", "value"), REFUSALS)
async def test_refused_field_is_refused_in_an_update(register: Register, name: str, value: Any) -> None:
    """An update cannot have what a registration cannot have (RFC 7592 section 2.2)."""
    client = (await register(token_endpoint_auth_method="none")).json()
    kept = {name: client[name] for name in ("client_id", "client_name", "redirect_uris", "scope")}
    authorization = {"authorization": f"Bearer {client['registration_access_token']}"}
    async with patient_client() as http:
        answer = await http.put(client["registration_client_uri"], json=kept | {name: value}, headers=authorization)

    assert answer.status_code in {400, 403}, answer.text


@pytest.mark.parametrize("wanted", ["mcp-client", "nextcloud", "a-new-one"])
async def test_update_cannot_change_the_client_id(register: Register, wanted: str) -> None:
    """A chosen id could be an audience; Keycloak answers such an update with 500 and changes nothing."""
    assert (await register(client_id=wanted)).status_code == 400
    client = (await register(token_endpoint_auth_method="none")).json()
    authorization = {"authorization": f"Bearer {client['registration_access_token']}"}
    changed = {"client_id": wanted, "client_name": "Changed", "redirect_uris": client["redirect_uris"]}
    async with patient_client() as http:
        answer = await http.put(client["registration_client_uri"], json=changed, headers=authorization)
        kept = (await http.get(client["registration_client_uri"], headers=authorization)).json()

    assert not answer.is_success
    assert (kept["client_id"], kept["client_name"]) == (client["client_id"], client["client_name"])


async def test_returned_registration_can_be_sent_back(register: Register) -> None:
    """A client may send back the complete registration that it read, as RFC 7592 section 2.2 requires."""
    client = (await register(token_endpoint_auth_method="none")).json()
    authorization = {"authorization": f"Bearer {client['registration_access_token']}"}
    async with patient_client() as http:
        answer = await http.put(client["registration_client_uri"], json=client, headers=authorization)

    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(("name", "value"), SAME_TOKENS.items(), ids=SAME_TOKENS)
async def test_harmless_field_changes_no_token_and_no_page(
    keycloak: Keycloak, register: Register, usual: dict[str, Any], name: str, value: Any
) -> None:
    """The tokens are the same as from any client, and no page links to the client's URLs."""
    browser = Reader()
    answer = await register(**{"token_endpoint_auth_method": "none", name: value})
    assert answer.status_code == 201, answer.text
    tokens = await tokens_of(keycloak, answer.json(), browser)

    assert tokens is not None
    assert what_matters(tokens["access_token"]) == usual
    assert claims(tokens["id_token"])["sub"] == usual["sub"]
    assert not any("attacker.example" in page for page in browser.pages)


@pytest.mark.parametrize(("name", "value"), NO_TOKENS.items(), ids=NO_TOKENS)
async def test_field_that_only_harms_its_client(keycloak: Keycloak, register: Register, name: str, value: Any) -> None:
    """A client that registers a proof and does not send it gets no token."""
    client = await register(token_endpoint_auth_method="none", **{name: value})
    assert client.status_code == 201, client.text

    assert await tokens_of(keycloak, client.json(), Browser()) is None


async def test_unsigned_id_token_is_not_issued(keycloak: Keycloak, register: Register) -> None:
    """A client that registers for an unsigned ID token gets no token at all."""
    client = (await register(token_endpoint_auth_method="none", id_token_signed_response_alg="none")).json()

    assert await tokens_of(keycloak, client, Browser()) is None


@pytest.mark.parametrize("response_types", [["token"], ["id_token"], ["code", "id_token"], ["code token"], ["none"]])
async def test_no_response_type_gives_tokens_without_a_code(
    keycloak: Keycloak, register: Register, response_types: list[str]
) -> None:
    """A registration may list implicit and hybrid flows, but they do not work."""
    client = (await register(token_endpoint_auth_method="none", response_types=response_types)).json()
    asked = {"response_type": " ".join(response_types), "nonce": "n-0S6_WzA2Mj", "response_mode": "query"}
    request = {"client_id": client["client_id"], "redirect_uri": LOOPBACK_CALLBACK, "scope": SCOPE}
    answer: dict[str, str] = {}
    with suppress(BrowserError):  # a page that says no
        answer = await authorize(keycloak, Browser(), **ALICE, **request, **Pkce().parameters, **asked)

    assert answer.keys().isdisjoint({"access_token", "id_token"})


@pytest.mark.parametrize(
    ("grant", "form"),
    [
        ("urn:ietf:params:oauth:grant-type:uma-ticket", {"audience": "itself"}),
        ("urn:openid:params:grant-type:ciba", {"auth_req_id": "guessed"}),
    ],
    ids=["UMA", "CIBA"],
)
async def test_no_other_grant_gives_a_token(
    keycloak: Keycloak, register: Register, grant: str, form: dict[str, str]
) -> None:
    """A registration may list grants beyond OAuth's that Keycloak knows, but they give no token."""
    grants = ["authorization_code", "refresh_token", grant]
    client = (await register(grant_types=grants, token_endpoint_auth_method="client_secret_basic")).json()
    form = {name: client["client_id"] if value == "itself" else value for name, value in form.items()}
    auth = basic_auth(client["client_id"], client["client_secret"])
    response = await token_request(keycloak, {"grant_type": grant, "scope": SCOPE} | form, auth)

    assert response.status_code in {400, 401, 403}
    assert "access_token" not in response.json()


async def test_backchannel_authentication_is_not_available(keycloak: Keycloak, register: Register) -> None:
    """CIBA would let Keycloak ask a user on another device for consent, but the realm has no such channel."""
    grants = ["authorization_code", "urn:openid:params:grant-type:ciba"]
    client = (await register(grant_types=grants, token_endpoint_auth_method="client_secret_basic")).json()
    endpoint = (await metadata(keycloak))["backchannel_authentication_endpoint"]
    async with patient_client() as http:
        auth = basic_auth(client["client_id"], client["client_secret"])
        answer = await http.post(endpoint, data={"scope": "openid", "login_hint": "alice"}, auth=auth)

    assert not answer.is_success
    assert "auth_req_id" not in answer.json()


@pytest.mark.parametrize("method", ["client_secret_post", "client_secret_jwt", "tls_client_auth"])
async def test_client_authentication_methods_use_its_own_credentials(register: Register, method: str) -> None:
    """Whatever authentication method a client registers, it only uses the client's own credentials."""
    answer = await register(token_endpoint_auth_method=method)

    assert answer.status_code == 201
    assert answer.json()["token_endpoint_auth_method"] == method


async def test_too_long_name_creates_no_client(register: Register) -> None:
    """A name that is too long creates no client, although Keycloak's error is unspecific."""
    answer = await register(token_endpoint_auth_method="none", client_name="x" * 256)

    assert not answer.is_success


async def test_logout_redirects_only_to_registered_uris(keycloak: Keycloak, register: Register) -> None:
    """RP-initiated logout refuses other URIs, so the sign-in domain is no open redirector."""
    registered = (await register(token_endpoint_auth_method="none")).json()["client_id"]
    endpoint = (await metadata(keycloak))["end_session_endpoint"]
    async with patient_client() as http:
        for client_id in (registered, "mcp-client", "nextcloud"):
            for address in (ATTACKER, f"{LOOPBACK_CALLBACK}@attacker.example", "//attacker.example", "javascript:x"):
                asked = {"client_id": client_id, "post_logout_redirect_uri": address}
                answer = await http.get(endpoint, params=asked)
                assert (answer.status_code, "location" in answer.headers) == (400, False)
        asked = {"client_id": registered, "post_logout_redirect_uri": LOOPBACK_CALLBACK}
        assert (await http.get(endpoint, params=asked)).headers["location"] == LOOPBACK_CALLBACK


def test_readme_table_agrees_with_the_tests() -> None:
    """The table in keycloak/README.md says of each field what these tests show."""
    rows = [
        [cell.strip() for cell in line.strip("|\n").split("|")]
        for line in README.read_text().splitlines()
        if line.startswith("| `") and ("| refused |" in line or "| harmless |" in line)
    ]
    told = {name.strip(" `"): verdict for names, verdict, _ in rows for name in names.split(",")}

    assert {name for name, verdict in told.items() if verdict == "refused"} == {*REFUSED, "client_id"}
    assert {name for name, verdict in told.items() if verdict == "harmless"} == {*SAME_TOKENS, *NO_TOKENS}
