"""What the doctor reports for each certificate defect, after a handshake as strict as that of Python 3.13."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from nextcloud_mcp.doctor import network
from nextcloud_mcp.doctor.deployment import Deployment, Options
from nextcloud_mcp.doctor.finding import Fault
from nextcloud_mcp.settings import load_settings
from tests.support.certificates import issued

AUTHORITY = ("basicConstraints", "keyUsage", "subjectKeyIdentifier")
HOST = ("subjectAltName", "authorityKeyIdentifier", "serverAuth")


@dataclass(frozen=True)
class Defect:
    """A defect of a certificate, or of its authority's.

    Attributes:
        cause: what the doctor says is wrong.
        mend: what it says mends it.
        certificate: what is different about it.
    """

    cause: str
    fix: str
    certificate: dict[str, Any] = field(default_factory=dict)


DEFECTS = {
    "authority without keyUsage": Defect(
        "does not include key usage",
        "keyUsage=critical,keyCertSign",
        {"authority": ("basicConstraints", *AUTHORITY[2:])},
    ),
    "authority's basicConstraints not critical": Defect(
        "not marked critical", "basicConstraints=critical,CA:TRUE", {"basic_constraints_critical": False}
    ),
    "authority that says of itself that it is none": Defect(
        "invalid CA certificate", "basicConstraints=critical,CA:TRUE", {"authority": AUTHORITY[2:]}
    ),
    "authority without a key's identifier": Defect(
        "Missing Subject Key Identifier", "subjectKeyIdentifier=hash", {"authority": AUTHORITY[:2]}
    ),
    "without its authority's identifier": Defect(
        "Missing Authority Key Identifier", "authorityKeyIdentifier=keyid", {"extensions": (HOST[0], HOST[2])}
    ),
    "expired": Defect("certificate has expired", "renew", {"begins": timedelta(days=-9), "ends": timedelta(days=-1)}),
    "not yet valid": Defect("not yet valid", "clocks", {"begins": timedelta(days=1)}),
    "another's": Defect("Hostname mismatch", "subjectAltName", {"host": "other.example.org"}),
    "another's, without subjectAltName": Defect(
        "Hostname mismatch", "subjectAltName", {"host": "other.example.org", "extensions": HOST[1:]}
    ),
    "for clients": Defect("purpose", "serverAuth", {"extensions": (*HOST[:2], "clientAuth")}),
}


@pytest.fixture(autouse=True)
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python 3.13 verifies by RFC 5280 to the letter; older ones do when they are told to."""
    create = ssl.create_default_context

    def strict(*arguments: Any, **named: Any) -> ssl.SSLContext:
        context = create(*arguments, **named)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", strict)


@asynccontextmanager
async def deployment(folder: Path, **certificate: Any) -> AsyncIterator[Deployment]:
    """Have a Nextcloud with such a certificate, whose authority the doctor trusts."""
    authority, file, key = issued(folder, **certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key)
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    settings = {
        "NEXTCLOUD_HOST": f"https://localhost:{server.sockets[0].getsockname()[1]}",
        "NEXTCLOUD_MCP_SERVER_URL": "https://mcp.example.org/mcp",
        "OIDC_DISCOVERY_URL": "https://id.example.org/realms/r/.well-known/openid-configuration",
    }
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SSL_CERT_FILE", str(authority))
        async with server, httpx.AsyncClient(timeout=120) as http:
            yield Deployment(load_settings(settings), Options(), http, http)


async def test_valid_certificate_of_private_ca_is_trusted(tmp_path: Path) -> None:
    """A valid certificate of a private CA is trusted once the CA is."""
    async with deployment(tmp_path) as with_a_certificate:
        finding = await network.nextcloud(with_a_certificate)
    assert finding.problems == ()
    assert "good for 89 days" in finding.observed


@pytest.mark.parametrize("defect", DEFECTS.values(), ids=DEFECTS)
async def test_certificate_defect_is_named_with_fix(tmp_path: Path, defect: Defect) -> None:
    """The cause quotes OpenSSL, and the fix fits it: no advice to trust a CA that is already trusted."""
    async with deployment(tmp_path, **defect.certificate) as with_a_certificate:
        with pytest.raises(Fault) as fault:
            await network.nextcloud(with_a_certificate)
    (problem,) = fault.value.finding.problems
    assert defect.cause in problem.cause
    assert defect.fix in problem.fix
    assert "SSL_CERT_FILE" not in problem.fix
