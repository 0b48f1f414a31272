"""Fetch and cache the issuer's metadata (RFC 8414, OpenID Connect Discovery 1.0) and signing keys (RFC 7517).

The discovery URL is a setting and may be an internal address. The `issuer` in its document is the issuer, and a token's
`iss` must be equal to it.

Three rules limit the effect of an outage or of many bad tokens. Cached keys stay in use while Keycloak is unreachable.
An unknown key id causes one fetch; if that fetch does not find the key, the next one waits for `REFETCH_INTERVAL`.
Concurrent requests share one fetch.
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
"""Seconds after which the keys are fetched again. A key that the realm has removed is accepted for as long."""

REFETCH_INTERVAL: Final = 10.0
"""Minimum seconds between two fetches for unknown key ids, if the first did not find its key. A fetch that found its
key does not count: only the issuer can publish a key, so no attacker can cause such fetches."""

RETRY_INTERVAL: Final = 1.0
"""Minimum seconds between a failed fetch and the next."""

_MIN_MODULUS: Final = 342
"""Characters of 2048 bits in base64url without padding."""

MAX_LOG_PAUSE: Final = 64.0
"""Maximum seconds between two log events until the first successful fetch."""

log = structlog.get_logger()


class IssuerMetadata(BaseModel):
    """The fields of the discovery document that this server uses."""

    issuer: str
    jwks_uri: str
    token_endpoint: str


@dataclass(frozen=True)
class _Snapshot:
    """Metadata and signing keys by key id, from one fetch."""

    metadata: IssuerMetadata
    keys: dict[str, Key]
    unusable_key_reasons: dict[str, str]
    """Reasons why other signing keys of the issuer can't be used, by key id."""
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
            IssuerUnavailableError: the metadata is not cached and can't be fetched.
        """
        return (await self._current()).metadata

    @property
    def known_metadata(self) -> IssuerMetadata | None:
        """The metadata of the last fetch, or None before the first; never causes a request."""
        return None if self._snapshot is None else self._snapshot.metadata

    async def fetch_until_success(self) -> None:
        """Fetch metadata and keys until that succeeds, and log each failure; the pauses double."""
        pause = RETRY_INTERVAL
        while self._snapshot is None:
            try:
                await self._current()
            except IssuerUnavailableError as error:
                log.warning("issuer.unavailable", **error.log_fields, detail=self._cause, again_in=pause)
                await anyio.sleep(pause)
                pause = min(2 * pause, MAX_LOG_PAUSE)

    async def key(self, key_id: str) -> Key:
        """Return the signing key with a token's `kid`.

        Raises:
            InvalidTokenError: the issuer publishes no such key, or it can't be used.
            IssuerUnavailableError: the key is not cached, and the issuer is unreachable.
        """
        snapshot = await self._current()
        if key_id not in snapshot.keys and key_id not in snapshot.unusable_key_reasons:
            snapshot = await self._fetch_newer_than(snapshot, for_key=key_id)
        if key_id in snapshot.unusable_key_reasons:
            raise InvalidTokenError(
                "The token is signed with a key of the realm that can't be used ({problem})",
                "the administrator must replace it in Keycloak (Realm settings > Keys)",
                problem=snapshot.unusable_key_reasons[key_id],
            )
        if key_id not in snapshot.keys:
            raise InvalidTokenError("The token is signed with a key that the issuer does not publish", "sign in again")
        return snapshot.keys[key_id]

    async def _current(self) -> _Snapshot:
        """Return the cached snapshot, after a refresh if it has expired; a failed refresh keeps it."""
        snapshot = self._snapshot
        if snapshot is None:
            return await self._fetch_newer_than(None)
        if self._clock() - snapshot.fetched_at < JWKS_LIFETIME or self._lock.locked():
            return snapshot  # also during a fetch: if Keycloak hangs, it must delay one call, not all
        try:
            return await self._fetch_newer_than(snapshot)
        except IssuerUnavailableError as error:
            if error.__cause__ is not None:  # this call has fetched; there is no cause within `RETRY_INTERVAL`
                log.warning("issuer.not_refreshed", **error.log_fields, detail=self._cause)
            return snapshot

    async def _fetch_newer_than(self, known: _Snapshot | None, *, for_key: str | None = None) -> _Snapshot:
        """Fetch once for all waiting calls; for unknown keys, not again within `REFETCH_INTERVAL`."""
        async with self._lock:
            if self._snapshot is not None and self._snapshot is not known:
                return self._snapshot  # another call has fetched it during the wait for the lock
            now = self._clock()
            if now < self._no_retry_before:
                raise self._unavailable()
            if for_key is not None and known is not None and now < self._no_refetch_before:
                return known
            try:
                self._snapshot = await self._fetch(now)
            except (httpx.HTTPError, ValueError) as error:
                self._no_retry_before = self._clock() + RETRY_INTERVAL  # not from `now`: a timeout takes seconds
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
        ValueError: the document is not a JWK set, or has no signing key.
    """
    if not isinstance(jwks, dict) or not isinstance(jwks.get("keys"), list):
        raise ValueError("not a JWK set")  # noqa: TRY004 - a wrong document, not a wrong call
    keys: dict[str, Key] = {}
    unusable_key_reasons: dict[str, str] = {}
    for jwk in jwks["keys"]:
        if not isinstance(jwk, dict) or jwk.get("use", "sig") != "sig" or not isinstance(jwk.get("kid"), str):
            continue
        try:
            keys[jwk["kid"]] = signing_key(jwk)
        except UnusableKeyError as error:
            unusable_key_reasons[jwk["kid"]] = str(error)
            log.info("issuer.key_passed_over", kty=str(jwk.get("kty")), reason=str(error))
    if not keys and not unusable_key_reasons:
        raise ValueError("a JWK set without signing keys")
    return keys, unusable_key_reasons


class UnusableKeyError(Exception):
    """A key of the issuer can't be used; the message says why."""


def signing_key(jwk: dict[str, Any]) -> Key:
    """Return the signing key of a JWK.

    Raises:
        UnusableKeyError: the key has an unknown type, or is too short (RFC 7518 section 3.3).
    """
    modulus = jwk.get("n")
    if jwk.get("kty") == "RSA" and isinstance(modulus, str) and len(modulus.rstrip("=")) < _MIN_MODULUS:
        raise UnusableKeyError("an RSA key shorter than 2048 bits")
    try:
        return import_key(jwk)
    except (JoseError, ValueError) as error:
        kind = " ".join(str(jwk[name])[:20] for name in ("kty", "crv") if name in jwk)
        raise UnusableKeyError(f"a key of the kind {kind!r}, which is unknown or damaged") from error
