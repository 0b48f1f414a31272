"""The realm's issuer and signing keys, cached as in user_oidc.

user_oidc caches the JWKS for an hour and does not fetch it again for an unknown `kid`. The stand-in does the same, to
show what happens on a real Nextcloud after a key rotation: every call gets 401 for an hour.
"""

import asyncio
import logging
import time
from dataclasses import dataclass

import httpx
from joserfc.jwk import KeySet

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Realm:
    """The realm's issuer and keys.

    Attributes:
        issuer: The exact `iss` of the realm's tokens.
        keys: The keys that verify the tokens.
    """

    issuer: str
    keys: KeySet


class CachedRealmKeys:
    """Fetches the realm's keys at first use and caches them.

    Args:
        discovery_url: URL of the OpenID Connect discovery document.
        ttl: Seconds until the keys are fetched again.
        transport: Replaces the network, for tests.
    """

    def __init__(self, discovery_url: str, *, ttl: float, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._discovery_url = discovery_url
        self._ttl = ttl
        self._transport = transport
        self._realm: Realm | None = None
        self._fetched_at = 0.0
        self._lock = asyncio.Lock()

    async def get(self) -> Realm | None:
        """Return the realm, or None while it cannot be reached; every token is then refused."""
        async with self._lock:
            if self._realm is None or time.monotonic() - self._fetched_at >= self._ttl:
                self._realm = await self._fetch()
                self._fetched_at = time.monotonic()
            return self._realm

    async def _fetch(self) -> Realm | None:
        try:
            async with httpx.AsyncClient(timeout=10, transport=self._transport) as client:
                metadata = (await client.get(self._discovery_url)).raise_for_status().json()
                jwks = (await client.get(metadata["jwks_uri"])).raise_for_status().json()
        except (httpx.HTTPError, ValueError, KeyError) as error:
            _log.warning("The realm's keys cannot be fetched from %s: %r", self._discovery_url, error)
            return None
        return Realm(metadata["issuer"], KeySet.import_key_set(jwks))
