"""Access tokens that tests mint: like Keycloak's, except for the header or claims that a test changes."""

import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from joserfc.jwk import Key, RSAKey
from joserfc.jws import JWSRegistry
from keycloak import KeycloakAdmin


def rsa_key(key_id: str) -> RSAKey:
    """Generate a signing key with this id."""
    return RSAKey.generate_key(2048, {"kid": key_id, "use": "sig", "alg": "RS256"})


def signed(header: str, payload: str, key: Key, *, algorithm: str = "RS256", encoding: str = "utf-8") -> str:
    """Sign any header and payload, even invalid ones, which a JWT library would refuse."""
    parts = (header.encode(encoding), payload.encode(encoding))
    signing_input = ".".join(urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
    signature = JWSRegistry.algorithms[algorithm].sign(signing_input.encode(), key)
    return f"{signing_input}.{urlsafe_b64encode(signature).decode().rstrip('=')}"


class Minter:
    """Mints access tokens like Keycloak's.

    Attributes:
        issuer: The tokens' `iss`.
        resource: The server's URL in `aud`, besides `nextcloud`.
        signing_key: The key that signs the tokens.
    """

    def __init__(self, *, issuer: str, resource: str, key: RSAKey) -> None:
        self.issuer = issuer
        self.resource = resource
        self.signing_key = self._first_key = key

    @cached_property
    def foreign_key(self) -> RSAKey:
        """Another key with the `kid` of the first signing key, generated at first use."""
        return rsa_key(str(self._first_key.kid))

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Return the claims of an access token; a change to None leaves a claim out."""
        now = int(time.time())
        usual = {
            "exp": now + 300,
            "iat": now,
            "jti": "onrtac:5d2a",
            "iss": self.issuer,
            "aud": [self.resource, "nextcloud"],
            "sub": "f1c9-alice",
            "typ": "Bearer",
            "azp": "mcp-client",
            "sid": "b7aa",
            "scope": "nextcloud-mcp:exchange notes:read files:read",
            "preferred_username": "alice",
        }
        return {name: value for name, value in (usual | changes).items() if value is not None}

    def mint(self, *, key: Key | None = None, header: Mapping[str, Any] | None = None, **changes: Any) -> str:
        """Sign an access token; `header` and `changes` add, replace or (None) remove header parameters and claims."""
        usual = {"alg": "RS256", "typ": "JWT", "kid": self.signing_key.kid}
        protected = {name: value for name, value in (usual | dict(header or {})).items() if value is not None}
        return signed(json.dumps(protected), json.dumps(self.claims(**changes)), key or self.signing_key)


def realm_key(admin: KeycloakAdmin) -> RSAKey:
    """Add a passive key to the realm, which publishes it but does not sign with it; return it with the private part."""
    key = rsa_key("made for the realm")
    admin.create_component(
        {
            "name": "a key of the tests",
            "providerId": "rsa",
            "providerType": "org.keycloak.keys.KeyProvider",
            "config": {
                "privateKey": [key.as_pem(private=True).decode()],
                "algorithm": ["RS256"],
                "active": ["false"],
                "enabled": ["true"],
                "priority": ["0"],
            },
        }
    )
    numbers = key.as_dict(private=True)
    certificates = admin.connection.raw_get(f"/realms/{admin.connection.realm_name}/protocol/openid-connect/certs")
    published = next(jwk for jwk in certificates.json()["keys"] if jwk["n"] == numbers["n"])
    return RSAKey.import_key({**numbers, "kid": published["kid"]})
