"""Cases that real components can't produce on demand: a client that can't be deleted, clock skew, unusual outages."""

import json
import socket
import ssl
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any, Final

import httpx
import pytest
from joserfc.jwk import ECKey, OKPKey, RSAKey

from nextcloud_mcp.doctor import clocks, issuer, network, nextcloud, registration
from nextcloud_mcp.doctor import token as token_steps
from nextcloud_mcp.doctor.deployment import Deployment, Options, network_cause, unverified
from nextcloud_mcp.doctor.finding import Fault, Finding, Outcome, Skip
from nextcloud_mcp.settings import load_settings
from stack.process import free_port
from tests.support.http import patient_client
from tests.support.server import EXCHANGE

CLIENTS: Final = "http://keycloak.test/realms/cloud/clients-registrations/openid-connect"


async def registered(answer: Callable[[httpx.Request], httpx.Response]) -> Finding:
    """Take the step of registration with a Keycloak that answers so."""
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        metadata = {"issuer": "http://keycloak.test/realms/cloud", "registration_endpoint": CLIENTS}
        deployment = Deployment(load_settings(EXCHANGE), Options(), http, http, metadata=metadata)
        return await registration.registration(deployment)


def keycloak(*, scope: str = "nextcloud-mcp:exchange", deletes: int = 204) -> Callable[[httpx.Request], httpx.Response]:
    """Play one that registers clients of this desktop."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "DELETE":
            assert request.headers["Authorization"] == "Bearer of-the-client"
            return httpx.Response(deletes)
        if "stranger" in request.content.decode():
            return httpx.Response(403, json={"error": "insufficient_scope"})
        client = {"client_id": "c1", "scope": scope, "registration_client_uri": f"{CLIENTS}/c1"}
        return httpx.Response(201, json=client | {"registration_access_token": "of-the-client"})

    return answer


@pytest.mark.parametrize(("keycloak_host", "ending"), [("keycloak:8080", Skip), ("localhost:8180", Fault)])
async def test_loopback_address_in_container_is_not_a_failure(keycloak_host: str, ending: type[Exception]) -> None:
    """The host's loopback address is unreachable in a container, which says nothing about the server."""
    settings = {
        **EXCHANGE,
        "NEXTCLOUD_MCP_SERVER_URL": f"http://localhost:{free_port()}/mcp",
        "OIDC_DISCOVERY_URL": f"http://{keycloak_host}/realms/cloud/.well-known/openid-configuration",
    }
    async with patient_client() as http:
        deployment = Deployment(load_settings(settings), Options(), http, http)
        with pytest.raises(ending):
            await network.server(deployment)


async def test_undeleted_client_is_reported() -> None:
    """The report has the command that deletes it, without its token."""
    finding = await registered(keycloak(deletes=500))
    (problem,) = finding.problems
    assert problem.outcome is Outcome.WARNING
    assert "The client c1 that was registered could not be deleted again (HTTP 500)" in problem.cause
    assert "kcadm.sh delete -r cloud clients/$(kcadm.sh get clients -r cloud -q clientId=c1" in problem.fix
    assert "of-the-client" not in problem.cause + problem.fix


async def test_registered_client_without_server_scope_is_reported() -> None:
    """Without the server's client scope, the tokens of registered clients are useless."""
    (problem,) = (await registered(keycloak(scope="files:read"))).problems
    assert problem.outcome is Outcome.FAILED
    assert "may not request nextcloud-mcp:exchange" in problem.cause


