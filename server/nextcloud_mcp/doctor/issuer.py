"""The realm as its metadata shows it (RFC 8414, OpenID Connect Discovery 1.0): issuer, endpoints, keys, scopes.

The classic fault is an issuer with two names: one inside the container network, where the server asks, and one
outside, where people sign in. Tokens carry the one, the server expects the other, and each is refused.
"""

from typing import Any, Final
from urllib.parse import urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import import_key

from nextcloud_mcp.auth.verifier import ALGORITHMS
from nextcloud_mcp.doctor.finding import Fault, Finding, Problem, Skip, warning
from nextcloud_mcp.doctor.patient import Patient, ask_in_passing, ask_json, is_loopback
from nextcloud_mcp.doctor.report import Step

WELL_KNOWN: Final = "/.well-known/openid-configuration"
NEEDED: Final = ("issuer", "jwks_uri", "token_endpoint", "authorization_endpoint")

_HOSTNAME: Final = "start Keycloak with --hostname=https://ITS.PUBLIC.NAME --hostname-backchannel-dynamic=true"
"""One issuer for all, and endpoints at the address that each was asked at."""


async def metadata(patient: Patient) -> Finding:
    """Read the discovery document."""
    url = patient.settings.discovery_url
    mend = f"set OIDC_DISCOVERY_URL to the realm's own: https://KEYCLOAK/realms/REALM{WELL_KNOWN}"
    document = await ask_json(patient.http, url, mend=mend)
    missing = [name for name in NEEDED if not isinstance(document.get(name), str)]
    if missing:
        raise Fault(f"{url} names no {' and no '.join(missing)}", mend, saw="no discovery document")
    patient.metadata = document
    if "S256" not in document.get("code_challenge_methods_supported", []):
        raise Fault(
            "The issuer offers no PKCE with S256, without which MCP clients refuse to sign in", "use Keycloak 26"
        )
    return Finding(f"issuer {document['issuer']}")


async def public(patient: Patient) -> Finding:
    """Ask the issuer by its own name, as clients and browsers do."""
    issuer = str(patient.metadata["issuer"])
    public_url = f"{issuer}{WELL_KNOWN}"
    if public_url == patient.settings.discovery_url:
        return await _one_name(patient, issuer)
    if is_loopback(issuer) and not is_loopback(patient.settings.discovery_url):
        raise Skip(
            f"{issuer} is on loopback, and from here that is another machine: run the doctor where the browser is"
        )
    document = await ask_json(patient.http, public_url, mend=f"make {issuer} reachable for clients, or {_HOSTNAME}")
    if document.get("issuer") != issuer:
        raise Fault(
            f"Asked at {patient.settings.discovery_url} the issuer is {issuer}, and asked there it is "
            f"{document.get('issuer')}: tokens will not name the issuer that this server expects",
            _HOSTNAME,
            saw="two issuers",
        )
    return Finding(
        f"the same at {urlsplit(issuer).netloc}, and internally at {urlsplit(patient.settings.discovery_url).netloc}"
    )


async def _one_name(patient: Patient, issuer: str) -> Finding:
    """See whether the issuer would be another one at another address.

    A Keycloak that has not been told its name takes it from each request; one that has keeps to it. A proxy may drop
    a name that it does not know, without an answer (nginx: `return 444`), and then nobody meets another issuer.
    """
    saw = f"asked at its own address, {urlsplit(issuer).netloc}"
    url = patient.settings.discovery_url
    elsewhere = await ask_in_passing(patient.http, url, headers={"Host": "another-name.invalid"})
    if elsewhere is not None and elsewhere.is_success and issuer not in elsewhere.text and '"issuer"' in elsewhere.text:
        cause = "Keycloak takes its name from each request, so whoever reaches it by another one meets another issuer"
        return Finding(saw, (warning(cause, _HOSTNAME),))
    return Finding(saw)


