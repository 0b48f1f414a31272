"""Keys of a test's own, to sign tokens that Keycloak would not issue: expired ones, or with other claims."""

from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey
from keycloak import KeycloakAdmin


class SigningKey:
    """An RSA key that signs access tokens as Keycloak does."""

    def __init__(self, key_id: str = "unknown") -> None:
        self.key_id = key_id
        self._key = RSAKey.generate_key(2048)

    def sign(self, claims: dict[str, Any], **header: str) -> str:
        """Return a JWT with these claims."""
        return jwt.encode({"alg": "RS256", "typ": "JWT", "kid": self.key_id} | header, claims, self._key)

    def add_to_realm(self, admin: KeycloakAdmin) -> None:
        """Make the realm publish this key as one that verifies but does not sign (a passive key)."""
        admin.create_component(
            {
                "name": "a key of the tests",
                "providerId": "rsa",
                "providerType": "org.keycloak.keys.KeyProvider",
                "config": {
                    "privateKey": [self._key.as_pem(private=True).decode()],
                    "algorithm": ["RS256"],
                    "active": ["false"],
                    "enabled": ["true"],
                    "priority": ["0"],
                },
            }
        )
        modulus = self._key.as_dict(private=False)["n"]
        certificates = admin.connection.raw_get(f"/realms/{admin.connection.realm_name}/protocol/openid-connect/certs")
        self.key_id = next(key["kid"] for key in certificates.json()["keys"] if key["n"] == modulus)
