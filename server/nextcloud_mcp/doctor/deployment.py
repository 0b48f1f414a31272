"""The deployment that the doctor checks: its settings, its HTTP clients, and the results of earlier steps."""

import errno
import json
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from joserfc import jws
from joserfc.errors import JoseError

from nextcloud_mcp.app import offered
from nextcloud_mcp.auth.scopes import Offer
from nextcloud_mcp.auth.verifier import Principal
from nextcloud_mcp.doctor.finding import Fault
from nextcloud_mcp.doctor.realm_file import Comparison
from nextcloud_mcp.settings import Settings

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class Options:
    """The doctor's own options, from the command line and the environment.

    Attributes:
        token: a user's access token for the server; without it, the steps that need one are skipped.
        occ: the command that runs Nextcloud's occ, split into arguments.
        provider: the realm's name in user_oidc; None finds the provider by its discovery endpoint.
        registration: whether the doctor may register a client and delete it again, to check that registration works.
        realm_file: path of the realm file that was imported; None is the shipped one.
        admin: user name and password of an administrator of Keycloak.
    """

    token: str | None = field(default=None, repr=False)
    occ: tuple[str, ...] = ()
    provider: str | None = None
    registration: bool = True
    realm_file: str | None = None
    admin: tuple[str, str] | None = field(default=None, repr=False)


@dataclass
class Deployment:
    """One deployment, and what the steps have found out about it so far.

    A step that reads a field lists the step that sets it in its `needs`.

    Attributes:
        settings: the server's settings.
        options: the doctor's options.
        http: the HTTP client for Keycloak and the server.
        nextcloud: the HTTP client for Nextcloud, which sends the same headers as the server's.
        metadata: the issuer's metadata, from `OIDC_DISCOVERY_URL`.
        keys: the ids (`kid`) of the realm's signing keys that the server can use.
        challenge: the parameters of the server's `WWW-Authenticate` header.
        resource: the server's protected resource metadata.
        principal: the user and client of the verified token.
        nextcloud_token: the token that a call sends to Nextcloud.
        user_id: the user's id in Nextcloud.
        apps: the Nextcloud apps of this user, by their names in the capabilities.
        provider: the realm's provider in user_oidc, with its settings.
        shipped: the realm as the file defines it.
        live: the realm as the Admin REST API returns it, under the names of the file.
        comparison: compares `shipped` with `live`, and knows the values of the file's placeholders.
        clocks: seconds by which a clock is ahead of this machine's, by the name of the machine.
    """

    settings: Settings
    options: Options
    http: httpx.AsyncClient
    nextcloud: httpx.AsyncClient
    metadata: dict[str, Any] = field(default_factory=dict)
    keys: frozenset[str] = frozenset()
    challenge: dict[str, str] = field(default_factory=dict)
    resource: dict[str, Any] = field(default_factory=dict)
    principal: Principal | None = None
    nextcloud_token: str = field(default="", repr=False)
    user_id: str = ""
    apps: frozenset[str] = frozenset()
    provider: dict[str, Any] = field(default_factory=dict)
    shipped: dict[str, Any] = field(default_factory=dict)
    live: dict[str, Any] = field(default_factory=dict)
    comparison: Comparison = field(default_factory=Comparison)
    clocks: dict[str, float] = field(default_factory=dict)

    @property
    def offer(self) -> Offer:
        """The tools that the server offers, with their scopes."""
        return offered(self.settings)

    @property
    def realm(self) -> str:
        """The realm's name, as in Keycloak's URLs."""
        return str(self.metadata.get("issuer", "")).rpartition("/realms/")[2] or "REALM"

    @property
    def keycloak_url(self) -> str:
        """The base URL at which this machine reaches Keycloak: the part of the discovery URL before the realm."""
        return self.settings.discovery_url.partition("/realms/")[0]


def is_loopback(url: str) -> bool:
    """Return whether the host of a URL is a loopback address."""
    return urlsplit(url).hostname in LOOPBACK


async def ask(http: httpx.AsyncClient, method: str, url: str, *, fix: str, **parts: Any) -> httpx.Response:
    """Send a request and return the response, whatever its status.

    Raises:
        Fault: the URL is invalid, or the request failed without a response; `fix` becomes the fault's fix.
    """
    try:
        return await http.request(method, url, **parts)
    except httpx.InvalidURL as error:  # no HTTPError in httpx; the URL may come from the issuer's metadata
        raise Fault(f"{url} is not a valid URL", fix) from error
    except httpx.HTTPError as error:
        raise Fault(f"{_absolute(http, url)} does not answer: {network_cause(error)}", fix) from error


async def get_or_none(http: httpx.AsyncClient, url: str, **parts: Any) -> httpx.Response | None:
    """Send a GET request and return the response, or None if there was no response."""
    try:
        return await ask(http, "GET", url, fix="", **parts)
    except Fault:
        return None


def _absolute(http: httpx.AsyncClient, url: str) -> str:
    return str(http.base_url).rstrip("/") + url if url.startswith("/") else url


async def ask_json(http: httpx.AsyncClient, url: str, *, fix: str) -> dict[str, Any]:
    """Fetch a JSON object.

    Raises:
        Fault: the request failed, or the response is not a JSON object.
    """
    response = await ask(http, "GET", url, fix=fix)
    document = json_object(response) if response.is_success else None
    if document is None:
        kind = response.headers.get("content-type", "no content type")
        raise Fault(f"{_absolute(http, url)} is not a JSON object: HTTP {response.status_code}, {kind}", fix)
    return document


def json_object(response: httpx.Response) -> dict[str, Any] | None:
    """Return the body of a response if it is a JSON object, else None."""
    try:
        document = response.json()
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def unverified(token: str) -> dict[str, Any]:
    """Return a token's claims without verifying its signature, or an empty dict if it is not a JWT.

    Use it for tokens that were refused, or that came from the token endpoint.
    """
    try:
        claims = json.loads(jws.extract_compact(token.encode()).payload)
    except (JoseError, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}


def network_cause(error: BaseException) -> str:
    """Return in a few words why a request failed, from the innermost cause that is known."""
    for cause in _causes(error):
        match cause:
            case ssl.SSLCertVerificationError():
                return f"its certificate is not trusted ({cause.verify_message})"
            case ssl.SSLError():
                return "it speaks no TLS, or none that this machine speaks"
            case socket.gaierror():
                return "the name does not resolve"
            case OSError() if _is_refusal(cause):
                return "nothing listens there"
            case httpx.TimeoutException() | TimeoutError():
                return "it takes too long"
    return f"the connection fails ({type(error).__name__})"


def _is_refusal(error: OSError) -> bool:
    """Return whether a connection was refused.

    If all addresses of a host name refuse, asyncio raises a plain OSError that joins their messages.
    """
    return isinstance(error, ConnectionRefusedError) or f"[Errno {errno.ECONNREFUSED}]" in str(error)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and its causes, innermost first; httpx and anyio wrap the OS errors several times."""
    seen: list[BaseException] = []
    waiting = [error]
    while waiting:
        current = waiting.pop(0)
        if current is None or current in seen:
            continue
        seen.append(current)
        waiting += [current.__cause__, current.__context__]
        waiting += list(current.exceptions) if isinstance(current, BaseExceptionGroup) else []
    # a time-out is the outermost error of a chain that starts with a cancellation
    yield from reversed(seen)
