"""Each fault of the chain has one diagnosis: the first failed step is the right one, with cause and fix.

The server, the real Keycloak and the real Nextcloud are behind proxies. Settings are changed only for the doctor, and
changes in Keycloak are reverted.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import httpx
import pytest
from joserfc.jwk import ECKey, RSAKey
from starlette.responses import Response

from nextcloud_mcp.doctor.deployment import Options
from nextcloud_mcp.doctor.finding import Outcome
from nextcloud_mcp.doctor.nextcloud import LOGOUT
from stack.chain import Chain
from stack.process import LOOPBACK, free_port
from tests.doctor.breakable import BreakableChain, complaints, first_complaint, run_breakable_chain
from tests.support.administration import client_with, realm_with
from tests.support.certificates import self_signed
from tests.support.fault_proxy import Fault, FaultProxy

Broken = Callable[[BreakableChain], AbstractAsyncContextManager[Mapping[str, str]]]
"""Breaks the chain for the block, and returns the settings that the doctor gets in place of the real ones."""


@pytest.fixture(scope="module")
async def target(chain: Chain) -> AsyncIterator[BreakableChain]:
    """The chain that each test breaks and mends."""
    async with run_breakable_chain(chain) as running:
        yield running


def settings(**values: str) -> Broken:
    """Give the doctor other settings than the server has; `{name}` stands for a part's address."""

    @asynccontextmanager
    async def broken(target: BreakableChain) -> AsyncIterator[Mapping[str, str]]:
        addresses = {
            "keycloak": target.keycloak.url,
            "server": target.server.url,
            "nextcloud": target.nextcloud.url,
            "server_port": target.server.url.rpartition(":")[2],
            "nobody": f"http://localhost:{free_port()}",
        }
        yield {name: value.format(**addresses) for name, value in values.items()}

    return broken


def at(change: Callable[[BreakableChain], AbstractContextManager[object]]) -> Broken:
    """Break by something that is put back at the end of a block."""

    @asynccontextmanager
    async def broken(target: BreakableChain) -> AsyncIterator[Mapping[str, str]]:
        with change(target):
            yield {}

    return broken


def away(part: Callable[[BreakableChain], FaultProxy]) -> Broken:
    """Take a part down."""

    @asynccontextmanager
    async def broken(target: BreakableChain) -> AsyncIterator[Mapping[str, str]]:
        async with part(target).away():
            yield {}

    return broken


def both(*breakages: Broken) -> Broken:
    """Break in two ways at once."""

    @asynccontextmanager
    async def broken(target: BreakableChain) -> AsyncIterator[Mapping[str, str]]:
        first, second = breakages
        async with first(target) as given, second(target) as more:
            yield {**given, **more}

    return broken


def answering(path: str, fault: Fault) -> Callable[[str, Response], Response]:
    """Answer at one path with something else."""

    def alter(asked: str, real: Response) -> Response:
        return Response(fault.body, fault.status, dict(fault.headers)) if asked.endswith(path) else real

    return alter


def rewriting(path: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[str, Response], Response]:
    """Change the JSON object at one path."""

    def alter(asked: str, real: Response) -> Response:
        if not asked.endswith(path):
            return real
        return Response(
            json.dumps(change(json.loads(bytes(real.body)))), real.status_code, media_type="application/json"
        )

    return alter


def hanging(path: str) -> Broken:
    """Let Nextcloud answer nothing under one path; the doctor waits for a second."""

    @asynccontextmanager
    async def broken(target: BreakableChain) -> AsyncIterator[Mapping[str, str]]:
        with pytest.MonkeyPatch.context() as patch, target.nextcloud.holding(path):
            patch.setattr("nextcloud_mcp.nextcloud.client.TIMEOUT", httpx.Timeout(1.0, connect=5.0))
            yield {}

    return broken


def header(name: str, value: str | None) -> Callable[[str, Response], Response]:
    """Set a header of every answer, or take it away."""

    def alter(_: str, real: Response) -> Response:
        if value is None:
            real.headers.__delitem__(name)
        else:
            real.headers[name] = value
        return real

    return alter


