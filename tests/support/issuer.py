"""A fake issuer for unit tests: signs any claims, records requests, and fails on demand."""

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
"""The resource in the tokens' `aud`, unless a test sets another."""

SERVER_SCOPE: Final = {"exchange": "nextcloud-mcp:exchange", "pass-through": "nextcloud-mcp:pass-through"}

Answer = Callable[[httpx.Request], httpx.Response]


def answer(status: int = 200, **response: Any) -> Answer:
    """Return a handler with the same response to every request; `response` are arguments of `httpx.Response`."""
    return lambda _: httpx.Response(status, **response)


def failing(error: type[httpx.TransportError]) -> Answer:
    """Return a handler that raises a network error."""

    def fail(request: httpx.Request) -> httpx.Response:
        raise error("the network fails", request=request)

    return fail


FIRST_KEY: Final = rsa_key("first-key")
SECOND_KEY: Final = rsa_key("second-key")


class FakeIssuer(Minter):
    """A fake Keycloak with the discovery document, the JWKS and the token endpoint of one realm.

    Attributes:
        requests: All requests, in order.
        keys: The keys in the published JWK set.
        instead: Handlers that replace the usual ones, by path; `""` stands for all paths.
        gate: Every response waits until this event is set.
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
        """An httpx transport that sends every request to this issuer."""
        return httpx.MockTransport(self._handle)

    def fetches(self, path: str = JWKS_PATH) -> int:
        """Return the number of requests to a path."""
        return sum(request.url.path == path for request in self.requests)

    def exchanges(self) -> list[dict[str, str]]:
        """Return the parameters of every token exchange."""
        return [
            {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
            for request in self.requests
            if request.url.path == TOKEN_PATH
        ]

    def rotate(self) -> None:
        """Sign with another key from now on, and publish only that key."""
        self.signing_key = SECOND_KEY
        self.keys = [SECOND_KEY.as_dict(private=False)]

    def down(self) -> None:
        """Refuse every connection."""
        self.instead[""] = failing(httpx.ConnectError)

    def up(self) -> None:
        """Answer normally again."""
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
        """Issue a token; answer the client check, which sends no real token, as Keycloak does for a valid client."""
        if parse_qs(request.content.decode())["subject_token"] == [NO_TOKEN]:
            return httpx.Response(400, json={"error": "invalid_request", "error_description": "Invalid token"})
        return httpx.Response(200, json=self.issued())

    def issued(self, **changes: Any) -> dict[str, Any]:
        """Return Keycloak's response to a token exchange; `changes` override claims of the token."""
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
