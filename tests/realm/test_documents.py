"""Client ID Metadata Documents (feature `cimd`, `keycloak/cimd.json`): accepted hosts, and claims that are refused.

The policies for client registration do not apply to documents, so other policies must refuse the same claims.
"""

import json
from typing import Any

import httpx
import pytest

from stack.chain import Chain
from stack.keycloak import Keycloak
from tests.support.browser import Browser, BrowserError
from tests.support.documents import CLAUDE_CODE, CLAUDE_DESKTOP, Documents
from tests.support.featured import registration_open
from tests.support.http import patient_client
from tests.support.oauth import ALICE, Pkce, authorize, claims, metadata, sign_in, token_request

REDIRECT_URI = "http://localhost:51234/callback"
SCOPE = "nextcloud-mcp:exchange notes:read"


@pytest.fixture
def fetching(featured: Chain) -> Keycloak:
    """A Keycloak that fetches documents."""
    return featured.keycloak


async def ask(keycloak: Keycloak, client_id: str, *, scope: str = SCOPE, **parameters: str) -> dict[str, str]:
    """Ask for a code as the client of that id, signed in as alice; the answer to the client."""
    request = {"redirect_uri": REDIRECT_URI, "scope": scope, **Pkce().parameters} | parameters
    return await authorize(keycloak, Browser(), **ALICE, client_id=client_id, **request)


async def register(keycloak: Keycloak, redirect_uri: str) -> httpx.Response:
    """Register a client (RFC 7591), by nobody in particular."""
    client = {"client_name": "A client", "redirect_uris": [redirect_uri], "token_endpoint_auth_method": "none"}
    async with patient_client() as http:
        return await http.post((await metadata(keycloak))["registration_endpoint"], json=client)


@pytest.mark.requirement("mcp-cimd")
async def test_metadata_announces_client_id_metadata_documents(fetching: Keycloak, keycloak: Keycloak) -> None:
    """Clients check the metadata before they use a URL as client id; the stock realm does not announce support."""
    announced = await metadata(fetching)

    assert announced["client_id_metadata_document_supported"] is True
    assert "none" in announced["token_endpoint_auth_methods_supported"]
    assert not (await metadata(keycloak)).get("client_id_metadata_document_supported")


@pytest.mark.requirement("mcp-cimd-ssrf")
async def test_document_of_an_unlisted_host_is_not_fetched(fetching: Keycloak, documents: Documents) -> None:
    """Keycloak sends requests only to listed hosts, so a client id cannot make it call other addresses."""
    url = documents.publish(CLAUDE_CODE)
    before = len(documents.fetched)
    with pytest.raises(BrowserError, match="Client not found"):
        await ask(fetching, url.replace("localhost", "127.0.0.1"))
    with pytest.raises(BrowserError, match="Client not found"):
        await ask(fetching, url.replace("https://", "http://"))

    assert len(documents.fetched) == before


@pytest.mark.requirement("mcp-cimd-structure")
@pytest.mark.parametrize("text", ["", "<!doctype html>", "[]", "{}"])
async def test_invalid_document_is_refused(fetching: Keycloak, documents: Documents, text: str) -> None:
    """Content that is not a JSON object with client metadata creates no client."""
    with pytest.raises(BrowserError):
        await ask(fetching, documents.publish_text(text))


@pytest.mark.requirement("mcp-cimd-cache")
async def test_document_is_cached_while_fresh(fetching: Keycloak, documents: Documents) -> None:
    """A second sign-in within `max-age` of the document's `Cache-Control` does not fetch it again."""
    url = documents.publish(CLAUDE_CODE)
    for _ in range(2):
        assert "code" in await ask(fetching, url)

    assert documents.fetched.count(url.removeprefix(documents.origin)) == 1


@pytest.mark.requirement("mcp-cimd-client-id-matches", "mcp-cimd-redirect-uris", "mcp-cimd-structure")
@pytest.mark.parametrize(
    ("document", "message"),
    [
        (CLAUDE_CODE | {"redirect_uris": [REDIRECT_URI, "https://attacker.example/callback"]}, "domain not allowed"),
        (CLAUDE_CODE | {"redirect_uris": ["http://localhost/*"]}, "Invalid Redirect Uri"),
        (CLAUDE_CODE | {"redirect_uris": ["http://localhost/elsewhere"]}, "redirect_uri"),
        (CLAUDE_CODE | {"client_uri": "https://attacker.example"}, "domain not allowed"),
        (CLAUDE_CODE | {"logo_uri": "https://attacker.example/logo.png"}, "domain not allowed"),
        (CLAUDE_CODE | {"jwks_uri": "https://attacker.example/keys"}, "domain not allowed"),
        (CLAUDE_CODE | {"policy_uri": "https://attacker.example/policy"}, "domain not allowed"),
        (CLAUDE_CODE | {"tos_uri": "https://attacker.example/terms"}, "domain not allowed"),
        (
            CLAUDE_CODE | {"frontchannel_logout_uri": "https://claude.ai/sign-out"},
            "Front-channel logout is not allowed",
        ),
        (CLAUDE_CODE | {"client_id": "https://claude.ai/oauth/claude-code-client-metadata"}, "client_id"),
        (CLAUDE_CODE | {"client_secret": "s3cret"}, "client_secret"),
        (CLAUDE_CODE | {"token_endpoint_auth_method": "client_secret_basic"}, "authentication method"),
        ({name: value for name, value in CLAUDE_CODE.items() if name != "client_name"}, "required properties"),
    ],
    ids=[
        "a foreign redirect",
        "a wildcard",
        "a redirect that is not in it",
        "a foreign page",
        "a foreign logo",
        "foreign keys",
        "a foreign policy",
        "foreign terms",
        "a page to load at sign-out",
        "the id of another",
        "a secret",
        "a shared secret for authentication",
        "no name",
    ],
)
async def test_document_with_forbidden_claims_is_refused(
    fetching: Keycloak, documents: Documents, document: dict[str, Any], message: str
) -> None:
    """The user sees the reason, and no client is created."""
    with pytest.raises(BrowserError, match=message):
        await ask(fetching, documents.publish(document))


