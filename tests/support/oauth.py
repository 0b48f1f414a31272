"""An OAuth client in raw HTTP: what a request says is written in the test, not hidden in a library."""

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any, TypedDict
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import httpx

from stack.keycloak import Keycloak
from tests.support.browser import Browser
from tests.support.http import patient_client

TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
CLIENT_ID = "mcp-client"
REDIRECT_URI = "http://localhost/callback"


class Person(TypedDict):
    """Who signs in."""

    username: str
    password: str


ALICE = Person(username="alice", password="alice-demo-password")
BOB = Person(username="bob", password="bob-demo-password")


@dataclass(frozen=True)
class Pkce:
    """One proof key (RFC 7636): the verifier stays with the client, the challenge goes ahead."""

    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))

    @property
    def challenge(self) -> str:
        """BASE64URL(SHA256(verifier)), RFC 7636 4.2."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    @property
    def parameters(self) -> dict[str, str]:
        """What an authorization request says of it."""
        return {"code_challenge": self.challenge, "code_challenge_method": "S256"}


def claims(token: str) -> dict[str, Any]:
    """The claims of a JWT, unverified: for asserting on a token that has come straight from Keycloak."""
    payload = token.split(".")[1]
    decoded: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return decoded


def basic_auth(client_id: str, client_secret: str) -> httpx.BasicAuth:
    """HTTP Basic with both parts form-url-encoded first (RFC 6749 2.3.1): a URL as client id has colons in it."""
    return httpx.BasicAuth(quote(client_id, safe=""), quote(client_secret, safe=""))


async def metadata(keycloak: Keycloak) -> dict[str, Any]:
    """The realm's discovery document."""
    async with patient_client() as http:
        document: dict[str, Any] = (await http.get(keycloak.discovery_url)).raise_for_status().json()
        return document


async def post(url: str, data: dict[str, str], auth: httpx.Auth | None = None) -> httpx.Response:
    """A form, sent; the answer as it is."""
    async with patient_client() as http:
        return await http.post(url, data=data, auth=auth or httpx.USE_CLIENT_DEFAULT)


async def token_request(keycloak: Keycloak, data: dict[str, str], auth: httpx.Auth | None = None) -> httpx.Response:
    """A request to the token endpoint; the answer as it is."""
    return await post((await metadata(keycloak))["token_endpoint"], data, auth)


async def authorize(
    keycloak: Keycloak, browser: Browser, *, username: str, password: str, **parameters: str
) -> dict[str, str]:
    """An authorization request in the browser: what the redirect back to the client says, as a dict.

    Args:
        keycloak: where to sign in.
        browser: whose cookies to use.
        username: who signs in.
        password: their password.
        parameters: the request's own; `response_type`, `client_id` and `redirect_uri` have defaults, and nothing
            else has: no proof key, no scope.
    """
    request = {
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": REDIRECT_URI,
        "state": secrets.token_urlsafe(8),
    } | parameters
    url = f"{(await metadata(keycloak))['authorization_endpoint']}?{urlencode(request)}"
    callback = urlsplit(await browser.authorize(url, username=username, password=password))
    return dict(parse_qsl(callback.query or callback.fragment))


async def sign_in(
    keycloak: Keycloak,
    *,
    username: str,
    password: str,
    scope: str | None,
    client_id: str = CLIENT_ID,
    client_secret: str | None = None,
    redirect_uri: str = REDIRECT_URI,
    resource: str | None = None,
    browser: Browser | None = None,
) -> dict[str, Any]:
    """Authorization code with PKCE (RFC 6749 4.1, RFC 7636), login and consent included: the token response."""
    pkce = Pkce()
    client = {"client_id": client_id, "redirect_uri": redirect_uri} | ({"resource": resource} if resource else {})
    answer = await authorize(
        keycloak,
        browser or Browser(),
        username=username,
        password=password,
        **({} if scope is None else {"scope": scope}),
        **client,
        **pkce.parameters,
    )
    assert "code" in answer, answer
    form = {
        "grant_type": "authorization_code",
        "code": answer["code"],
        "code_verifier": pkce.verifier,
        **client,
    }
    response = await token_request(keycloak, form, basic_auth(client_id, client_secret) if client_secret else None)
    assert response.status_code == 200, response.text
    tokens: dict[str, Any] = response.json()
    return tokens


async def exchange(
    keycloak: Keycloak, subject_token: str, *, client_id: str, client_secret: str | None, **parameters: str
) -> httpx.Response:
    """A token exchange (RFC 8693 2.1): the answer as it is.

    Args:
        keycloak: whose token endpoint is asked.
        subject_token: the access token to exchange.
        client_id: the requester.
        client_secret: its secret; None for a public client.
        parameters: what the request says beyond the subject token, such as `audience`, `resource` and `scope`.
    """
    form = {
        "grant_type": TOKEN_EXCHANGE,
        "subject_token": subject_token,
        "subject_token_type": ACCESS_TOKEN,
        "requested_token_type": ACCESS_TOKEN,
        **parameters,
    }
    if client_secret is None:
        return await token_request(keycloak, form | {"client_id": client_id})
    return await token_request(keycloak, form, basic_auth(client_id, client_secret))
