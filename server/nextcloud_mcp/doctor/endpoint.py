"""The server as a client sees it that knows only its URL (RFC 6750, RFC 9728; MCP authorization).

A request without a token gets a 401 with the address of the protected resource metadata. The metadata names the issuer,
and its `resource` must be exactly the URL that the client uses. A proxy can break each of these steps.
"""

import re
from typing import Final
from urllib.parse import urlsplit

import httpx

from nextcloud_mcp.auth.challenge import WELL_KNOWN
from nextcloud_mcp.doctor.deployment import Deployment, ask, ask_json
from nextcloud_mcp.doctor.finding import Fault, Finding, readable, warning
from nextcloud_mcp.doctor.report import Step

STRANGER: Final = "https://stranger.invalid"
"""The origin of a web page that no setting allows."""

_PARAMETER: Final = re.compile(r'(\w+)="([^"]*)"')


async def challenge(deployment: Deployment) -> Finding:
    """Send a request without a token, and check the 401."""
    response = await _post(deployment)
    if response.status_code != httpx.codes.UNAUTHORIZED:
        raise _no_challenge(deployment, response)
    header = response.headers.get("www-authenticate", "")
    deployment.challenge = dict(_PARAMETER.findall(header))
    if not header.lower().startswith("bearer") or "resource_metadata" not in deployment.challenge:
        raise Fault(
            "The 401 has no WWW-Authenticate with resource_metadata, so clients cannot find out where to sign in",
            "let the proxy in front pass on the header WWW-Authenticate, and turn off any login of its own",
            observed=f"401, WWW-Authenticate: {header or 'none'}",
        )
    return Finding(f"401; sign in for {deployment.challenge.get('scope', 'no scope')}")


async def _post(deployment: Deployment, **headers: str) -> httpx.Response:
    url = deployment.settings.server_url
    return await ask(deployment.http, "POST", url, fix="start the server: nextcloud-mcp serve", headers=headers)


def _no_challenge(deployment: Deployment, response: httpx.Response) -> Fault:
    """Return why a request without a token does not get 401."""
    url = deployment.settings.server_url
    status = response.status_code
    cause, fix = {
        404: (
            f"There is no MCP endpoint at {url}",
            f"set NEXTCLOUD_MCP_SERVER_URL={url} for the server too, and let the proxy pass on just that path",
        ),
        421: (
            "The server answers to another name: its NEXTCLOUD_MCP_SERVER_URL differs, or the proxy changes Host",
            f"set NEXTCLOUD_MCP_SERVER_URL={url} for the server too, and let the proxy pass Host on unchanged",
        ),
    }.get(status, (f"A request without a token gets HTTP {status} in place of 401", _fix(response)))
    return Fault(cause, fix, observed=f"HTTP {status}")


def _fix(response: httpx.Response) -> str:
    if response.is_redirect:
        location = response.headers.get("location", "nowhere")
        return f"set NEXTCLOUD_MCP_SERVER_URL to an address that does not redirect (this one redirects to {location})"
    if response.is_server_error:
        return "see that the proxy in front reaches the server, and look into the logs of both"
    return "see what answers there: it is not this server, or something in front changes its answers"


async def metadata(deployment: Deployment) -> Finding:
    """Fetch the protected resource metadata from the address in the 401, and compare its `resource` with the URL."""
    url = deployment.settings.server_url
    address = deployment.challenge["resource_metadata"]
    parts = urlsplit(url)
    fix = (
        f"let the proxy pass {WELL_KNOWN}{parts.path} on to the server too; "
        "or, with HTTP 503, let the server reach Keycloak"
    )
    if not address.startswith(f"{parts.scheme}://{parts.netloc}/"):
        raise Fault(
            f"The 401 sends clients to {address}, which is not on {parts.scheme}://{parts.netloc}",
            f"set NEXTCLOUD_MCP_SERVER_URL={url} for the server, and restart it",
        )
    deployment.resource = await ask_json(deployment.http, address, fix=fix)
    resource = deployment.resource.get("resource")
    if resource != url:
        raise Fault(
            f"The metadata names the resource {readable(resource)}, so clients that use {url} refuse it "
            "(RFC 9728 section 3.3)",
            f"set NEXTCLOUD_MCP_SERVER_URL={url} for the server, and restart it; or give clients {readable(resource)}",
        )
    return Finding(f"resource {resource}, {len(deployment.resource.get('scopes_supported', []))} scopes")


async def issuer(deployment: Deployment) -> Finding:
    """Compare the issuer in the protected resource metadata with the issuer of `OIDC_DISCOVERY_URL`."""
    named = deployment.resource.get("authorization_servers", [])
    found = deployment.metadata["issuer"]
    if named != [found]:
        raise Fault(
            f"The server sends clients to {' '.join(map(str, named)) or 'no issuer'}; "
            f"{deployment.settings.discovery_url} is of {found}",
            f"set OIDC_DISCOVERY_URL={deployment.settings.discovery_url} for the server too, and restart it",
        )
    return Finding(f"clients are sent to {found}")


async def mode(deployment: Deployment) -> Finding:
    """Compare the running server's mode with the settings; the scope in the 401 shows the mode."""
    asked = deployment.challenge.get("scope", "").split()
    wanted = deployment.settings.server_scope
    if wanted not in asked:
        seen = ", ".join(scope for scope in asked if scope.startswith("nextcloud-mcp:")) or "none of nextcloud-mcp:…"
        raise Fault(
            f"The server asks for the scope {seen}, and these settings ({deployment.settings.mode}) for {wanted}",
            "give the doctor the server's own settings: ENABLE_TOKEN_EXCHANGE and OIDC_SERVER_SCOPE differ; "
            "or restart the server, which runs with older ones",
        )
    return Finding(deployment.settings.mode)


async def pages(deployment: Deployment) -> Finding:
    """Send a request with a foreign `Origin`, which the server must refuse with 403 (DNS rebinding)."""
    response = await _post(deployment, Origin=STRANGER)
    if response.status_code == httpx.codes.FORBIDDEN:
        return Finding("pages of other origins are refused")
    cause = f"A web page of {STRANGER} gets HTTP {response.status_code} where 403 is expected"
    fix = "let the proxy pass the header Origin on unchanged"
    return Finding(f"HTTP {response.status_code}", (warning(cause, fix),))


STEPS: Final = (
    Step(
        "server.challenge",
        "the 401",
        "A request without a token gets 401 and a `WWW-Authenticate` that says where to sign in.",
        challenge,
        ("network.server",),
    ),
    Step(
        "server.metadata",
        "metadata",
        "The protected resource metadata is there, and names exactly `NEXTCLOUD_MCP_SERVER_URL`.",
        metadata,
        ("server.challenge",),
    ),
    Step(
        "server.issuer",
        "issuer",
        "It sends clients to the issuer of `OIDC_DISCOVERY_URL`.",
        issuer,
        ("server.metadata", "issuer.metadata"),
    ),
    Step("server.mode", "mode", "The running server is in the mode of the settings.", mode, ("server.challenge",)),
    Step(
        "server.pages",
        "web pages",
        "A stranger's web page is refused before anything else.",
        pages,
        ("server.challenge",),
    ),
)
