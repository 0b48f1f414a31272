"""The issuer's metadata (RFC 8414, OpenID Connect Discovery 1.0) and signing keys (RFC 7517), cached and rotated.

The discovery URL is configuration and may be an internal address; whatever `issuer` its document names is the
issuer, and tokens must name exactly that.

Three rules keep an outage or a flood of bad tokens from spreading: keys that are known go on verifying while
Keycloak is away; an unknown key id causes one new fetch, and in vain no more than one every `REFETCH_INTERVAL`; and
concurrent requests share one fetch.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import anyio
import httpx
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import Key, import_key
from pydantic import BaseModel

from nextcloud_mcp.connections import cause_of
from nextcloud_mcp.errors import InvalidTokenError, IssuerUnavailableError

JWKS_LIFETIME: Final = 300.0
"""Seconds after which the keys are fetched anew: how long a key that the realm has withdrawn is still believed."""

REFETCH_INTERVAL: Final = 10.0
"""Least number of seconds from a fetch that an unknown key id caused in vain to the next; one that found its key
was no flood's, for nobody else can make the issuer publish it."""

RETRY_INTERVAL: Final = 1.0
"""Least number of seconds between a failed fetch and the next."""

_MIN_MODULUS: Final = 342
"""Characters of 2048 bits in BASE64URL, without padding."""

MAX_LOG_PAUSE: Final = 64.0
"""Most seconds between two events about an issuer that was never there."""

log = structlog.get_logger()


class IssuerMetadata(BaseModel):
    """What this server uses of the issuer's discovery document."""

    issuer: str
    jwks_uri: str
    token_endpoint: str


@dataclass(frozen=True)
class _Snapshot:
    """Metadata and signing keys by key id, as fetched at one time."""

    metadata: IssuerMetadata
    keys: dict[str, Key]
    unusable: dict[str, str]
    """Signing keys of the issuer's that can't be used here, and why."""
    fetched_at: float