async def test_document_with_a_confidential_client_grant_is_refused(fetching: Keycloak, documents: Documents) -> None:
    """Claude Desktop's document lists the JWT bearer grant for a public client; Keycloak 26.7 refuses the document.

    Keycloak 26.8 has an option to overlook it (keycloak/keycloak issue 50362), to be set in `keycloak/cimd.json` once
    this test fails.
    """
    with pytest.raises(BrowserError, match="invalid request"):
        await ask(fetching, documents.publish(CLAUDE_DESKTOP), redirect_uri="https://claude.ai/api/mcp/auth_callback")


async def test_document_client_cannot_request_the_nextcloud_scope(fetching: Keycloak, documents: Documents) -> None:
    """A document may list any scope, but the scope that opens Nextcloud without the servers is refused."""
    greedy = documents.publish(CLAUDE_CODE | {"scope": f"nextcloud {SCOPE}"})
    for scope in ("nextcloud", f"nextcloud {SCOPE}"):
        answer = await ask(fetching, greedy, scope=scope)
        assert "code" not in answer
        assert answer["error"] == "invalid_request"
    tokens = await sign_in(fetching, **ALICE, scope=SCOPE, client_id=greedy, redirect_uri=REDIRECT_URI)

    assert "nextcloud" not in claims(tokens["access_token"])["aud"]


@pytest.mark.parametrize(
    "grant_type", ["client_credentials", "password", "urn:ietf:params:oauth:grant-type:device_code"]
)
async def test_document_client_gets_no_token_without_a_login_page(
    fetching: Keycloak, documents: Documents, grant_type: str
) -> None:
    """A document may list any grant, but only the one with a login page works."""
    grants = ["authorization_code", "refresh_token", grant_type]
    client_id = documents.publish(CLAUDE_CODE | {"grant_types": grants})
    await ask(fetching, client_id)
    form = {"grant_type": grant_type, "client_id": client_id, "scope": SCOPE, "device_code": "none"}
    response = await token_request(fetching, form | {"username": "alice", "password": ALICE["password"]})

    assert response.status_code in {400, 401, 403}
    assert "access_token" not in response.json()


async def test_document_client_needs_pkce(fetching: Keycloak, documents: Documents) -> None:
    """The realm requires PKCE of these clients as well."""
    answer = await authorize(
        fetching,
        Browser(),
        **ALICE,
        client_id=documents.publish(CLAUDE_CODE),
        redirect_uri=REDIRECT_URI,
        scope=SCOPE,
    )

    assert answer["error"] == "invalid_request"


@pytest.mark.parametrize("redirect_uri", ["http://localhost:49152/callback", "https://claude.ai/api/mcp/auth_callback"])
async def test_anonymous_registration_is_closed_with_documents(
    fetching: Keycloak, documents: Documents, redirect_uri: str
) -> None:
    """With the feature, Keycloak checks less of an anonymous registration, so only documents are accepted."""
    refused = await register(fetching, redirect_uri)
    taken = await ask(fetching, documents.publish(CLAUDE_CODE))

    assert refused.status_code == 403
    assert "code" in taken


async def test_initial_access_token_allows_registration_with_documents(fetching: Keycloak) -> None:
    """A client with an initial access token can register, with the same checks as in a realm without documents."""
    path = f"admin/realms/{fetching.realm}/clients-initial-access"
    made = fetching.admin().connection.raw_post(path, data=json.dumps({"count": 2, "expiration": 600}))
    token = made.json()["token"]
    client = {"client_name": "A client", "redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": "none"}
    endpoint = (await metadata(fetching))["registration_endpoint"]
    async with patient_client() as http:
        for more, status in (({}, 201), ({"jwks_uri": "https://attacker.example/keys"}, 403)):
            authorization = {"authorization": f"Bearer {token}"}
            answer = await http.post(endpoint, json=client | more, headers=authorization)
            assert answer.status_code == status, answer.text


@pytest.mark.parametrize(
    ("redirect_uri", "status"),
    [
        ("http://localhost:49152/callback", 201),
        ("http://127.0.0.1:49152/callback", 201),
        ("https://claude.ai/api/mcp/auth_callback", 403),
        ("https://vscode.dev/redirect?url=https://attacker.example", 403),
        ("https://github.com/attacker", 403),
        ("https://attacker.example/callback", 403),
        ("http://localhost.attacker.example/callback", 403),
        ("http://localhost:8000@attacker.example/callback", 403),
        ("http://localhost/*", 403),
        ("*", 403),
        ("javascript:alert(1)", 403),
    ],
)
async def test_reopened_registration_with_documents_is_for_loopback(
    fetching: Keycloak, redirect_uri: str, status: int
) -> None:
    """If an administrator opens registration, only clients on the user's own machine can register."""
    with registration_open(fetching):
        answer = await register(fetching, redirect_uri)

    assert answer.status_code == status, answer.text
