"""How the realm learns of clients: they register (RFC 7591), or use a Client ID Metadata Document (CIMD).

Only a registration shows whether clients may register. The doctor registers a client as an MCP client would, and
deletes it at once with its registration access token (RFC 7592 section 2.3). `--no-registration` skips this step.
Keycloak must refuse a second client, which has the redirect URI of an unknown host.
"""

import time
from typing import Any, Final

import httpx

from nextcloud_mcp.doctor.clocks import skew
from nextcloud_mcp.doctor.deployment import Deployment, ask, json_object
from nextcloud_mcp.doctor.finding import Fault, Finding, Problem, Skip, warning
from nextcloud_mcp.doctor.report import Step
from nextcloud_mcp.doctor.unused import PRUNE

CLIENT: Final = {
    "client_name": "nextcloud-mcp doctor (deleted at once)",
    "redirect_uris": ["http://localhost/callback"],
    "token_endpoint_auth_method": "none",
}
"""Client metadata like that of MCP clients on a desktop."""

STRANGER: Final = CLIENT | {"redirect_uris": ["https://stranger.invalid/callback"]}
"""Client metadata that would send authorization codes to an unknown host."""

_POLICIES: Final = "Clients > Client registration > Anonymous access policies in Keycloak's console"
_FULL: Final = "clients per realm"
"""What Keycloak's refusal says once the maximum of the policy Max clients is reached."""

_BY_HAND: Final = f"allow it in {_POLICIES}, or tell people to use the client id mcp-client"


async def registration(deployment: Deployment) -> Finding:
    """Register a client and delete it; then check that a client with a foreign redirect URI is refused."""
    if not deployment.options.registration:
        raise Skip("not tried, because of --no-registration")
    endpoint = deployment.metadata.get("registration_endpoint")
    if not isinstance(endpoint, str):
        return _closed("The issuer's metadata names no registration endpoint")
    asked = time.time()
    answer = await _register(deployment, endpoint, CLIENT)
    client = _registered(answer)
    if client is None and _FULL in _words(answer):
        return Finding("nobody can register now", (_full(answer),))
    if client is None:
        return _closed(f"Keycloak refuses registrations of desktop clients: {_words(answer)}")
    if isinstance(client.get("client_id_issued_at"), int):
        deployment.clocks["Keycloak"] = skew(client["client_id_issued_at"], asked)
    problems = [*await _delete(deployment, client), *_offers(deployment, client)]
    stranger = _registered(await _register(deployment, endpoint, STRANGER))
    if stranger is not None:
        problems += [*await _delete(deployment, stranger), _open_to_strangers()]
    return Finding("a client on a desktop may register; it was deleted again", tuple(problems))


async def _register(deployment: Deployment, endpoint: str, client: dict[str, Any]) -> httpx.Response:
    return await ask(deployment.http, "POST", endpoint, json=client, fix=f"make {endpoint} reachable for clients")


def _registered(response: httpx.Response) -> dict[str, Any] | None:
    """Return the client, or None if none was registered."""
    return json_object(response) if response.status_code == httpx.codes.CREATED else None


async def _delete(deployment: Deployment, client: dict[str, Any]) -> list[Problem]:
    """Delete a registered client; return a problem if it cannot be deleted."""
    uri, token = str(client.get("registration_client_uri")), str(client.get("registration_access_token"))
    try:
        response = await ask(deployment.http, "DELETE", uri, headers={"Authorization": f"Bearer {token}"}, fix="")
        if response.status_code == httpx.codes.NO_CONTENT:
            return []
        why = f"HTTP {response.status_code}"
    except Fault as fault:
        why = str(fault)
    client_id = client.get("client_id")
    fix = (
        f"kcadm.sh delete -r {deployment.realm} clients/$(kcadm.sh get clients -r {deployment.realm} "
        f"-q clientId={client_id} --fields id --format csv --noquotes)"
    )
    return [warning(f"The client {client_id} that was registered could not be deleted again ({why})", fix)]


def _offers(deployment: Deployment, client: dict[str, Any]) -> list[Problem]:
    """Check that the client may request the server's scope; Keycloak's response lists all scopes of the client."""
    scopes = str(client.get("scope", "")).split()
    wanted = deployment.settings.server_scope
    if not scopes or wanted in scopes:
        return []
    return [
        Problem(
            f"A client that registers may not request {wanted}, so its tokens would not name this server in aud",
            f"add {wanted} to the optional scopes: Client scopes in Keycloak's console, Assigned type Optional",
        )
    ]


def _closed(cause: str) -> Finding:
    """Return a warning, not a failure: clients that were registered by hand still work."""
    return Finding("clients must be registered by hand", (warning(cause, _BY_HAND),))


def _full(answer: httpx.Response) -> Problem:
    return warning(
        f"The maximum of registered clients is reached ({_words(answer)})",
        f"{PRUNE}; meanwhile tell people to use the client id mcp-client",
    )


def _open_to_strangers() -> Problem:
    return Problem(
        "Anyone may register a client with any redirect URI, and get the authorization codes of people who consent",
        "add the client policy registered-dynamically with its profile client-addresses, as keycloak/realm-export.json "
        "has them (Realm settings > Client policies)",
    )


def _words(response: httpx.Response) -> str:
    """Return the status and, from a JSON error response, the error description."""
    answer = json_object(response)
    if answer is None:
        return f"HTTP {response.status_code}"
    return f"HTTP {response.status_code}, {answer.get('error_description') or answer.get('error')}".rstrip(".")


async def documents(deployment: Deployment) -> Finding:
    """Report whether the issuer supports metadata documents, an experimental feature that needs no server setting."""
    if deployment.metadata.get("client_id_metadata_document_supported"):
        return Finding(
            "clients may use a metadata document; with KEYCLOAK_ADMIN set the doctor shows which ones are accepted"
        )
    return Finding("not offered; clients register dynamically or get a client id by hand")


STEPS: Final = (
    Step(
        "clients.registration",
        "registration",
        "A client on a desktop may register itself with the server's scope, and one with a stranger's address may not.",
        registration,
        ("issuer.metadata",),
    ),
    Step(
        "clients.documents",
        "documents",
        "Says whether clients may bring a metadata document.",
        documents,
        ("issuer.metadata",),
    ),
)
