"""Signs a demo user in as an MCP client would, without a browser: for the first call of the stack.

The client registers itself (RFC 7591), gets a code with PKCE (RFC 7636) from Keycloak's real pages, and is deleted
afterwards with its registration access token (RFC 7592), together with the user's consent.
"""

import base64
import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from typing import Any, Final
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx

from stack.errors import StackError
from stack.keycloak import Keycloak

REDIRECT_URI: Final = "http://localhost/callback"
"""Nothing listens there: the URL of the redirect has all that the client needs."""

MAX_PAGES: Final = 10
TIMEOUT_SECONDS: Final = 120.0


@contextmanager
def signed_in(keycloak: Keycloak, *, username: str, password: str, scope: str, resource: str) -> Iterator[str]:
    """Yield a user's access token; after the block, its client no longer exists.

    Raises:
        StackError: Keycloak refuses the client or the user, or does not answer; the message has no secret.
    """
    try:
        with httpx.Client(trust_env=False, timeout=TIMEOUT_SECONDS) as http, _registered(http, keycloak) as client_id:
            verifier = secrets.token_urlsafe(48)
            challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
            request = httpx.URL(
                f"{keycloak.issuer}/protocol/openid-connect/auth",
                params={
                    "response_type": "code",
                    "client_id": client_id,
                    "redirect_uri": REDIRECT_URI,
                    "scope": scope,
                    "resource": resource,
                    "code_challenge": challenge,
                    "code_challenge_method": "S256",
                },
            )
            form = {
                "grant_type": "authorization_code",
                "code": _code(http, str(request), {"username": username, "password": password}),
                "client_id": client_id,
                "redirect_uri": REDIRECT_URI,
                "resource": resource,
                "code_verifier": verifier,
            }
            yield str(_json(http.post(f"{keycloak.issuer}/protocol/openid-connect/token", data=form))["access_token"])
    except httpx.HTTPError as error:
        raise StackError(f"Keycloak gave no answer to a sign-in ({type(error).__name__}): see its log.") from error


@contextmanager
def _registered(http: httpx.Client, keycloak: Keycloak) -> Iterator[str]:
    """Register a client for as long as the block lasts, and yield its id."""
    metadata = {
        "client_name": "The stack's first call (deleted at once)",
        "redirect_uris": [REDIRECT_URI],
        "token_endpoint_auth_method": "none",
    }
    client = _json(http.post(f"{keycloak.issuer}/clients-registrations/openid-connect", json=metadata))
    try:
        yield str(client["client_id"])
    finally:
        bearer = {"Authorization": f"Bearer {client['registration_access_token']}"}
        http.delete(str(client["registration_client_uri"]), headers=bearer)


def _json(response: httpx.Response) -> dict[str, Any]:
    """Return the body of a successful response, which is a JSON object.

    Raises:
        StackError: Keycloak refused the request.
    """
    try:
        answer: dict[str, Any] = response.json()
    except ValueError:
        answer = {}
    if response.is_success and answer:
        return answer
    reason = answer.get("error_description") or answer.get("error") or f"HTTP {response.status_code}"
    raise StackError(f"Keycloak refuses a sign-in ({reason}): see its log.")


def _code(http: httpx.Client, url: str, credentials: dict[str, str]) -> str:
    """Fill in Keycloak's pages, login and consent, and return the code of the redirect.

    Raises:
        StackError: there is no such page, or no code.
    """
    # Keycloak marks its cookies `Secure`. Browsers send these to http://localhost too; httpx does not.
    cookies: dict[str, str] = {}
    method, data = "GET", None
    for _ in range(MAX_PAGES):
        header = "; ".join(f"{name}={value}" for name, value in cookies.items())
        http.cookies.clear()
        response = http.request(method, url, data=data, headers={"cookie": header} if header else {})
        for cookie in response.headers.get_list("set-cookie"):
            cookies |= {name: morsel.coded_value for name, morsel in SimpleCookie(cookie).items()}
        if response.has_redirect_location:
            url = urljoin(url, response.headers["location"])
            method, data = "GET", None
            if url.startswith(REDIRECT_URI):
                return _parameter(url, "code")
        else:
            form = Form(response.text)
            if form.action is None:
                break
            url, method, data = urljoin(url, form.action), "POST", form.filled_in(credentials)
    raise StackError(f"Keycloak does not show the pages of a sign-in at {urlsplit(url).path}: see its log.")


def _parameter(url: str, name: str) -> str:
    query = parse_qs(urlsplit(url).query)
    if name not in query:
        reason = " ".join([*query.get("error", []), *query.get("error_description", [])])
        raise StackError(f"Keycloak refuses a sign-in ({reason}): see its log.")
    return query[name][0]


class Form(HTMLParser):
    """The form of one of Keycloak's pages: its address, and its fields with their values."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.action: str | None = None
        self.fields: dict[str, str] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect the form's address and fields."""
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.action = attributes.get("action")
        elif tag in {"input", "button"} and "name" in attributes:
            self.fields[attributes["name"]] = attributes.get("value", "")

    def filled_in(self, credentials: dict[str, str]) -> dict[str, str]:
        """Return the fields of the login page with the credentials, or those of the consent page with *accept*."""
        if "accept" in self.fields:
            return {"code": self.fields["code"], "accept": ""}
        return self.fields | credentials
