"""Find out where and with which scopes to sign in, from the server's URL alone (RFC 9728, RFC 8414)."""

import re
from dataclasses import dataclass
from typing import Any, Final

import httpx

from nextcloud_mcp.sign_in.errors import SignInError

_PARAMETER: Final = re.compile(r'(\w+)="([^"]*)"')
"""Matches a parameter of a challenge (RFC 9110 section 11.2); this server quotes all values."""


@dataclass(frozen=True)
class Target:
    """Where to sign in, and for what.

    Attributes:
        resource: the server's resource identifier (RFC 8707).
        scope: the scopes that the server's challenge lists.
        issuer: the authorization server's identifier.
        authorization_endpoint: where the browser goes.
        token_endpoint: where the code is redeemed.
        names_issuer: whether the redirect has the parameter `iss` (RFC 9207).
    """

    resource: str
    scope: str
    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    names_issuer: bool


def discover(http: httpx.Client, server_url: str) -> Target:
    """Return where to sign in for the server.

    Raises:
        SignInError: the server or the authorization server does not answer as their specifications demand.
    """
    challenge = _challenge(http, server_url)
    resource = _json(http, challenge["resource_metadata"])
    named = str(resource.get("resource", ""))
    if named.rstrip("/") != server_url.rstrip("/"):
        raise SignInError(f"{server_url} says that its URL is {named}: use that one.")
    issuers = resource.get("authorization_servers") or []
    if not issuers:
        raise SignInError(f"{challenge['resource_metadata']} names no authorization server: run nextcloud-mcp doctor.")
    issuer = str(issuers[0])
    metadata = _metadata(http, issuer)
    return Target(
        resource=named,
        scope=challenge.get("scope", ""),
        issuer=issuer,
        authorization_endpoint=str(metadata["authorization_endpoint"]),
        token_endpoint=str(metadata["token_endpoint"]),
        names_issuer=metadata.get("authorization_response_iss_parameter_supported") is True,
    )


def _challenge(http: httpx.Client, url: str) -> dict[str, str]:
    """Return the parameters of the challenge to a request without a token (RFC 6750 section 3)."""
    response = _send(http, "POST", url)
    parameters = dict(_PARAMETER.findall(response.headers.get("www-authenticate", "")))
    if response.status_code != httpx.codes.UNAUTHORIZED or "resource_metadata" not in parameters:
        raise SignInError(
            f"{url} answers with HTTP {response.status_code} and no challenge: pass the server's URL with its path, "
            "such as https://mcp.example.org/mcp."
        )
    return parameters


def _metadata(http: httpx.Client, issuer: str) -> dict[str, Any]:
    """Return the authorization server's metadata, which must have the issuer's own name (RFC 8414 section 3.3)."""
    metadata = _json(http, f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    if metadata.get("issuer") != issuer:
        raise SignInError(f"The metadata of {issuer} is that of {metadata.get('issuer')}: run nextcloud-mcp doctor.")
    missing = {"authorization_endpoint", "token_endpoint"} - metadata.keys()
    if missing or "S256" not in (metadata.get("code_challenge_methods_supported") or []):
        raise SignInError(
            f"{issuer} does not offer the authorization code grant with PKCE (S256): run nextcloud-mcp doctor."
        )
    for endpoint in (str(metadata["authorization_endpoint"]), str(metadata["token_endpoint"])):
        if not _is_web(endpoint):  # the operating system would open a file, or start another program
            raise SignInError(
                f"{issuer} names {endpoint!r}, which is not an http:// or https:// URL: run nextcloud-mcp doctor."
            )
    return metadata


def _is_web(url: str) -> bool:
    return url.startswith(("http://", "https://"))


def _json(http: httpx.Client, url: str) -> dict[str, Any]:
    response = _send(http, "GET", url)
    try:
        document = response.json() if response.is_success else None
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise SignInError(f"{url} answers with HTTP {response.status_code} and no JSON: run nextcloud-mcp doctor.")
    return document


def _send(http: httpx.Client, method: str, url: str) -> httpx.Response:
    if not _is_web(url):
        raise SignInError(
            f"'{url}' is not an http:// or https:// URL: pass the server's, such as https://mcp.example.org/mcp."
        )
    try:
        return http.request(method, url)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise SignInError(
            f"{url} can't be reached ({type(error).__name__}): check the address, and whether this machine reaches it."
        ) from error
