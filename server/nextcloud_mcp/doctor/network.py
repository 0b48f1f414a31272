"""Host names, ports and certificates: whether each part can be reached at its address in the settings."""

import asyncio
import ssl
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

import httpx

from nextcloud_mcp.doctor.deployment import Deployment, is_loopback, network_cause
from nextcloud_mcp.doctor.finding import Fault, Finding, Problem, Skip, warning
from nextcloud_mcp.doctor.report import Step

SECONDS: Final = 10.0
SOON: Final = 21
"""Days before expiry from which a certificate gets a warning; ACME has normally renewed it by then."""

_WHERE_CLIENTS_ARE: Final = "run the doctor where clients are"
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


async def keycloak(deployment: Deployment) -> Finding:
    """Connect to Keycloak; plain HTTP is acceptable here on one machine or in one container network."""
    return await _reach(deployment.settings.discovery_url, "OIDC_DISCOVERY_URL", "Keycloak")


async def server(deployment: Deployment) -> Finding:
    """Connect to the server at its public URL.

    Raises:
        Fault: the connection fails.
        Skip: the connection fails, the URL is on loopback and Keycloak's is not: the doctor probably runs in a
            container, which has its own loopback interface.
    """
    url = deployment.settings.server_url
    try:
        return await _reach(url, "NEXTCLOUD_MCP_SERVER_URL", "the MCP server or the proxy in front of it")
    except Fault:
        if is_loopback(url) and not is_loopback(deployment.settings.discovery_url):
            raise Skip(f"{url} is a loopback address of another machine: {_WHERE_CLIENTS_ARE}") from None
        raise


async def nextcloud(deployment: Deployment) -> Finding:
    """Connect to Nextcloud."""
    return await _reach(deployment.settings.nextcloud_url, "NEXTCLOUD_HOST", "Nextcloud")


async def _reach(url: str, setting: str, what: str) -> Finding:
    """Resolve the host, connect, and check the certificate.

    Raises:
        Fault: one of these steps fails.
    """
    parts = urlsplit(url)
    port = parts.port or _DEFAULT_PORTS[parts.scheme]
    observed = f"{parts.hostname}:{port}"
    context = httpx.create_ssl_context() if parts.scheme == "https" else None
    try:
        async with asyncio.timeout(SECONDS):
            _, writer = await asyncio.open_connection(parts.hostname, port, ssl=context)
    except ssl.SSLCertVerificationError as error:
        raise _certificate(parts, error, setting) from error
    except OSError as error:
        cause = f"{what[0].upper()}{what[1:]} can't be reached at {parts.hostname}:{port}: {network_cause(error)}"
        fix = f"start it, or correct {setting} (now {url})"
        if is_loopback(url):
            fix += f"; in a container this is the container itself, so {_WHERE_CLIENTS_ARE}"
        raise Fault(cause, fix, observed=observed) from error
    certificate = writer.get_extra_info("peercert")
    writer.close()
    if not certificate:
        return Finding(f"{observed} answers, without TLS")
    days = _days_left(certificate)
    problems = () if days >= SOON else (_ends_soon(parts, days),)
    return Finding(f"{observed} answers; its certificate is good for {days} days", problems)


def _certificate(parts: SplitResult, error: ssl.SSLCertVerificationError, setting: str) -> Fault:
    host, code = parts.hostname, error.verify_code
    fixes = {
        _NOT_YET_VALID: f"set the clocks of {host} and of this machine right, or wait until the certificate begins",
        _EXPIRED: f"renew the certificate of {host}, and its authority's if that is the one",
        _OTHER_PURPOSE: f"give {host} a certificate for servers (extendedKeyUsage serverAuth)",
        _OTHER_NAME: f"give {host} a certificate with that name (subjectAltName), or set {setting} to the name it has",
    } | dict.fromkeys(_AGAINST_RFC_5280, _AUTHORITY_ANEW.format(host=host))
    fix = fixes.get(
        code,
        f"give {host} a certificate of a public authority, or set SSL_CERT_FILE to a file with your authority's, for "
        "this server and for the doctor",
    )
    return Fault(
        f"The certificate of {host} is not trusted: {error.verify_message}", fix, observed=f"{host}: TLS fails"
    )


_NOT_YET_VALID: Final = 9
_EXPIRED: Final = 10
_OTHER_PURPOSE: Final = 26
_OTHER_NAME: Final = 62
"""OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID, …_CERT_HAS_EXPIRED, …_INVALID_PURPOSE and …_HOSTNAME_MISMATCH."""

_AGAINST_RFC_5280: Final = range(79, 94)
"""X509_V_ERR_INVALID_CA to …_EXTENSIONS_REQUIRE_VERSION_3: errors that Python 3.13 reports (VERIFY_X509_STRICT), and
that openssl, curl and older Python versions mostly ignore."""

_AUTHORITY_ANEW: Final = (
    "make your authority's certificate anew with basicConstraints=critical,CA:TRUE, "
    "keyUsage=critical,keyCertSign,cRLSign and subjectKeyIdentifier=hash, and that of {host} with "
    "authorityKeyIdentifier=keyid: Python 3.13, on which the server's image runs, insists on these (RFC 5280), "
    "while curl may not"
)


def _days_left(certificate: dict[str, Any]) -> int:
    end = datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
    return (end - datetime.now(UTC)).days


def _ends_soon(parts: SplitResult, days: int) -> Problem:
    return warning(
        f"The certificate of {parts.hostname} ends in {days} days",
        "renew it, and find out why it was not renewed automatically",
    )


STEPS: Final = (
    Step(
        "network.keycloak",
        "Keycloak",
        "`OIDC_DISCOVERY_URL` resolves, answers, and has a trusted certificate if it is https.",
        keycloak,
    ),
    Step("network.server", "MCP server", "So does `NEXTCLOUD_MCP_SERVER_URL`.", server),
    Step("network.nextcloud", "Nextcloud", "So does `NEXTCLOUD_HOST`.", nextcloud),
)
