"""The exchange (RFC 8693) by the configured client, dry: with a subject token that is none.

Keycloak 26.7 looks at the client before it looks at the token, so its refusal tells the client's faults apart. What it
looks at last, the audience, takes a real token: `--token-stdin`.

    401 invalid_client        no such client, or it is disabled
    401 unauthorized_client   the secret is wrong
    400 invalid_request       "Standard token exchange is not enabled …", "Request not allowed" (a policy refuses it),
                              or "Invalid token": all is well but the token
"""

from collections.abc import Mapping
from typing import Final

import httpx

from nextcloud_mcp.app import client_authentication
from nextcloud_mcp.auth.credentials import ACCESS_TOKEN_TYPE, GRANT_TYPE
from nextcloud_mcp.doctor.finding import Fault, Finding
from nextcloud_mcp.doctor.patient import Patient, ask
from nextcloud_mcp.doctor.report import Step

USELESS: Final = "the-doctor-sends-no-token"

_WELL: Final = ("invalid_request", "Invalid token")


async def client(patient: Patient) -> Finding:
    """Ask for an exchange that must fail, and read why it does."""
    settings = patient.settings
    if not settings.enable_token_exchange:
        return Finding("not needed: pass-through mode exchanges nothing")
    proof = client_authentication(settings).prove(settings.client_id, str(patient.metadata["issuer"]))
    endpoint = str(patient.metadata["token_endpoint"])
    form = {
        "grant_type": GRANT_TYPE,
        "subject_token": USELESS,
        "subject_token_type": ACCESS_TOKEN_TYPE,
        "requested_token_type": ACCESS_TOKEN_TYPE,
        "audience": settings.nextcloud_audience,
        **proof.form,
    }
    mend = f"make {endpoint}, which the issuer's metadata names, reachable from here"
    response = await ask(patient.http, "POST", endpoint, data=form, headers=proof.headers, mend=mend)
    error, description = _refusal(response)
    if (error, description) == _WELL:
        return Finding(f"Keycloak knows {settings.client_id} and lets it exchange")
    cause, mend = _remedy(patient, error, description)
    raise Fault(cause, mend, saw=f"HTTP {response.status_code} {error}: {description}")


def _refusal(response: httpx.Response) -> tuple[str, str]:
    try:
        answer = response.json()
        return str(answer["error"]), str(answer.get("error_description", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return "none", "no answer of a token endpoint"


def _remedy(patient: Patient, error: str, description: str) -> tuple[str, str]:
    """Return the cause of a refusal, and what mends it."""
    client_id = patient.settings.client_id
    update = f"kcadm.sh update clients/{kcadm_id(patient, client_id)} -r {patient.realm} -s"
    by_description: Mapping[str, tuple[str, str]] = {
        "Standard token exchange is not enabled for the requested client": (
            f"Token exchange is not enabled for the client {client_id}",
            f"{update} 'attributes.\"standard.token.exchange.enabled\"=true'",
        ),
        "Request not allowed": (
            f"The realm's policies refuse the exchange: the client {client_id} lacks the default scope nextcloud",
            f"in Keycloak's console: Clients > {client_id} > Client scopes > Add client scope > nextcloud, Default",
        ),
    }
    by_error = {
        "invalid_client": (
            f"Keycloak knows no enabled client {client_id}",
            f"set OIDC_CLIENT_ID to the exchange server's client in this realm, or enable it:\n{update} enabled=true",
        ),
        "unauthorized_client": (
            f"Keycloak refuses the secret or key of the client {client_id}",
            f"set OIDC_CLIENT_SECRET (or _FILE) to what Keycloak's console has: Clients > {client_id} > Credentials",
        ),
    }
    otherwise = ("Keycloak refuses the exchange for another reason", "see Keycloak's log")
    return by_description.get(description) or by_error.get(error, otherwise)


def kcadm_id(patient: Patient, client_id: str) -> str:
    """Return the words of a shell that stand for a client's key."""
    return f"$(kcadm.sh get clients -r {patient.realm} -q clientId={client_id} --fields id --format csv --noquotes)"


STEPS: Final = (
    Step(
        "exchange.client",
        "client",
        "Keycloak knows the exchange server's client, its secret or key, and lets it exchange (exchange mode).",
        client,
        ("issuer.metadata",),
    ),
)
