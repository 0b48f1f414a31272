"""An OAuth client in raw HTTP: the tests spell out the requests, instead of a library."""

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
LOOPBACK_CALLBACK = "http://localhost:49152/callback"
"""The redirect URI of clients that register themselves."""


class Person(TypedDict):
    """The credentials of a user."""

    username: str
    password: str


ALICE = Person(username="alice", password="alice-demo-password")
BOB = Person(username="bob", password="bob-demo-password")


@dataclass(frozen=True)
class Pkce:
    """A PKCE code verifier, with its challenge for the authorization request (RFC 7636)."""

    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))

    @property
    def challenge(self) -> str:
        """BASE64URL(SHA256(verifier)), RFC 7636 section 4.2."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    @property
    def parameters(self) -> dict[str, str]:
        """The PKCE parameters of an authorization request."""
        return {"code_challenge": self.challenge, "code_challenge_method": "S256"}


def claims(token: str) -> dict[str, Any]:
    """Return the claims of a JWT without verification, for assertions on a token from Keycloak."""
    payload = token.split(".")[1]
    decoded: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return decoded


def basic_auth(client_id: str, client_secret: str) -> httpx.BasicAuth:
    """Return HTTP Basic with both parts form-urlencoded (RFC 6749 section 2.3.1): a URL as client id has colons."""
    return httpx.BasicAuth(quote(client_id, safe=""), quote(client_secret, safe=""))


async def metadata(keycloak: Keycloak) -> dict[str, Any]:
    """Return the realm's discovery document."""
    async with patient_client() as http:
        document: dict[str, Any] = (await http.get(keycloak.discovery_url)).raise_for_status().json()
        return document


async def post(url: str, data: dict[str, str], auth: httpx.Auth | None = None) -> httpx.Response:
    """Post a form, and return the response."""
    async with patient_client() as http:
        return await http.post(url, data=data, auth=auth or httpx.USE_CLIENT_DEFAULT)


async def token_request(keycloak: Keycloak, data: dict[str, str], auth: httpx.Auth | None = None) -> httpx.Response:
    """Post a form to the token endpoint, and return the response."""
    return await post((await metadata(keycloak))["token_endpoint"], data, auth)


async def authorize(
    keycloak: Keycloak, browser: Browser, *, username: str, password: str, **parameters: str
) -> dict[str, str]:
    """Send an authorization request in the browser, and return the parameters of the redirect to the client.

    Args:
        keycloak: the Keycloak to sign in at.
        browser: the browser, with its cookies.
        username: the user who signs in.
        password: the user's password.
        parameters: the parameters of the request; only `response_type`, `client_id`, `redirect_uri` and `state` have
            defaults, so PKCE and the scope are up to the caller.
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
    """Sign in by authorization code with PKCE (RFC 6749 section 4.1, RFC 7636), and return the token response."""
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
    """Request a token exchange (RFC 8693 section 2.1), and return the response.

    Args:
        keycloak: the Keycloak with the token endpoint.
        subject_token: the access token to exchange.
        client_id: the client that requests the exchange.
        client_secret: the client's secret; None for a public client.
        parameters: other parameters of the request, such as `audience`, `resource` and `scope`.
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
