"""Each named token over raw HTTP at both servers: bad tokens are refused correctly, and good ones are accepted.

The tokens are signed with a key that the real realm publishes, so each bad token is refused only for the fault in its
name.
"""

from collections.abc import Mapping
from typing import Final

import httpx
import pytest

from tests.e2e.servers import Server, TokenFor
from tests.support.forged import REFUSED, Mint, now
from tests.support.http import patient_client
from tests.support.mcp_http import HEADERS, challenge, message
from tests.support.minting import Minter

NOT_HTTP: Final = frozenset({"NUL", "empty"})
"""What HTTP does not let into a header, or out of it: a value has no blank at its end."""

TOO_LONG: Final = frozenset({"payload is too long", "header is nested without end"})
"""What is longer than the server reads of a request's head (64 KiB)."""

SENDABLE: Final = {name: token.mint for name, token in REFUSED.items() if name not in NOT_HTTP | TOO_LONG}


async def send(server: Server, *credentials: bytes, body: object = None, query: str = "") -> httpx.Response:
    """Post `tools/list` with these Authorization headers."""
    headers = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
    headers += [(b"Authorization", value) for value in credentials]
    async with patient_client() as http:
        return await http.post(f"{server.url}{query}", json=body or message("tools/list"), headers=headers)


async def test_bad_token_is_refused(server: Server, minter: Minter) -> None:
    """Each bad token gets 401 `invalid_token`, with the metadata URL and the scopes."""
    metadata = f"{server.origin}/.well-known/oauth-protected-resource/mcp"
    for name, mint in SENDABLE.items():
        response = await send(server, f"Bearer {mint(minter)}".encode())
        assert response.status_code == 401, name
        parameters = challenge(response)
        assert parameters["error"] == "invalid_token", name
        assert parameters["scope"].split()[0] == server.scope, name
        assert parameters["resource_metadata"] == metadata, name


@pytest.mark.parametrize("mint", [REFUSED[name].mint for name in sorted(TOO_LONG)], ids=sorted(TOO_LONG))
async def test_oversized_token_is_refused(server: Server, minter: Minter, mint: Mint) -> None:
    """An oversized header gets a 4xx status or a closed connection, and the server continues to work."""
    try:
        refused = (await send(server, f"Bearer {mint(minter)}".encode())).status_code
    except httpx.TransportError:
        refused = None
    after = await send(server, f"Bearer {minter.mint()}".encode())

    assert refused in {None, 400, 401, 431}
    assert after.status_code == 200


GENUINE: Final[Mapping[str, Mint]] = {
    "as Keycloak makes them": lambda k: k.mint(),
    "exp 25 s ago": lambda k: k.mint(exp=now(-25)),
    "nbf in 25 s": lambda k: k.mint(nbf=now(25)),
    "at+jwt, as RFC 9068 has it": lambda k: k.mint(typ=None, header={"typ": "at+jwt"}),
}


@pytest.mark.parametrize("mint", GENUINE.values(), ids=GENUINE.keys())
async def test_valid_token_is_accepted(server: Server, minter: Minter, mint: Mint) -> None:
    """The same token without its fault is accepted, with 30 seconds of clock leeway."""
    assert (await send(server, f"Bearer {mint(minter)}".encode())).status_code == 200


async def test_keycloak_issued_token_is_accepted(server: Server, token_of: TokenFor) -> None:
    """The server accepts a token that Keycloak issued for it."""
    assert (await send(server, f"Bearer {await token_of()}".encode())).status_code == 200


async def test_pass_through_requires_the_nextcloud_audience(
    pass_through: Server, exchange: Server, minter: Minter
) -> None:
    """Pass-through mode refuses a token that Nextcloud would refuse; exchange mode does not require that audience."""
    minter.resource = pass_through.url
    refused = await send(pass_through, f"Bearer {minter.mint(aud=pass_through.url)}".encode())
    accepted = await send(exchange, f"Bearer {minter.mint(aud=exchange.url)}".encode())

    assert refused.status_code == 401
    assert "nextcloud" in challenge(refused)["error_description"]
    assert accepted.status_code == 200


async def test_two_authorization_headers_are_refused(server: Server, minter: Minter) -> None:
    """Two `Authorization` headers are refused, even if both tokens are good (RFC 6750 section 3.1)."""
    credentials = f"Bearer {minter.mint()}".encode()
    response = await send(server, credentials, credentials)

    assert response.status_code == 400
    assert challenge(response)["error"] == "invalid_request"


OTHER_CREDENTIALS: Final[Mapping[str, tuple[bytes, ...]]] = {
    "none": (),
    "Basic": (b"Basic YWxpY2U6YWxpY2U=",),
    "Negotiate": (b"Negotiate YWxpY2U=",),
    "the token alone": (b"eyJhbGciOiJub25lIn0.e30.",),
}


@pytest.mark.parametrize("credentials", OTHER_CREDENTIALS.values(), ids=OTHER_CREDENTIALS.keys())
async def test_missing_bearer_token_gets_challenge_without_error(
    server: Server, credentials: tuple[bytes, ...]
) -> None:
    """Without a bearer token, the challenge has the metadata URL and no error (RFC 6750 section 3.1)."""
    response = await send(server, *credentials)

    assert response.status_code == 401
    assert challenge(response).keys() == {"scope", "resource_metadata"}


async def test_token_in_the_query_is_ignored(server: Server, minter: Minter) -> None:
    """The server ignores a token in the query string (MCP authorization: it MUST NOT be there)."""
    response = await send(server, query=f"?access_token={minter.mint()}")

    assert response.status_code == 401
    assert "error" not in challenge(response)


async def test_token_in_the_body_is_ignored(server: Server, minter: Minter) -> None:
    """The server ignores a token in the body."""
    response = await send(server, body=message("tools/list") | {"access_token": minter.mint()})

    assert response.status_code == 401
    assert "error" not in challenge(response)


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
async def test_every_method_needs_a_token(server: Server, method: str) -> None:
    """No HTTP method can access the endpoint without a token."""
    async with patient_client() as http:
        response = await http.request(method, server.url, headers=HEADERS)

    assert response.status_code == 401