async def test_invalid_registration_response_is_reported() -> None:
    """A page with the right status in place of the client is reported without a crash."""
    finding = await registered(lambda _: httpx.Response(201, text="<p>Welcome"))
    (problem,) = finding.problems
    assert problem.outcome is Outcome.WARNING
    assert "refuses registrations of desktop clients: HTTP 201" in problem.cause


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(httpx.RemoteProtocolError("Server disconnected"), id="closes the connection"),
        pytest.param(httpx.ReadError(""), id="resets it"),
        pytest.param(httpx.ReadTimeout(""), id="never answers"),
    ],
)
async def test_proxy_that_drops_unknown_hosts_is_healthy(error: httpx.HTTPError) -> None:
    """If another host name gets no response, no client sees a different issuer through it."""
    asked = []

    def proxy(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers["Host"])
        raise error

    async with httpx.AsyncClient(transport=httpx.MockTransport(proxy)) as http:
        settings = load_settings(EXCHANGE)
        metadata = {"issuer": settings.discovery_url.removesuffix(issuer.WELL_KNOWN)}
        finding = await issuer.public(Deployment(settings, Options(), http, http, metadata=metadata))
    assert asked == ["another-name.invalid"]
    assert finding.outcome is Outcome.OK


async def test_invalid_url_in_metadata_is_reported() -> None:
    """A URL in the metadata that httpx can't parse fails the step without a crash."""
    async with patient_client() as http:
        deployment = Deployment(
            load_settings(EXCHANGE), Options(), http, http, metadata={"issuer": "x", "jwks_uri": "//[::"}
        )
        with pytest.raises(Fault, match="is not a valid URL"):
            await issuer.keys(deployment)


@pytest.mark.parametrize(
    ("ahead", "seen"),
    [
        pytest.param(0.0, 0, id="right"),
        pytest.param(-0.9, 0, id="within its second"),
        pytest.param(40.0, 40, id="ahead"),
        pytest.param(-40.0, -39, id="behind"),
    ],
)
def test_clock_skew_allows_for_whole_seconds(ahead: float, seen: int) -> None:
    """A time in whole seconds is compared with the interval in which it may have been read."""
    asked = time.time()
    assert round(clocks.skew(asked + ahead, asked)) == seen


@pytest.mark.parametrize(
    ("error", "words"),
    [
        pytest.param(socket.gaierror(), "does not resolve", id="no name"),
        pytest.param(ConnectionRefusedError(), "nothing listens there", id="refused"),
        pytest.param(
            OSError("Multiple exceptions: [Errno 111] …, [Errno 111] …"), "nothing listens", id="refused twice"
        ),
        pytest.param(ssl.SSLError(), "speaks no TLS", id="no TLS"),
        pytest.param(httpx.ReadTimeout(""), "takes too long", id="slow"),
        pytest.param(httpx.RemoteProtocolError(""), "the connection fails (RemoteProtocolError)", id="gibberish"),
    ],
)
def test_innermost_cause_is_named(error: Exception, words: str) -> None:
    """This holds for chained exceptions and exception groups of any depth."""
    wrapped = httpx.ConnectError("") if not isinstance(error, httpx.HTTPError) else error
    if wrapped is not error:
        wrapped.__cause__ = ExceptionGroup("all attempts", [error])
    assert words in network_cause(wrapped)


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "e30.e30.c2ln"])
def test_non_token_has_no_claims(token: str) -> None:
    """Any input on standard input is handled without a crash."""
    assert unverified(token) == {}


async def test_no_registration_option_sends_no_request() -> None:
    """`--no-registration` sends no request."""

    def answer(request: httpx.Request) -> httpx.Response:
        raise AssertionError(json.dumps(str(request.url)))

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        metadata: dict[str, Any] = {"issuer": "x", "registration_endpoint": CLIENTS}
        deployment = Deployment(load_settings(EXCHANGE), Options(registration=False), http, http, metadata=metadata)
        with pytest.raises(Skip, match="--no-registration"):
            await registration.registration(deployment)


def jwk(algorithm: str, kid: str, **changes: str) -> dict[str, Any]:
    """Return a signing key of a JWK set."""
    kinds: dict[str, tuple[type[RSAKey | ECKey | OKPKey], Any]] = {
        "RS256": (RSAKey, 2048),
        "PS256": (RSAKey, 2048),
        "ES256": (ECKey, "P-256"),
        "ES512": (ECKey, "P-521"),
        "Ed25519": (OKPKey, "Ed25519"),
        "Ed448": (OKPKey, "Ed448"),
    }
    kind, parameter = kinds[algorithm]
    named: Any = {"kid": kid, "use": "sig", "alg": "EdDSA" if kind is OKPKey else algorithm}
    return {**kind.generate_key(parameter, named).as_dict(private=False), **changes}


