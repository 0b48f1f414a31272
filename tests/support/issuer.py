"""An issuer for unit tests: signs whatever it is told to, counts what it is asked, and fails on demand."""

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qs

import anyio
import httpx

from nextcloud_mcp.auth.credentials import NO_TOKEN
from tests.support.minting import Minter, rsa_key

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


FIRST_KEY: Final = rsa_key("first-key")
SECOND_KEY: Final = rsa_key("second-key")


class FakeIssuer(Minter):
    """Plays Keycloak: discovery, JWKS and the token endpoint of one realm.

    Attributes:
        requests: All that it was asked, in order.
        keys: The JWK set that it publishes.
        instead: Per path, or for all by `""`, what it answers in place of what it should.
        gate: Holds every answer back until it is set.
    """

    def __init__(self) -> None:
        super().__init__(issuer=ISSUER, resource=SERVER_URL, key=FIRST_KEY)
        self.requests: list[httpx.Request] = []
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
            TOKEN_PATH: self._exchange,
        }

    def _exchange(self, request: httpx.Request) -> httpx.Response:
        """Issue a token, but none for the check of the client, which Keycloak answers so when it accepts the client."""
        if parse_qs(request.content.decode())["subject_token"] == [NO_TOKEN]:
            return httpx.Response(400, json={"error": "invalid_request", "error_description": "Invalid token"})
        return httpx.Response(200, json=self.issued())

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
