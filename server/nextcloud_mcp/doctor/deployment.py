"""The deployment that is looked at: its settings, ways to ask its parts, and what earlier steps have seen of them."""

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
    """What the command line and the environment give the doctor besides the server's settings.

    Attributes:
        token: an access token of a person's for the server; the steps that need one are skipped without.
        occ: the command that runs Nextcloud's occ, as a list of words.
        provider: what user_oidc calls the realm; None finds it by its address.
        registration: whether a client may be registered, and deleted again, to see that it can.
        realm_file: the realm that was imported; None is the shipped one.
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
    """One deployment, and what is known of it so far; a step that reads a field `needs` the step that fills it.

    Attributes:
        settings: the server's.
        options: the doctor's.
        http: speaks to Keycloak and to the server.
        nextcloud: speaks to Nextcloud, with the headers that the server sends.
        metadata: the issuer's, as it is at `OIDC_DISCOVERY_URL`.
        keys: the ids of the realm's signing keys that the server can use.
        challenge: parameters of the server's `WWW-Authenticate`.
        resource: the server's protected resource metadata.
        principal: whose token it is.
        nextcloud_token: with what a call goes on to Nextcloud.
        user_id: the person's id there.
        apps: Nextcloud's apps for them, as the capabilities call them.
        provider: the realm in user_oidc, settings included.
        shipped: the realm as its file has it.
        live: the realm as an administrator sees it, by the same names.
        comparison: what is learnt of the placeholders of the former from the latter.
        clocks: seconds by which another clock is ahead of this machine's, by whose it is.
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
        """What the server offers."""
        return offered(self.settings)

    @property
    def realm(self) -> str:
        """The realm's name, as Keycloak's addresses have it."""
        return str(self.metadata.get("issuer", "")).rpartition("/realms/")[2] or "REALM"

    @property
    def keycloak_url(self) -> str:
        """Where this machine reaches Keycloak: what stands before the realm in the discovery URL."""
        return self.settings.discovery_url.partition("/realms/")[0]


def is_loopback(url: str) -> bool:
    """Say whether a URL leads to the machine that uses it."""
    return urlsplit(url).hostname in LOOPBACK


async def ask(http: httpx.AsyncClient, method: str, url: str, *, fix: str, **parts: Any) -> httpx.Response:
    """Send a request and return the answer, whatever its status.

    Raises:
        Fault: there is none, because of the network; `fix` is what to do about that.
    """
    try:
        return await http.request(method, url, **parts)
    except httpx.InvalidURL as error:  # which httpx counts among the programmer's errors; here it is the metadata's
        raise Fault(f"{url} is no address", fix) from error
    except httpx.HTTPError as error:
        raise Fault(f"{_absolute(http, url)} gives no answer: {network_cause(error)}", fix) from error


async def ask_in_passing(http: httpx.AsyncClient, url: str, **parts: Any) -> httpx.Response | None:
    """Get what is good to know and no fault where there is none; then it is None."""
    try:
        return await ask(http, "GET", url, fix="", **parts)
    except Fault:
        return None


def _absolute(http: httpx.AsyncClient, url: str) -> str:
    return str(http.base_url).rstrip("/") + url if url.startswith("/") else url


async def ask_json(http: httpx.AsyncClient, url: str, *, fix: str) -> dict[str, Any]:
    """Get a JSON object.

    Raises:
        Fault: there is none at that address.
    """
    response = await ask(http, "GET", url, fix=fix)
    document = json_object(response) if response.is_success else None
    if document is None:
        kind = response.headers.get("content-type", "no content type")
        raise Fault(f"{_absolute(http, url)} is no JSON object: HTTP {response.status_code}, {kind}", fix)
    return document


def json_object(response: httpx.Response) -> dict[str, Any] | None:
    """Return the JSON object that an answer is, or None if it is none."""
    try:
        document = response.json()
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def unverified(token: str) -> dict[str, Any]:
    """Read claims without verifying: of a token that is refused, or that came from the token endpoint itself."""
    try:
        claims = json.loads(jws.extract_compact(token.encode()).payload)
    except (JoseError, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}


def network_cause(error: BaseException) -> str:
    """Say in a few words what kept a request from its answer: the innermost cause knows best."""
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
    """Say whether a connection was refused; where each of a name's addresses refuses, asyncio joins the texts."""
    return isinstance(error, ConnectionRefusedError) or f"[Errno {errno.ECONNREFUSED}]" in str(error)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Walk from an error to what it came from; httpx and anyio wrap the operating system's errors several times."""
    seen: list[BaseException] = []
    waiting = [error]
    while waiting:
        current = waiting.pop(0)
        if current is None or current in seen:
            continue
        seen.append(current)
        waiting += [current.__cause__, current.__context__]
        waiting += list(current.exceptions) if isinstance(current, BaseExceptionGroup) else []
    # time-outs are the outermost of a chain that starts with a cancellation
    yield from reversed(seen)