async def encrypted(patient: Patient) -> Finding:
    """See that passwords and tokens travel encrypted (MCP authorization, "Communication Security")."""
    urls = {
        "NEXTCLOUD_MCP_SERVER_URL": patient.settings.server_url,
        "the issuer": str(patient.metadata["issuer"]),
    }
    problems = tuple(
        Problem(
            f"{name} is {url}, so passwords and tokens cross the network unencrypted, and clients refuse it",
            "put a proxy that ends TLS in front and use its https:// address",
        )
        for name, url in urls.items()
        if not url.startswith("https://") and not is_loopback(url)
    )
    schemes = sorted({urlsplit(url).scheme for url in urls.values()})
    return Finding(f"{' and '.join(schemes)}{', on loopback' if 'http' in schemes and not problems else ''}", problems)


async def keys(patient: Patient) -> Finding:
    """Read the signing keys."""
    url = str(patient.metadata["jwks_uri"])
    document = await ask_json(
        patient.http, url, mend=f"make {url}, which the issuer's metadata names, reachable from here; or {_HOSTNAME}"
    )
    found = document.get("keys", [])
    patient.keys = frozenset(jwk["kid"] for jwk in found if _usable(jwk))
    if not patient.keys:
        raise Fault(
            f"{url} has no signing key of an accepted algorithm ({', '.join(ALGORITHMS)})",
            "in Keycloak's console: Realm settings > Keys > Add providers > rsa-generated, with RS256",
            saw=f"{len(found)} keys, none of them of use",
        )
    algorithms = sorted({str(jwk.get("alg")) for jwk in found if _usable(jwk)})
    return Finding(f"{len(patient.keys)} to verify with: {', '.join(algorithms)}")


def _usable(jwk: Any) -> bool:
    if not isinstance(jwk, dict) or jwk.get("use", "sig") != "sig" or not jwk.get("kid"):
        return False
    if jwk.get("alg") not in {None, *ALGORITHMS}:
        return False
    try:
        import_key(jwk)
    except (JoseError, ValueError):
        return False
    return True


async def scopes(patient: Patient) -> Finding:
    """Compare what the realm offers with what the tools ask for."""
    offered = patient.metadata.get("scopes_supported")
    if not isinstance(offered, list):
        raise Skip("the issuer's metadata lists no scopes")
    wanted = [patient.settings.server_scope, *patient.offer.scopes()]
    missing = [scope for scope in wanted if scope not in offered]
    problems = tuple(_missing_scope(patient, scope) for scope in missing)
    return Finding(f"{len(wanted) - len(missing)} of the {len(wanted)} that this server asks for", problems)


def _missing_scope(patient: Patient, scope: str) -> Problem:
    server = scope == patient.settings.server_scope
    why = "without it no token is meant for this server" if server else "without it its tools can't be called"
    return Problem(
        f"The realm {patient.realm} offers no scope {scope}: {why}",
        f"in Keycloak's console: Client scopes > Create client scope > {scope}, as keycloak/realm-export.json has it; "
        "with KEYCLOAK_ADMIN set the doctor gives the command",
    )


STEPS: Final = (
    Step(
        "issuer.metadata",
        "metadata",
        "The discovery document is one, and offers PKCE with S256.",
        metadata,
        ("network.keycloak",),
    ),
    Step(
        "issuer.public",
        "one name",
        "Asked by its public name the issuer calls itself the same.",
        public,
        ("issuer.metadata",),
    ),
    Step(
        "issuer.encrypted",
        "encryption",
        "The issuer's and the server's public addresses are https, unless they are on loopback.",
        encrypted,
        ("issuer.metadata",),
    ),
    Step(
        "issuer.keys",
        "signing keys",
        "The JWK set has a signing key of an accepted algorithm.",
        keys,
        ("issuer.metadata",),
    ),
    Step(
        "issuer.scopes",
        "scopes",
        "The realm offers the server's scope and those of all tools.",
        scopes,
        ("issuer.metadata",),
    ),
)
