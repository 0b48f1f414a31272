"""A trial token exchange (RFC 8693) by the configured client, with an invalid subject token.

Keycloak 26.7 checks the client before the subject token, so its error shows what is wrong with the client. It checks
the audience last, which takes a real token (`--token-stdin`).

    401 invalid_client        the client does not exist or is disabled, or sends an assertion where Keycloak expects a
                              secret
    401 unauthorized_client   the secret is wrong
    400 invalid_client        the key or the assertion is wrong (RFC 7523 section 3.2), or the client sends a secret
                              where Keycloak expects an assertion
    400 invalid_request       "Standard token exchange is not enabled …"; "Request not allowed" (a policy refuses it);
                              or "Invalid token" (only the subject token is wrong, so the client is set up correctly)
"""

from typing import Final

import httpx

from nextcloud_mcp.app import client_authentication
from nextcloud_mcp.auth.client import ClientAuthentication, ClientKey
from nextcloud_mcp.auth.credentials import ACCESS_TOKEN_TYPE, GRANT_TYPE
from nextcloud_mcp.doctor.deployment import Deployment, ask
from nextcloud_mcp.doctor.finding import Fault, Finding
from nextcloud_mcp.doctor.report import Step

USELESS: Final = "the-doctor-sends-no-token"

_WELL: Final = ("invalid_request", "Invalid token")


async def client(deployment: Deployment) -> Finding:
    """Request an exchange that must fail, and read the reason from the error response."""
    settings = deployment.settings
    if not settings.enable_token_exchange:
        return Finding("not needed: pass-through mode exchanges nothing")
    for authentication in client_authentication(settings).reload():
        response = await _ask(deployment, authentication)
        error, description = _refusal(response)
        if (error, description) == _WELL:
            return Finding(f"Keycloak knows {settings.client_id} and lets it exchange")
    cause, fix = (
        _not_allowed(deployment, description)
        or _not_authenticated(deployment, authentication, response.status_code, error)
        or ("Keycloak refuses the exchange for another reason", "see Keycloak's log")
    )
    raise Fault(cause, fix, observed=f"HTTP {response.status_code} {error}: {description}")


async def _ask(deployment: Deployment, client: ClientAuthentication) -> httpx.Response:
    settings = deployment.settings
    proof = client.authenticate(settings.client_id, str(deployment.metadata["issuer"]))
    endpoint = str(deployment.metadata["token_endpoint"])
    form = {
        "grant_type": GRANT_TYPE,
        "subject_token": USELESS,
        "subject_token_type": ACCESS_TOKEN_TYPE,
        "requested_token_type": ACCESS_TOKEN_TYPE,
        "audience": settings.nextcloud_audience,
        **proof.form,
    }
    fix = f"make {endpoint}, which the issuer's metadata names, reachable from here"
    return await ask(deployment.http, "POST", endpoint, data=form, headers=proof.headers, fix=fix)


def _refusal(response: httpx.Response) -> tuple[str, str]:
    try:
        answer = response.json()
        return str(answer["error"]), str(answer.get("error_description", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return "none", "no answer of a token endpoint"


def _not_allowed(deployment: Deployment, description: str) -> tuple[str, str] | None:
    """Return why an authenticated client may not exchange tokens, and the fix; None for another reason."""
    client_id = deployment.settings.client_id
    return {
        "Standard token exchange is not enabled for the requested client": (
            f"Token exchange is not enabled for the client {client_id}",
            f"{_update(deployment)} -s 'attributes.\"standard.token.exchange.enabled\"=true'",
        ),
        "Request not allowed": (
            f"The realm's policies refuse the exchange: the client {client_id} lacks the default scope nextcloud",
            f"in Keycloak's console: Clients > {client_id} > Client scopes > Add client scope > nextcloud, Default",
        ),
    }.get(description)


def _not_authenticated(
    deployment: Deployment, client: ClientAuthentication, status: int, error: str
) -> tuple[str, str] | None:
    """Return why the client's authentication fails, and the fix; None for another reason."""
    signs = isinstance(client, ClientKey)
    if error == "invalid_client" and status == httpx.codes.UNAUTHORIZED:
        return _unknown_that_signs(deployment) if signs else _unknown(deployment)
    if error == "invalid_client" and not signs:
        return _expected_to_sign(deployment)
    return _refused(deployment, client) if error in {"invalid_client", "unauthorized_client"} else None


def _unknown(deployment: Deployment) -> tuple[str, str]:
    cause = f"Keycloak knows no enabled client {deployment.settings.client_id}"
    fix = "set OIDC_CLIENT_ID to the exchange server's client in this realm, or enable it"
    return cause, f"{fix}:\n{_update(deployment)} -s enabled=true"


def _unknown_that_signs(deployment: Deployment) -> tuple[str, str]:
    cause, fix = _unknown(deployment)
    return f"{cause} that signs (Signed Jwt)", f"{fix} -s clientAuthenticatorType=client-jwt"


def _expected_to_sign(deployment: Deployment) -> tuple[str, str]:
    client_id = deployment.settings.client_id
    cause = f"Keycloak takes no secret from the client {client_id}: it expects it to sign with a private key"
    console = f"Clients > {client_id} > Credentials > Client Authenticator > Client Id and Secret"
    return cause, f"set OIDC_CLIENT_PRIVATE_KEY_FILE in place of the secret, or in Keycloak's console: {console}"


def _refused(deployment: Deployment, client: ClientAuthentication) -> tuple[str, str]:
    what, tab = ("key", "Keys > Import") if isinstance(client, ClientKey) else ("secret", "Credentials")
    client_id = deployment.settings.client_id
    cause = f"Keycloak refuses the {what} of the client {client_id}"
    return cause, f"{client.advice}; in Keycloak's console: Clients > {client_id} > {tab}"


def _update(deployment: Deployment) -> str:
    return f"kcadm.sh update clients/{kcadm_id(deployment, deployment.settings.client_id)} -r {deployment.realm}"


def kcadm_id(deployment: Deployment, client_id: str) -> str:
    """Return a shell command substitution that looks up a client's internal id."""
    return f"$(kcadm.sh get clients -r {deployment.realm} -q clientId={client_id} --fields id --format csv --noquotes)"


STEPS: Final = (
    Step(
        "exchange.client",
        "client",
        "Keycloak knows the exchange server's client, its secret or key, and lets it exchange (exchange mode).",
        client,
        ("issuer.metadata",),
    ),
)
