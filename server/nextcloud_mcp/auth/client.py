"""Client authentication at Keycloak's token endpoint: with a shared secret, or with assertions that this server signs.

A secret is sent with every exchange (RFC 6749 section 2.3.1). A private key never leaves this machine, and an assertion
is valid for one request (RFC 7523 section 2.2; `private_key_jwt` in OpenID Connect Core section 9).

The file with the secret or key is read again when Keycloak rejects its content, not for each exchange. A file may have
two secrets, one per line, and the one that Keycloak accepts is used. To rotate a secret without failed calls, add the
new one to the file first, then change it in Keycloak.
"""

import base64
import hashlib
import secrets
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Protocol, Self
from urllib.parse import quote_plus

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey
from pydantic import SecretStr

from nextcloud_mcp.errors import SettingsError
from nextcloud_mcp.settings import read_secret, read_secrets

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFETIME: Final = 60
"""Seconds until an assertion expires. Keycloak accepts each assertion once."""

MIN_RSA_BITS: Final = 2048
"""RFC 7518 section 3.5."""


@dataclass(frozen=True)
class ClientParameters:
    """The headers and form parameters that authenticate the client in a token request."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    form: Mapping[str, str] = field(default_factory=dict, repr=False)


class ClientAuthentication(Protocol):
    """A method of client authentication."""

    def authenticate(self, client_id: str, issuer: str) -> ClientParameters:
        """Return the parameters that authenticate `client_id` in one token request to `issuer`."""
        ...

    def reload(self) -> Sequence[Self]:
        """Return what the file contains now: one or more alternatives, which the caller tries in order.

        Raises:
            SettingsError: the content of the file can't be used.
        """
        ...

    @property
    def advice(self) -> str:
        """What an administrator does when Keycloak rejects the client authentication."""
        ...


@dataclass(frozen=True)
class ClientSecret:
    """A shared secret; `file` is None if the secret is from the environment."""

    value: SecretStr
    file: Path | None = None

    def authenticate(self, client_id: str, issuer: str) -> ClientParameters:  # noqa: ARG002 - the same for each issuer
        """Return HTTP Basic client authentication; both parts are form-encoded first (RFC 6749 section 2.3.1)."""
        pair = f"{quote_plus(client_id)}:{quote_plus(self.value.get_secret_value())}"
        return ClientParameters(headers={"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"})

    def reload(self) -> Sequence[Self]:
        """Return the secrets that are in the file now."""
        if self.file is None:
            return [self]
        secrets_now = read_secrets("OIDC_CLIENT_SECRET_FILE", self.file)
        return [replace(self, value=SecretStr(secret)) for secret in secrets_now]

    @property
    def advice(self) -> str:
        """How to give this server its current secret."""
        if self.file is None:
            return "set OIDC_CLIENT_SECRET to its present secret and restart this server"
        return f"write its present secret into {self.file}, which the next call reads"


@dataclass(frozen=True)
class ClientKey:
    """A private key whose public key is registered in Keycloak.

    Attributes:
        file: the path of the key, in PEM.
        kid: the key id, as Keycloak derives it from a public key: the unpadded base64url SHA-256 of its DER encoding.
        key: RSA, or EC on the curve P-256.
    """

    file: Path
    kid: str
    key: RSAKey | ECKey = field(repr=False, compare=False)

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read the key from its file.

        Raises:
            SettingsError: the file contains no usable key.
        """
        key = _private_key(read_secret("OIDC_CLIENT_PRIVATE_KEY_FILE", file))
        if key is None:
            raise SettingsError(
                "OIDC_CLIENT_PRIVATE_KEY_FILE",
                f"{file} holds no private key in PEM, unencrypted, RSA of {MIN_RSA_BITS} bits or more or EC on P-256",
            )
        digest = hashlib.sha256(key.as_der(private=False)).digest()
        return cls(file, base64.urlsafe_b64encode(digest).decode().rstrip("="), key)

    def authenticate(self, client_id: str, issuer: str) -> ClientParameters:
        """Return an assertion for one request (RFC 7523 section 3); its only audience is the issuer."""
        algorithm = "ES256" if isinstance(self.key, ECKey) else "PS256"
        now = int(time.time())
        claims = {
            "iss": client_id,
            "sub": client_id,
            "aud": issuer,
            "jti": secrets.token_urlsafe(16),
            "iat": now,
            "exp": now + LIFETIME,
        }
        header = {"alg": algorithm, "typ": "JWT", "kid": self.kid}
        assertion = jwt.encode(header, claims, self.key, algorithms=[algorithm])
        return ClientParameters(form={"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion})

    def reload(self) -> Sequence[Self]:
        """Return the key that is in the file now."""
        return [self.read(self.file)]

    @property
    def advice(self) -> str:
        """How to register the key in Keycloak."""
        return f"give it the public key of {self.file}, and see that the clocks of both agree"


def _private_key(pem: str) -> RSAKey | ECKey | None:
    """Return the private key, or None if `pem` has no key of a supported type and size."""
    with suppress(JoseError, ValueError, TypeError):
        rsa = RSAKey.import_key(pem)
        return rsa if rsa.is_private and rsa.raw_value.key_size >= MIN_RSA_BITS else None
    with suppress(JoseError, ValueError, TypeError):
        ec = ECKey.import_key(pem)
        return ec if ec.is_private and ec.curve_name == "P-256" else None
    return None
