"""A user's access token from standard input: its audience, its scopes, and its exchange for a Nextcloud token.

The doctor verifies the token with the server's own code, and then sends it to the running server. It prints neither
this token nor the one that it is exchanged for.
"""

import time
from typing import Final

import httpx

from nextcloud_mcp.app import credentials, verifier
from nextcloud_mcp.auth.issuer import Issuer
from nextcloud_mcp.auth.verifier import Principal
from nextcloud_mcp.doctor.clocks import skew
from nextcloud_mcp.doctor.deployment import Deployment, ask, unverified
from nextcloud_mcp.doctor.finding import Fault, Finding, Skip, readable, warning
from nextcloud_mcp.doctor.report import Step
from nextcloud_mcp.errors import InvalidTokenError, IssuerUnavailableError, NextcloudMCPError, TokenExchangeError

LIST_TOOLS: Final = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
HEADERS: Final = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-06-18"}


async def accepted(deployment: Deployment) -> Finding:
    """Verify the token as the server does."""
    if deployment.options.token is None:
        raise Skip("no token was given: --token-stdin")
    issuer = Issuer(deployment.http, deployment.settings.discovery_url)
    try:
        deployment.principal = await verifier(deployment.settings, issuer).verify(deployment.options.token)
    except (InvalidTokenError, IssuerUnavailableError) as error:
        raise Fault(error.cause, _remedy(deployment, error), observed=_seen(deployment.options.token)) from error
    seconds = deployment.principal.expires_at - time.time()
    return Finding(f"meant for this server, good for {seconds:.0f} s, given to {deployment.principal.client_id}")


def _remedy(deployment: Deployment, error: NextcloudMCPError) -> str:
    """Return the error's remedy if it is one for the administrator, else the advice to request a new token."""
    if error.remedy.startswith("the administrator"):
        return error.remedy
    return f"ask for a new one with the scope {deployment.settings.server_scope}"


def _seen(token: str) -> str:
    """Return the audience and the issuer of an unverified token."""
    claims = unverified(token)
    return f"it names aud {readable(claims.get('aud'))}, iss {readable(claims.get('iss'))}" if claims else "no JWT"


async def scopes(deployment: Deployment) -> Finding:
    """Check which tools the token's scopes allow."""
    granted, tools = _principal(deployment).scopes, deployment.offer.tools
    opened = [tool for tool, needed in tools.items() if needed <= granted]
    held = granted & set(deployment.offer.scopes())
    observed = f"{' '.join(sorted(held)) or 'none of the tools'}: {len(opened)} of {len(tools)} tools"
    if held:
        return Finding(observed)
    fix = f"ask for the scopes of the tools too: {' '.join(deployment.offer.scopes())}"
    return Finding(observed, (warning("The token has no scope of a tool, so it opens next to nothing", fix),))


async def served(deployment: Deployment) -> Finding:
    """Request `tools/list` from the running server with the token."""
    url = deployment.settings.server_url
    headers = HEADERS | {"Authorization": f"Bearer {deployment.options.token}"}
    response = await ask(deployment.http, "POST", url, fix="start the server", headers=headers, json=LIST_TOOLS)
    if response.is_success:
        return Finding("the running server takes it")
    raise Fault(
        f"The running server refuses it with HTTP {response.status_code}: {_sentence(response)}",
        "see the server's log; its settings may differ from these, or it is older than they are",
        observed=f"HTTP {response.status_code}",
    )


def _sentence(response: httpx.Response) -> str:
    try:
        return str(response.json()["error"]["message"]).rstrip(".")
    except (ValueError, KeyError, TypeError):
        return "without a word of the server's"


async def for_nextcloud(deployment: Deployment) -> Finding:
    """Get a token for Nextcloud as each call does, and check its claims."""
    settings = deployment.settings
    issuer = Issuer(deployment.http, settings.discovery_url)
    asked = time.time()
    try:
        token = await credentials(settings, deployment.http, issuer).for_nextcloud(_principal(deployment))
    except (TokenExchangeError, InvalidTokenError, IssuerUnavailableError) as error:
        raise Fault(error.cause, error.remedy, observed="no token for Nextcloud") from error
    deployment.nextcloud_token = token
    claims = unverified(token)
    if settings.enable_token_exchange and "iat" in claims:
        deployment.clocks["Keycloak"] = skew(float(claims["iat"]), asked)
    if not claims.get("preferred_username"):
        raise Fault(
            "The token for Nextcloud carries no preferred_username, by which Nextcloud finds the account",
            "give the scope that it comes from its mapper preferred_username, as in keycloak/realm-export.json "
            f"({'nextcloud' if settings.enable_token_exchange else settings.server_scope})",
        )
    lifetime = int(claims.get("exp", 0)) - int(claims.get("iat", 0))
    return Finding(f"aud {claims['aud']}, azp {claims.get('azp')}, lives {lifetime} s")


def _principal(deployment: Deployment) -> Principal:
    if deployment.principal is None:
        raise Skip("the token was not accepted")
    return deployment.principal


STEPS: Final = (
    Step(
        "token.accepted",
        "accepted",
        "The token given on standard input is genuine, valid and meant for this server.",
        accepted,
        ("issuer.keys",),
    ),
    Step("token.scopes", "scopes", "It has scopes of tools.", scopes, ("token.accepted",)),
    Step("token.served", "the server", "The running server takes it.", served, ("token.accepted", "server.challenge")),
    Step(
        "token.nextcloud",
        "for Nextcloud",
        "It can be exchanged (or passed on) as a token for Nextcloud that names the account.",
        for_nextcloud,
        ("token.accepted", "exchange.client"),
    ),
)