def with_tls(*, trusted: bool, **certificate: Any) -> Broken:
    """Put Nextcloud behind TLS with such a certificate."""

    @asynccontextmanager
    async def broken(target: BreakableChain) -> AsyncIterator[Mapping[str, str]]:
        file, key = self_signed(target.chain.config.state, **certificate)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file, key)
        server = await asyncio.start_server(lambda _, writer: writer.close(), LOOPBACK, 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        with pytest.MonkeyPatch.context() as environment:
            if trusted:
                environment.setenv("SSL_CERT_FILE", str(file))
            async with server:
                yield {"NEXTCLOUD_HOST": f"https://localhost:{port}"}

    return broken


# --- what an administrator of Keycloak may do wrong -------------------------------------------------------------------


def client_attribute(name: str, value: str) -> Broken:
    """Set an attribute of the exchange server's client."""

    def change(target: BreakableChain) -> AbstractContextManager[None]:
        key = target.admin.get_client_id(target.exchange_client)
        attributes = target.admin.get_client(str(key))["attributes"] | {name: value}
        return client_with(target.admin, target.exchange_client, attributes=attributes)

    return at(change)


def authenticated_by(kind: str) -> Broken:
    """Let the exchange server's client prove in another way who it is."""
    return at(lambda target: client_with(target.admin, target.exchange_client, clientAuthenticatorType=kind))


def signing(*, registered: ECKey | RSAKey | None) -> Broken:
    """Sign with `KEY` in place of sending a secret; Keycloak has been given the public half of another."""
    public = "".join(registered.as_pem(private=False).decode().splitlines()[1:-1]) if registered else ""

    @asynccontextmanager
    async def given(target: BreakableChain) -> AsyncIterator[Mapping[str, str]]:
        file = target.chain.config.state / "key.pem"
        file.write_bytes(KEY.as_pem(private=True))
        yield {"OIDC_CLIENT_SECRET": "", "OIDC_CLIENT_PRIVATE_KEY_FILE": str(file)}

    registering = both(client_attribute("jwt.credential.public.key", public), authenticated_by("client-jwt"))
    return both(given, registering)


def secret_in_a_file(secret: str) -> Broken:
    """Give the secret by a file."""

    @asynccontextmanager
    async def broken(target: BreakableChain) -> AsyncIterator[Mapping[str, str]]:
        file = target.chain.config.state / "secret"
        file.write_text(secret)
        yield {"OIDC_CLIENT_SECRET": "", "OIDC_CLIENT_SECRET_FILE": str(file)}

    return broken


@contextmanager
def without_default_scope(target: BreakableChain) -> Iterator[None]:
    """Take the scope `nextcloud` from the exchange server's client."""
    key, scope = str(target.admin.get_client_id(target.exchange_client)), _scope(target, "nextcloud")["id"]
    target.admin.delete_client_default_client_scope(key, scope)
    try:
        yield
    finally:
        target.admin.add_client_default_client_scope(key, scope, {})


def without_mapper(scope_name: str, mapper_name: str) -> Broken:
    """Take a mapper from a client scope."""

    @contextmanager
    def change(target: BreakableChain) -> Iterator[None]:
        scope = _scope(target, scope_name)
        (mapper,) = [each for each in scope["protocolMappers"] if each["name"] == mapper_name]
        target.admin.delete_mapper_from_client_scope(scope["id"], mapper["id"])
        try:
            yield
        finally:
            target.admin.add_mapper_to_client_scope(scope["id"], {**mapper, "id": None})

    return at(change)


def with_mapper(scope_name: str, mapper: dict[str, Any]) -> Broken:
    """Give a client scope a mapper too many."""

    @contextmanager
    def change(target: BreakableChain) -> Iterator[None]:
        scope = _scope(target, scope_name)
        target.admin.add_mapper_to_client_scope(scope["id"], mapper)
        try:
            yield
        finally:
            (added,) = [m for m in _scope(target, scope_name)["protocolMappers"] if m["name"] == mapper["name"]]
            target.admin.delete_mapper_from_client_scope(scope["id"], added["id"])

    return at(change)


def scope_attribute(scope_name: str, name: str, value: str) -> Broken:
    """Set an attribute of a client scope, which is true by default."""

    @contextmanager
    def change(target: BreakableChain) -> Iterator[None]:
        scope = _scope(target, scope_name)
        before = {name: "true", **scope["attributes"]}  # Keycloak keeps an attribute that an update does not mention
        target.admin.update_client_scope(scope["id"], scope | {"attributes": before | {name: value}})
        try:
            yield
        finally:
            target.admin.update_client_scope(scope["id"], scope | {"attributes": before})

    return at(change)


def _scope(target: BreakableChain, name: str) -> dict[str, Any]:
    (scope,) = [each for each in target.admin.get_client_scopes() if each["name"] == name]
    return dict(scope)


def without_policy(name: str) -> Broken:
    """Take a client policy away."""

    @contextmanager
    def change(target: BreakableChain) -> Iterator[None]:
        path = f"admin/realms/{target.chain.keycloak.realm}/client-policies/policies"
        before = target.admin.connection.raw_get(path).json()
        others = [policy for policy in before["policies"] if policy["name"] != name]
        target.admin.connection.raw_put(path, data=json.dumps({"policies": others})).raise_for_status()
        try:
            yield
        finally:
            target.admin.connection.raw_put(path, data=json.dumps(before)).raise_for_status()

    return at(change)


def registration_policy(provider: str, **config: list[str]) -> Broken:
    """Configure a policy of anonymous registration in another way."""

    @contextmanager
    def change(target: BreakableChain) -> Iterator[None]:
        (policy,) = [
            each
            for each in target.admin.get_components({"name": provider})
            if each["providerId"] == provider or each["name"] == provider
            if each["subType"] == "anonymous"
        ]
        names = {name.replace("_", "-"): value for name, value in config.items()}
        target.admin.update_component(policy["id"], policy | {"config": policy["config"] | names})
        try:
            yield
        finally:
            target.admin.update_component(policy["id"], policy)

    return at(change)


def trusted_hosts(*hosts: str) -> Broken:
    """Add a registration policy that accepts only clients with addresses on these hosts."""

    @contextmanager
    def change(target: BreakableChain) -> Iterator[None]:
        policy_id = target.admin.create_component(
            {
                "name": "Trusted hosts",
                "providerId": "trusted-hosts",
                "providerType": "org.keycloak.services.clientregistration.policy.ClientRegistrationPolicy",
                "subType": "anonymous",
                "config": {
                    "host-sending-registration-request-must-match": ["false"],
                    "client-uris-must-match": ["true"],
                    "trusted-hosts": list(hosts),
                },
            }
        )
        try:
            yield
        finally:
            target.admin.delete_component(policy_id)

    return at(change)


# --- the table --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A breakage, and its diagnosis.

    Attributes:
        broken: breaks it.
        code: of the step that complains first.
        cause: part of the cause; `{client}` and the like stand for what only the run knows.
        mend: part of what fixes it.
        outcome: what the step is.
        scope: of the token that the doctor is given; None gives it none.
        admin: whether it has admin access.
    """

    broken: Broken
    code: str
    cause: str
    fix: str
    outcome: Outcome = Outcome.FAILED
    scope: str | None = None
    admin: bool = False


SCOPE: Final = "nextcloud-mcp:exchange files:read"
KEY: Final = ECKey.generate_key("P-256")
"""What the exchange server signs with, where it signs."""

KEYCLOAK: Final = "realms/nextcloud-mcp/.well-known/openid-configuration"
METADATA: Final = "/.well-known/oauth-protected-resource/mcp"
STATUS: Final = "/status.php"
CAPABILITIES: Final = "/cloud/capabilities"
HTML: Final = {"Content-Type": "text/html; charset=UTF-8"}
MAINTENANCE: Final = (
    b'{"installed":true,"maintenance":true,"needsDbUpgrade":false,"version":"32.0.1.2","versionstring":"32.0.1"}'
)
JSON: Final = {"Content-Type": "application/json"}

BREAKAGES: Final[Mapping[str, Case]] = {
    # settings
    "settings: several wrong": Case(
        settings(NEXTCLOUD_HOST="cloud", OIDC_CLIENT_SECRET=""),
        "settings.complete",
        "NEXTCLOUD_HOST: must be an http:// or https:// URL",
        "docs/reference/settings.md",
    ),
    "settings: a scope that no tool needs": Case(
        settings(MCP_FIRST_SCOPES="mail:read"), "settings.complete", "no tool needs mail:read", "set it"
    ),
    # the network
    "Keycloak: down": Case(
        away(lambda target: target.keycloak), "network.keycloak", "nothing listens there", "OIDC_DISCOVERY_URL"
    ),
    "Keycloak: a name that does not resolve": Case(
        settings(OIDC_DISCOVERY_URL=f"https://keycloak.invalid/{KEYCLOAK}"),
        "network.keycloak",
        "the name does not resolve",
        "OIDC_DISCOVERY_URL",
    ),
    "server: does not run": Case(
        away(lambda target: target.server), "network.server", "nothing listens there", "start it"
    ),
    "Nextcloud: down": Case(
        away(lambda target: target.nextcloud), "network.nextcloud", "nothing listens there", "NEXTCLOUD_HOST"
    ),
    "TLS: expired": Case(
        with_tls(trusted=True, ends=timedelta(days=-1)), "network.nextcloud", "certificate has expired", "renew"
    ),
    "TLS: nobody vouches for it": Case(
        with_tls(trusted=False), "network.nextcloud", "self-signed certificate", "SSL_CERT_FILE"
    ),
    "TLS: another's": Case(
        with_tls(trusted=True, host="other.example.org"), "network.nextcloud", "Hostname mismatch", "with that name"
    ),
    "TLS: ends soon": Case(
        with_tls(trusted=True, ends=timedelta(days=5, hours=1)),
        "network.nextcloud",
        "ends in 5 days",
        "renew it",
        Outcome.WARNING,
    ),
    "TLS: spoken to plain HTTP": Case(
        settings(OIDC_DISCOVERY_URL=f"https://localhost:{{server_port}}/{KEYCLOAK}"),
        "network.keycloak",
        "it speaks no TLS",
        "OIDC_DISCOVERY_URL",
    ),
    # the issuer
    "issuer: no such realm": Case(
        settings(OIDC_DISCOVERY_URL="{keycloak}/realms/nobody/.well-known/openid-configuration"),
        "issuer.metadata",
        "HTTP 404",
        "set OIDC_DISCOVERY_URL to the realm's own",
    ),
    "issuer: another realm": Case(
        settings(OIDC_DISCOVERY_URL="{keycloak}/realms/master/.well-known/openid-configuration"),
        "issuer.scopes",
        "The realm master does not offer the scope nextcloud-mcp:exchange",
        "Create client scope",
    ),
    "issuer: two names": Case(
        at(
            lambda target: target.keycloak.altering(
                rewriting(KEYCLOAK, lambda it: it | {"issuer": it["issuer"].replace("localhost", LOOPBACK)})
            )
        ),
        "issuer.public",
        "tokens will not name the issuer",
        "--hostname-backchannel-dynamic=true",
    ),
    "issuer: no keys": Case(
        at(lambda target: target.keycloak.altering(rewriting("/certs", lambda _: {"keys": []}))),
        "issuer.keys",
        "no signing key of an accepted algorithm",
        "Add providers",
    ),
    "issuer: keys out of reach": Case(
        at(lambda target: target.keycloak.altering(answering("/certs", Fault(404)))),
        "issuer.keys",
        "HTTP 404",
        "reachable",
    ),
    "issuer: a tool's scope is missing": Case(
        scope_attribute("notes:write", "include.in.openid.provider.metadata", "false"),
        "issuer.scopes",
        "does not offer the scope notes:write",
        "Create client scope > notes:write",
    ),
    # the server
    "server: another path": Case(
        settings(NEXTCLOUD_MCP_SERVER_URL="{server}/other"),
        "server.challenge",
        "There is no MCP endpoint",
        "{server}/other",
    ),
    "server: another name": Case(
        settings(NEXTCLOUD_MCP_SERVER_URL="http://127.0.0.1:{server_port}/mcp"),
        "server.challenge",
        "answers to another name",
        "Host on unchanged",
    ),
    "server: a proxy hides the 401": Case(
        at(lambda target: target.server.altering(header("www-authenticate", None))),
        "server.challenge",
        "no WWW-Authenticate",
        "pass on the header WWW-Authenticate",
    ),
    "server: a proxy's login instead": Case(
        at(
            lambda target: target.server.altering(
                answering("/mcp", Fault(302, headers={"Location": "https://sso.example.org/"}))
            )
        ),
        "server.challenge",
        "HTTP 302 in place of 401",
        "https://sso.example.org/",
    ),
    "server: a proxy without a server": Case(
        at(lambda target: target.server.altering(answering("/mcp", Fault(502)))),
        "server.challenge",
        "HTTP 502 in place of 401",
        "proxy in front reaches the server",
    ),
    "server: a proxy hides the metadata": Case(
        at(lambda target: target.server.altering(answering(METADATA, Fault(404)))),
        "server.metadata",
        "HTTP 404",
        f"let the proxy pass {METADATA} on",
    ),
    "server: calls itself otherwise": Case(
        at(
            lambda target: target.server.altering(
                rewriting(METADATA, lambda it: it | {"resource": f"{it['resource']}/"})
            )
        ),
        "server.metadata",
        "The metadata names the resource {server}/mcp/",
        "NEXTCLOUD_MCP_SERVER_URL={server}/mcp",
    ),
    "server: of another issuer": Case(
        at(
            lambda target: target.server.altering(
                rewriting(METADATA, lambda it: it | {"authorization_servers": ["https://old.example.org"]})
            )
        ),
        "server.issuer",
        "sends clients to https://old.example.org",
        "set OIDC_DISCOVERY_URL=",
    ),
    "server: in the other mode": Case(
        settings(ENABLE_TOKEN_EXCHANGE="false"),
        "server.mode",
        "(pass-through) for nextcloud-mcp:pass-through",
        "ENABLE_TOKEN_EXCHANGE",
    ),
    "server: a proxy drops Origin": Case(
        at(lambda target: target.server.dropping("Origin")),
        "server.pages",
        "gets HTTP 401 where 403 is expected",
        "pass the header Origin on",
        Outcome.WARNING,
    ),
    # registration
    "registration: closed": Case(
        trusted_hosts("claude.ai"),
        "clients.registration",
        "doesn't match any trusted host",
        "use the client id mcp-client",
        Outcome.WARNING,
    ),
    "registration: full": Case(
        registration_policy("Max clients", max_clients=["1"]),
        "clients.registration",
        "The maximum of registered clients is reached (HTTP 403, Policy 'Max clients'",
        "nextcloud-mcp clients prune --delete",
        Outcome.WARNING,
    ),
    "registration: open to strangers": Case(
        without_policy("registered-dynamically"),
        "clients.registration",
        "Anyone may register a client with any redirect URI",
        "client policy registered-dynamically",
    ),
    # the exchange
    "exchange: wrong secret": Case(
        settings(OIDC_CLIENT_SECRET="wrong"),
        "exchange.client",
        "refuses the secret of the client",
        "set OIDC_CLIENT_SECRET to its present secret",
    ),
    "exchange: wrong secret in a file": Case(
        secret_in_a_file("wrong"), "exchange.client", "refuses the secret of the client", "/secret, which the next call"
    ),
    "exchange: wrong key": Case(
        signing(registered=ECKey.generate_key("P-256")),
        "exchange.client",
        "refuses the key of the client",
        "give it the public key of ",
    ),
    "exchange: key of another kind": Case(
        signing(registered=RSAKey.generate_key(2048)),
        "exchange.client",
        "refuses the key of the client",
        "> Keys > Import",
    ),
    "exchange: no key": Case(
        signing(registered=None), "exchange.client", "refuses the key of the client", "> Keys > Import"
    ),
    "exchange: signed, and a secret is expected": Case(
        both(signing(registered=KEY), authenticated_by("client-secret")),
        "exchange.client",
        "knows no enabled client {exchange} that signs",
        "-s clientAuthenticatorType=client-jwt",
    ),
    "exchange: signed by a client that is disabled": Case(
        both(
            signing(registered=KEY),
            at(lambda target: client_with(target.admin, target.exchange_client, enabled=False)),
        ),
        "exchange.client",
        "knows no enabled client",
        "-s enabled=true",
    ),
    "exchange: a secret, and a signature is expected": Case(
        authenticated_by("client-jwt"),
        "exchange.client",
        "takes no secret from the client",
        "set OIDC_CLIENT_PRIVATE_KEY_FILE",
    ),
    "exchange: unknown client": Case(
        settings(OIDC_CLIENT_ID="nobody"), "exchange.client", "knows no enabled client nobody", "set OIDC_CLIENT_ID"
    ),
    "exchange: client disabled": Case(
        at(lambda target: client_with(target.admin, target.exchange_client, enabled=False)),
        "exchange.client",
        "knows no enabled client",
        "-s enabled=true",
    ),
    "exchange: not enabled": Case(
        client_attribute("standard.token.exchange.enabled", "false"),
        "exchange.client",
        "Token exchange is not enabled",
        "standard.token.exchange.enabled",
    ),
    "exchange: default scope taken away": Case(
        at(without_default_scope),
        "exchange.client",
        "lacks the default scope nextcloud",
        "Add client scope > nextcloud",
    ),
    "exchange: audience mapper missing": Case(
        without_mapper("nextcloud", "audience nextcloud"),
        "token.nextcloud",
        "Requested audience not available: nextcloud",
        "scope that adds the audience",
        scope=SCOPE,
    ),
    # a person's token
    "token: for the other server": Case(
        settings(),
        "token.accepted",
        "not meant for this server",
        "the scope nextcloud-mcp:exchange",
        scope="nextcloud-mcp:pass-through files:read",
    ),
    "token: no scope of a tool": Case(
        settings(), "token.scopes", "no scope of a tool", "files:read", Outcome.WARNING, scope="nextcloud-mcp:exchange"
    ),
    "token: no name": Case(
        without_mapper("nextcloud", "preferred_username"),
        "token.nextcloud",
        "carries no preferred_username",
        "mapper preferred_username",
        scope=SCOPE,
    ),
    # Nextcloud
    "Nextcloud: something else": Case(
        settings(NEXTCLOUD_HOST="{keycloak}"),
        "nextcloud.status",
        "is not a JSON object: HTTP 404",
        "set NEXTCLOUD_HOST",
    ),
    "Nextcloud: in maintenance": Case(
        at(lambda target: target.nextcloud.altering(answering(STATUS, Fault(200, MAINTENANCE, JSON)))),
        "nextcloud.status",
        "in maintenance mode",
        "occ maintenance:mode --off",
    ),
    "Nextcloud: redirects": Case(
        at(
            lambda target: target.nextcloud.failing(
                Fault(301, headers={"Location": "https://cloud.example.org/status.php"})
            )
        ),
        "nextcloud.status",
        "redirects",
        "set NEXTCLOUD_HOST to the address to which Nextcloud redirects",
    ),
    "Nextcloud: name not trusted": Case(
        at(lambda target: target.nextcloud.failing(Fault(400, b'{"error":"Trusted domain error.","code":15}', JSON))),
        "nextcloud.status",
        "does not trust the name localhost",
        "occ config:system:set trusted_domains",
    ),
    "Nextcloud: a proxy drops OCS-APIRequest": Case(
        at(lambda target: target.nextcloud.dropping("OCS-APIRequest")),
        "nextcloud.ocs",
        "HTTP 412",
        "pass on the header OCS-APIRequest",
    ),
    "Nextcloud: no database": Case(
        at(lambda target: target.nextcloud.failing(Fault(500, headers=HTML))),
        "nextcloud.status",
        "answers status.php with HTTP 500",
        "the database runs",
    ),
    "Nextcloud: hangs without Redis": Case(
        hanging("/ocs/"),
        "nextcloud.ocs",
        "answers status.php, but nothing that needs a session",
        "see that Redis runs and takes Nextcloud's password",
    ),
    "Nextcloud: fails without Redis": Case(
        at(
            lambda target: target.nextcloud.altering(
                answering(CAPABILITIES, Fault(500, b"Internal Server Error", HTML))
            )
        ),
        "nextcloud.ocs",
        "gives HTTP 500",
        "see that Redis runs and takes Nextcloud's password",
    ),
    "Nextcloud: is unavailable but for status.php": Case(
        at(lambda target: target.nextcloud.altering(answering(CAPABILITIES, Fault(503, b"<html>", HTML)))),
        "nextcloud.ocs",
        "gives HTTP 503",
        "no disk is full",
    ),
    "Nextcloud: answers with nothing": Case(
        at(lambda target: target.nextcloud.altering(answering(CAPABILITIES, Fault(200, headers=HTML)))),
        "nextcloud.ocs",
        "gives HTTP 200, an empty answer",
        "see that Redis runs and takes Nextcloud's password",
    ),
    "Nextcloud: user_oidc is disabled": Case(
        at(lambda target: target.nextcloud.altering(answering(LOGOUT, Fault(404, b"<h2>Page not found", HTML)))),
        "nextcloud.user_oidc",
        "user_oidc is not enabled",
        "occ app:enable user_oidc",
        scope=SCOPE,
    ),
    "Nextcloud: user_oidc cannot start": Case(
        at(lambda target: target.nextcloud.altering(answering(LOGOUT, Fault(500, b"Internal Server Error", HTML)))),
        "nextcloud.user_oidc",
        "user_oidc does not start",
        "replace the folder of user_oidc",
        scope=SCOPE,
    ),
    "Nextcloud: fails with a token": Case(
        at(
            lambda target: target.nextcloud.altering(
                answering("/cloud/user", Fault(500, b"Internal Server Error", HTML))
            )
        ),
        "nextcloud.user",
        "Nextcloud failed with HTTP 500 at your account: try again shortly",
        "the database runs and can be written",
        scope=SCOPE,
    ),
    "Nextcloud: a proxy drops the token": Case(
        at(lambda target: target.nextcloud.dropping("Authorization")),
        "nextcloud.user",
        "does not accept the token",
        "nextcloud/setup.sh",
        scope=SCOPE,
    ),
    "Nextcloud: a proxy stops WebDAV": Case(
        at(lambda target: target.nextcloud.altering(answering("/remote.php/dav/files/alice/", Fault(405)))),
        "nextcloud.apis",
        "PROPFIND /remote.php/dav/files/{{user}}/",
        "WebDAV's methods",
        scope=SCOPE,
    ),
    "Nextcloud: another account": Case(
        at(
            lambda target: target.nextcloud.altering(
                rewriting("/ocs/v2.php/cloud/user", lambda it: {"ocs": {**it["ocs"], "data": {"id": "5e884898da28"}}})
            )
        ),
        "nextcloud.user",
        "calls alice 5e884898da28",
        "--mapping-uid=preferred_username",
        Outcome.WARNING,
        scope=SCOPE,
    ),
    # the clocks
    "clock: Nextcloud's is off": Case(
        at(lambda target: target.nextcloud.altering(header("date", "Mon, 01 Jan 2024 00:00:00 GMT"))),
        "clocks.agree",
        "behind this machine's",
        "timedatectl set-ntp true",
    ),
    # drift
    "drift: a mapper taken away": Case(
        without_mapper("nextcloud-mcp:exchange", "preferred_username"),
        "drift.scopes",
        "The mapper preferred_username of the client scope nextcloud-mcp:exchange is missing",
        "kcadm.sh create client-scopes/",
        admin=True,
    ),
    "drift: a mapper too many": Case(
        with_mapper(
            "files:read",
            {
                "name": "one audience more",
                "protocol": "openid-connect",
                "protocolMapper": "oidc-audience-mapper",
                "config": {"included.client.audience": "nextcloud", "access.token.claim": "true"},
            },
        ),
        "drift.scopes",
        "has a mapper one audience more that it should not have",
        "kcadm.sh delete client-scopes/",
        admin=True,
    ),
    "drift: full scope allowed": Case(
        at(lambda target: client_with(target.admin, "mcp-client", fullScopeAllowed=True)),
        "drift.clients",
        "The client mcp-client has fullScopeAllowed true in place of false",
        "-s fullScopeAllowed=false",
        admin=True,
    ),
    "drift: a redirect too many": Case(
        at(
            lambda target: client_with(
                target.admin, "mcp-client", redirectUris=["http://localhost/callback", "https://stranger.invalid/*"]
            )
        ),
        "drift.clients",
        "has https://stranger.invalid/* besides",
        "redirectUris=",
        admin=True,
    ),
    "drift: PKCE no longer asked for": Case(
        without_policy("every-client"),
        "drift.policies",
        "The client policy every-client is missing",
        "Client policies > Policies > every-client",
        admin=True,
    ),
    "drift: refresh tokens work twice": Case(
        at(lambda target: realm_with(target.admin, revokeRefreshToken=False)),
        "drift.realm",
        "has revokeRefreshToken false in place of true",
        "kcadm.sh update realms/nextcloud-mcp -s revokeRefreshToken=true",
        admin=True,
    ),
    "drift: no such theme": Case(
        at(lambda target: realm_with(target.admin, loginTheme="gone")),
        "drift.realm",
        "Keycloak has no login theme gone, which the realm nextcloud-mcp names",
        "copy keycloak/themes/gone into Keycloak's folder themes",
        admin=True,
    ),
    "drift: the client of a page that is on is disabled": Case(
        both(
            settings(MCP_CONNECTIONS="true"),
            at(lambda target: client_with(target.admin, "connections", enabled=False)),
        ),
        "drift.clients",
        "The client connections is disabled, and the server's page /connections needs it",
        "-s enabled=true",
        admin=True,
    ),
    "drift: more clients may register": Case(
        registration_policy("Max clients", max_clients=["100000"]),
        "drift.registration",
        "in config.max-clients, lacks 2000 and has 100000 besides",
        "kcadm.sh update components/",
        admin=True,
    ),
}


@pytest.mark.parametrize("case", BREAKAGES.values(), ids=BREAKAGES.keys())
async def test_first_failed_step_has_cause_and_fix(target: BreakableChain, case: Case) -> None:
    """The first failed step has the right name, cause and fix, and the chain is unchanged afterwards."""
    async with case.broken(target) as environ:
        token = await target.token(case.scope) if case.scope else None
        credentials = (target.chain.keycloak.admin_user, target.chain.keycloak.admin_password) if case.admin else None
        report = await target.examined(environ, Options(token=token, admin=credentials))

    names = {"server": target.server.url, "exchange": target.exchange_client}
    result = first_complaint(report)
    assert (result.step.code, result.finding.outcome) == (case.code, case.outcome), complaints(report)
    found = [problem for problem in result.finding.problems if case.cause.format(**names) in problem.cause]
    assert found, complaints(report)
    assert case.fix.format(**names) in found[0].fix


async def test_signing_key_known_to_keycloak_passes(target: BreakableChain) -> None:
    """A server that signs its assertions passes when Keycloak has the public key."""
    async with signing(registered=KEY)(target) as environ:
        report = await target.examined(environ, Options())
    assert complaints(report) == []


async def test_healthy_chain_has_no_problems(target: BreakableChain) -> None:
    """No fault of an earlier test remains, and the doctor reports no problem."""
    credentials = (target.chain.keycloak.admin_user, target.chain.keycloak.admin_password)
    report = await target.examined({}, Options(token=await target.token(), admin=credentials))
    assert complaints(report) == []
    registered = [client["clientId"] for client in target.admin.get_clients() if "doctor" in str(client.get("name"))]
    assert registered == []