SIGNING_KEYS: dict[str, tuple[list[dict[str, Any]], str, str]] = {
    "RS256": ([jwk("RS256", "a")], "", ""),
    "Ed25519": ([jwk("Ed25519", "a")], "", ""),
    "PS256 alone": ([jwk("PS256", "a")], "does not verify PS256, and the realm has no other keys", "failed"),
    "Ed448 alone": ([jwk("Ed448", "a")], "does not verify EdDSA with Ed448, and the realm", "failed"),
    "PS256 too": ([jwk("RS256", "a"), jwk("PS256", "b")], "PS256, for which the realm has keys", "warning"),
    "ES512 beside ES256": ([jwk("ES256", "a"), jwk("ES512", "b")], "refuses tokens signed with ES256 while", "warning"),
    "a short key": (
        [jwk("RS256", "a"), jwk("RS256", "b", n="A" * 171)],
        "can't use the realm's signing key b (an RSA key shorter than 2048 bits)",
        "warning",
    ),
    "a later algorithm": (
        [jwk("RS256", "a"), {"kty": "AKP", "alg": "ML-DSA-44", "kid": "b", "use": "sig"}],
        "can't use the realm's signing key b (the algorithm ML-DSA-44 is not one of",
        "warning",
    ),
}


@pytest.mark.parametrize(("found", "cause", "outcome"), SIGNING_KEYS.values(), ids=SIGNING_KEYS)
async def test_unsupported_signing_keys_are_named(found: list[dict[str, Any]], cause: str, outcome: str) -> None:
    """Keys that this server or user_oidc rejects are named, with the place where they are replaced."""
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={"keys": found}))
    async with httpx.AsyncClient(transport=transport) as http:
        deployment = Deployment(
            load_settings(EXCHANGE), Options(), http, http, metadata={"jwks_uri": "http://keycloak.test"}
        )
        finding = await issuer.keys(deployment)
    assert finding.outcome == (outcome or "ok")
    assert [cause in problem.cause for problem in finding.problems].count(True) == bool(cause)
    assert all("Realm settings" in problem.fix for problem in finding.problems)


async def test_unsupported_algorithm_names_fix() -> None:
    """The fix is what the administrator must change, not to request another token."""
    token = ".".join(urlsafe_b64encode(part).decode().rstrip("=") for part in (b'{"alg":"HS512"}', b"{}", b"x"))
    async with patient_client() as http:
        deployment = Deployment(load_settings(EXCHANGE), Options(token=token), http, http)
        with pytest.raises(Fault) as caught:
            await token_steps.accepted(deployment)
    (problem,) = caught.value.finding.problems
    assert problem.cause == "The token is signed with HS512, which this server does not accept"
    assert problem.fix.startswith("the administrator must let Keycloak sign access tokens with one of RS256, ")


async def test_algorithm_unsupported_by_nextcloud_is_named() -> None:
    """The report names algorithm, client and fix in place of the usual causes."""
    parts = (b'{"alg":"PS256"}', b'{"azp":"http://localhost:8000/mcp"}', b"x")
    token = ".".join(urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
    transport = httpx.MockTransport(lambda _: httpx.Response(401))
    async with httpx.AsyncClient(transport=transport, base_url="http://cloud.test") as http:
        deployment = Deployment(load_settings(EXCHANGE), Options(), http, http, nextcloud_token=token)
        with pytest.raises(Fault) as caught:
            await nextcloud.user(deployment)
    (problem,) = caught.value.finding.problems
    assert problem.cause == "Nextcloud's app user_oidc does not verify tokens signed with PS256"
    assert "of the client http://localhost:8000/mcp with one of" in problem.fix
