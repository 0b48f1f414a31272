"""How this server proves to Keycloak which client it is: by a secret that both know, or by assertions that it signs.

A secret is sent with every exchange (RFC 6749 section 2.3.1). A private key never leaves this machine, and an
assertion is good for one request (RFC 7523 section 2.2; `private_key_jwt` in OpenID Connect Core section 9).

Either comes from a file that is read again when Keycloak refuses what was in it before, not for each exchange. A file
may have two secrets, a line each, and the one that Keycloak accepts is used. So the next secret is added first, then
Keycloak changes, and no call fails in between, whenever a server was started.
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
"""Seconds until an assertion expires; Keycloak takes it once within them."""

MIN_RSA_BITS: Final = 2048
"""RFC 7518 section 3.5."""


@dataclass(frozen=True)
class ClientParameters:
    """What a request to the token endpoint carries besides its own parameters."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    form: Mapping[str, str] = field(default_factory=dict, repr=False)


class ClientAuthentication(Protocol):
    """The seam between the two ways."""

    def authenticate(self, client_id: str, issuer: str) -> ClientParameters:
        """Return the proof for one request: `client_id` is who asks, `issuer` is who is asked."""
        ...

    def reload(self) -> Sequence[Self]:
        """Return what the file holds now: one or more, each to be tried for itself.

        Raises:
            SettingsError: that can't be used.
        """
        ...

    @property
    def advice(self) -> str:
        """What an administrator does when Keycloak refuses the proof."""
        ...


@dataclass(frozen=True)
class ClientSecret:
    """A shared secret; `file` is None where it came from the environment."""

    value: SecretStr
    file: Path | None = None

    def authenticate(self, client_id: str, issuer: str) -> ClientParameters:  # noqa: ARG002 - the secret is the same for whoever asks
        """Return HTTP Basic client authentication; both parts are form-encoded first (RFC 6749 section 2.3.1)."""
        pair = f"{quote_plus(client_id)}:{quote_plus(self.value.get_secret_value())}"
        return ClientParameters(headers={"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"})

    def reload(self) -> Sequence[Self]:
        """Return the secrets that the file holds now."""
        if self.file is None:
            return [self]
        secrets_now = read_secrets("OIDC_CLIENT_SECRET_FILE", self.file)
        return [replace(self, value=SecretStr(secret)) for secret in secrets_now]

    @property
    def advice(self) -> str:
        """Where the present secret belongs."""
        if self.file is None:
            return "set OIDC_CLIENT_SECRET to its present secret and restart this server"
        return f"write its present secret into {self.file}, which the next call reads"


@dataclass(frozen=True)
class ClientKey:
    """A private key whose public half Keycloak has.

    Attributes:
        file: where the key is, in PEM.
        kid: the key's id, as Keycloak derives it from a public key: the unpadded base64url SHA-256 of its DER.
        key: RSA, or EC on the curve P-256.
    """

    file: Path
    kid: str
    key: RSAKey | ECKey = field(repr=False, compare=False)

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read the key from its file.

        Raises:
            SettingsError: there is none that can be used.
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
        """Return an assertion for one request (RFC 7523 section 3), meant for the issuer alone."""
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
        """Return the key that the file holds now."""
        return [self.read(self.file)]

    @property
    def advice(self) -> str:
        """What Keycloak needs to know the key."""
        return f"give it the public key of {self.file}, and see that the clocks of both agree"


def _private_key(pem: str) -> RSAKey | ECKey | None:
    """Return the key, or None if it is none that signs assertions."""
    with suppress(JoseError, ValueError, TypeError):
        rsa = RSAKey.import_key(pem)
        return rsa if rsa.is_private and rsa.raw_value.key_size >= MIN_RSA_BITS else None
    with suppress(JoseError, ValueError, TypeError):
        ec = ECKey.import_key(pem)
        return ec if ec.is_private and ec.curve_name == "P-256" else None
    return None
