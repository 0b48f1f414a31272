"""An issuer for unit tests: signs whatever it is told to, counts what it is asked, and fails on demand."""

import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qs

import anyio
import httpx
from joserfc.jwk import Key, RSAKey
from joserfc.jws import JWSRegistry

ISSUER: Final = "http://keycloak.test/realms/cloud"
DISCOVERY_URL: Final = f"{ISSUER}/.well-known/openid-configuration"
JWKS_PATH: Final = "/realms/cloud/protocol/openid-connect/certs"
TOKEN_PATH: Final = "/realms/cloud/protocol/openid-connect/token"

SERVER_URL: Final = "http://localhost:8000/mcp"
"""The resource that the tokens are meant for, unless a test says otherwise."""

SERVER_SCOPE: Final = {"exchange": "nextcloud-mcp:exchange", "pass-through": "nextcloud-mcp:pass-through"}

Answer = Callable[[httpx.Request], httpx.Response]


def answer(status: int = 200, **response: Any) -> Answer:
    """Answer every request alike; `response` is what `httpx.Response` takes."""
    return lambda _: httpx.Response(status, **response)


def failing(error: type[httpx.TransportError]) -> Answer:
    """Fail as the network does."""

    def fail(request: httpx.Request) -> httpx.Response:
        raise error("the network fails", request=request)

    return fail


def rsa_key(key_id: str) -> RSAKey:
    """Make a signing key with this id."""
    return RSAKey.generate_key(2048, {"kid": key_id, "use": "sig", "alg": "RS256"})


FIRST_KEY: Final = rsa_key("first-key")
SECOND_KEY: Final = rsa_key("second-key")
FOREIGN_KEY: Final = rsa_key("first-key")
"""Bears the name of the issuer's key and is another."""


def signed(header: str, payload: str, key: Key, *, algorithm: str = "RS256") -> str:
    """Sign whatever it is, as a library for honest use would refuse to."""
    signing_input = ".".join(urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in (header, payload))
    signature = JWSRegistry.algorithms[algorithm].sign(signing_input.encode(), key)
    return f"{signing_input}.{urlsafe_b64encode(signature).decode().rstrip('=')}"


class FakeIssuer:
    """Plays Keycloak: discovery, JWKS and the token endpoint of one realm.

    Attributes:
        requests: All that it was asked, in order.
        keys: The JWK set that it publishes.
        signing_key: What `mint` signs with.
        instead: Per path, or for all by `""`, what it answers in place of what it should.
        gate: Holds every answer back until it is set.
    """

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.signing_key: Key = FIRST_KEY
        self.keys: list[dict[str, Any]] = [FIRST_KEY.as_dict(private=False)]
        self.instead: dict[str, Answer] = {}
        self.gate = anyio.Event()
        self.gate.set()

    @property
    def transport(self) -> httpx.MockTransport:
        """A transport on which there is nothing but this issuer."""
        return httpx.MockTransport(self._handle)

    def fetches(self, path: str = JWKS_PATH) -> int:
        """How often a path was asked for."""
        return sum(request.url.path == path for request in self.requests)

    def exchanges(self) -> list[dict[str, str]]:
        """The parameters of every token exchange."""
        return [
            {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
            for request in self.requests
            if request.url.path == TOKEN_PATH
        ]

    def rotate(self) -> None:
        """Sign with another key from now on, and publish that one alone."""
        self.signing_key = SECOND_KEY
        self.keys = [SECOND_KEY.as_dict(private=False)]

    def down(self) -> None:
        """Refuse every connection."""
        self.instead[""] = failing(httpx.ConnectError)

    def up(self) -> None:
        """Behave again."""
        self.instead.clear()

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Return the claims of an access token as Keycloak makes them; a change to None leaves a claim out."""
        now = int(time.time())
        usual = {
            "exp": now + 300,
            "iat": now,
            "jti": "onrtac:5d2a",
            "iss": ISSUER,
            "aud": [SERVER_URL, "nextcloud"],
            "sub": "f1c9-alice",
            "typ": "Bearer",
            "azp": "mcp-client",
            "sid": "b7aa",
            "scope": "nextcloud-mcp:exchange notes:read files:read",
            "preferred_username": "alice",
        }
        return {name: value for name, value in (usual | changes).items() if value is not None}

    def mint(self, *, key: Key | None = None, header: Mapping[str, Any] | None = None, **changes: Any) -> str:
        """Sign an access token; `header` and `changes` add to, replace or (None) drop what is usual."""
        usual = {"alg": "RS256", "typ": "JWT", "kid": self.signing_key.kid}
        protected = {name: value for name, value in (usual | dict(header or {})).items() if value is not None}
        return signed(json.dumps(protected), json.dumps(self.claims(**changes)), key or self.signing_key)

    async def _handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        await self.gate.wait()
        instead = self.instead.get(request.url.path) or self.instead.get("")
        if instead is not None:
            return instead(request)
        return self._answers()[request.url.path](request)

    def _answers(self) -> dict[str, Answer]:
        base = ISSUER.removesuffix("/realms/cloud")
        return {
            "/realms/cloud/.well-known/openid-configuration": answer(
                json={"issuer": ISSUER, "jwks_uri": base + JWKS_PATH, "token_endpoint": base + TOKEN_PATH}
            ),
            JWKS_PATH: answer(json={"keys": self.keys}),
            TOKEN_PATH: lambda _: httpx.Response(200, json=self.issued()),
        }

    def issued(self, **changes: Any) -> dict[str, Any]:
        """Return a token response, as Keycloak answers an exchange; `changes` are of the token's claims."""
        token = self.mint(**({"aud": "nextcloud", "azp": SERVER_URL} | changes))
        return {
            "access_token": token,
            "expires_in": 300,
            "refresh_expires_in": 0,
            "token_type": "Bearer",
            "not-before-policy": 0,
            "session_state": "b7aa",
            "scope": "",
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        }