class Issuer:
    """The one authorization server that this resource server trusts."""

    def __init__(
        self, http: httpx.AsyncClient, discovery_url: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._http = http
        self._discovery_url = discovery_url
        self._clock = clock
        self._snapshot: _Snapshot | None = None
        self._no_refetch_before = -math.inf
        self._no_retry_before = -math.inf
        self._failure = self._cause = ""
        self._lock = anyio.Lock()

    async def metadata(self) -> IssuerMetadata:
        """Return the issuer's metadata.

        Raises:
            IssuerUnavailableError: it has never been fetched, and can't be now.
        """
        return (await self._current()).metadata

    async def await_first(self) -> None:
        """Return once metadata and keys are there, and log until then why they are not: after pauses that double."""
        pause = RETRY_INTERVAL
        while self._snapshot is None:
            try:
                await self._current()
            except IssuerUnavailableError as error:
                log.warning("issuer.unavailable", **error.log_fields, detail=self._cause, again_in=pause)
                await anyio.sleep(pause)
                pause = min(2 * pause, MAX_LOG_PAUSE)

    async def key(self, key_id: str) -> Key:
        """Return the signing key that a token's `kid` names.

        Raises:
            InvalidTokenError: the issuer has no such key, or it can't be used here.
            IssuerUnavailableError: the key is not known here, and the issuer can't be asked.
        """
        snapshot = await self._current()
        if key_id not in snapshot.keys and key_id not in snapshot.unusable:
            snapshot = await self._newer_than(snapshot, for_key=key_id)
        if key_id in snapshot.unusable:
            raise InvalidTokenError(
                "The token is signed with a key of the realm that can't be used ({problem})",
                "the administrator must replace it in Keycloak (Realm settings > Keys)",
                problem=snapshot.unusable[key_id],
            )
        if key_id not in snapshot.keys:
            raise InvalidTokenError("The token is signed with a key that the issuer does not publish", "sign in again")
        return snapshot.keys[key_id]

    async def _current(self) -> _Snapshot:
        """Return what is known, fetched anew when it is old; the old serves on if that fails."""
        snapshot = self._snapshot
        if snapshot is None:
            return await self._newer_than(None)
        if self._clock() - snapshot.fetched_at < JWKS_LIFETIME or self._lock.locked():
            return snapshot  # also while somebody is fetching: a Keycloak that hangs must hold up one call, not all
        try:
            return await self._newer_than(snapshot)
        except IssuerUnavailableError as error:
            if error.__cause__ is not None:  # asked just now, and not within `RETRY_INTERVAL` of that
                log.warning("issuer.not_refreshed", **error.log_fields, detail=self._cause)
            return snapshot

    async def _newer_than(self, known: _Snapshot | None, *, for_key: str | None = None) -> _Snapshot:
        """Fetch once for all who wait; for unknown keys in vain no more than once every `REFETCH_INTERVAL`."""
        async with self._lock:
            if self._snapshot is not None and self._snapshot is not known:
                return self._snapshot  # somebody fetched it while we waited for the lock
            now = self._clock()
            if now < self._no_retry_before:
                raise self._unavailable()
            if for_key is not None and known is not None and now < self._no_refetch_before:
                return known
            try:
                self._snapshot = await self._fetch(now)
            except (httpx.HTTPError, ValueError) as error:
                self._no_retry_before = self._clock() + RETRY_INTERVAL  # from now: a time-out has taken a while
                self._failure, self._cause = type(error).__name__, cause_of(error)
                raise self._unavailable() from error
            if for_key is not None and for_key not in self._snapshot.keys:
                self._no_refetch_before = now + REFETCH_INTERVAL
            log.info("issuer.fetched", issuer=self._snapshot.metadata.issuer, keys=len(self._snapshot.keys))
            return self._snapshot

    def _unavailable(self) -> IssuerUnavailableError:
        return IssuerUnavailableError(
            "Keycloak gives no metadata or keys at {url} ({failure}), so no token can be checked",
            "try again shortly",
            url=self._discovery_url,
            failure=self._failure,
        )

    async def _fetch(self, now: float) -> _Snapshot:
        metadata = IssuerMetadata.model_validate(await self._get_json(self._discovery_url))
        jwks = await self._get_json(metadata.jwks_uri)
        return _Snapshot(metadata, *_signing_keys(jwks), now)

    async def _get_json(self, url: str) -> object:
        response = await self._http.get(url)
        response.raise_for_status()
        return response.json()


def _signing_keys(jwks: object) -> tuple[dict[str, Key], dict[str, str]]:
    """Return the signing keys of a JWK set, and the reasons why other signing keys can't be used (RFC 7517 section 5).

    Raises:
        ValueError: the document is no JWK set, or has no signing key.
    """
    if not isinstance(jwks, dict) or not isinstance(jwks.get("keys"), list):
        raise ValueError("not a JWK set")  # noqa: TRY004 - a wrong document, not a wrong call
    keys: dict[str, Key] = {}
    unusable: dict[str, str] = {}
    for jwk in jwks["keys"]:
        if not isinstance(jwk, dict) or jwk.get("use", "sig") != "sig" or not isinstance(jwk.get("kid"), str):
            continue
        try:
            keys[jwk["kid"]] = signing_key(jwk)
        except UnusableKeyError as error:
            unusable[jwk["kid"]] = str(error)
            log.info("issuer.key_passed_over", kty=str(jwk.get("kty")), reason=str(error))
    if not keys and not unusable:
        raise ValueError("a JWK set without signing keys")
    return keys, unusable


class UnusableKeyError(Exception):
    """A key of the issuer's can't be used; the message says why."""


def signing_key(jwk: dict[str, Any]) -> Key:
    """Return a signing key of a JWK set.

    Raises:
        UnusableKeyError: it is of an unknown kind, or too short (RFC 7518 section 3.3).
    """
    modulus = jwk.get("n")
    if jwk.get("kty") == "RSA" and isinstance(modulus, str) and len(modulus.rstrip("=")) < _MIN_MODULUS:
        raise UnusableKeyError("an RSA key shorter than 2048 bits")
    try:
        return import_key(jwk)
    except (JoseError, ValueError) as error:
        kind = " ".join(str(jwk[name])[:20] for name in ("kty", "crv") if name in jwk)
        raise UnusableKeyError(f"a key of the kind {kind!r}, which is unknown or damaged") from error
