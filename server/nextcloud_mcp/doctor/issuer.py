"""The realm's metadata (RFC 8414, OpenID Connect Discovery 1.0): issuer, endpoints, keys and scopes.

The most common fault is an issuer with two names: the server uses one inside the container network, and users sign in
at the other from outside. The server then refuses every token, because its `iss` is not the expected issuer.
"""

from typing import Any, Final
from urllib.parse import urlsplit

from nextcloud_mcp.auth.issuer import UnusableKeyError, signing_key
from nextcloud_mcp.auth.verifier import ALGORITHMS
from nextcloud_mcp.doctor.deployment import Deployment, ask_json, get_or_none, is_loopback
from nextcloud_mcp.doctor.finding import Fault, Finding, Problem, Skip, readable, warning
from nextcloud_mcp.doctor.report import Step
from nextcloud_mcp.nextcloud.bearer import DISTURBED_BY, USER_OIDC_ALGORITHMS

WELL_KNOWN: Final = "/.well-known/openid-configuration"
NEEDED: Final = ("issuer", "jwks_uri", "token_endpoint", "authorization_endpoint")

SERVER_SCOPES: Final = "nextcloud-mcp:"
"""The prefix of the servers' scopes in the shipped realm."""

_UNTOLD: Final = "of no named algorithm"
_KEYS: Final = "in Keycloak's console: Realm settings > Keys"
_DEFAULT_ALGORITHM: Final = "set Realm settings > Tokens > Default signature algorithm"

_HOSTNAME: Final = "start Keycloak with --hostname=https://ITS.PUBLIC.NAME --hostname-backchannel-dynamic=true"
"""These options give one issuer to all clients, and endpoint URLs with the host of the request."""


async def metadata(deployment: Deployment) -> Finding:
    """Read the discovery document."""
    url = deployment.settings.discovery_url
    fix = f"set OIDC_DISCOVERY_URL to the realm's own: https://KEYCLOAK/realms/REALM{WELL_KNOWN}"
    document = await ask_json(deployment.http, url, fix=fix)
    missing = [name for name in NEEDED if not isinstance(document.get(name), str)]
    if missing:
        raise Fault(f"{url} names no {' and no '.join(missing)}", fix, observed="no discovery document")
    deployment.metadata = document
    if "S256" not in document.get("code_challenge_methods_supported", []):
        raise Fault("The issuer does not offer PKCE with S256, which MCP clients require", "use Keycloak 26")
    return Finding(f"issuer {document['issuer']}")


async def public(deployment: Deployment) -> Finding:
    """Fetch the metadata from the issuer's own URL, as clients and browsers do, and compare the issuers."""
    issuer = str(deployment.metadata["issuer"])
    public_url = f"{issuer}{WELL_KNOWN}"
    if public_url == deployment.settings.discovery_url:
        return await _one_name(deployment, issuer)
    if is_loopback(issuer) and not is_loopback(deployment.settings.discovery_url):
        raise Skip(f"{issuer} is a loopback address of another machine: run the doctor where the browser is")
    document = await ask_json(deployment.http, public_url, fix=f"make {issuer} reachable for clients, or {_HOSTNAME}")
    if document.get("issuer") != issuer:
        raise Fault(
            f"Asked at {deployment.settings.discovery_url} the issuer is {issuer}, and asked there it is "
            f"{readable(document.get('issuer'))}: tokens will not name the issuer that this server expects",
            _HOSTNAME,
            observed="two issuers",
        )
    return Finding(
        f"the same at {urlsplit(issuer).netloc}, and internally at {urlsplit(deployment.settings.discovery_url).netloc}"
    )


async def _one_name(deployment: Deployment, issuer: str) -> Finding:
    """Check that the issuer stays the same for a request with another `Host`.

    Keycloak takes the issuer's host from each request unless its hostname is configured. A proxy may drop requests for
    an unknown host without a response (nginx: `return 444`); then no client can see another issuer.
    """
    observed = f"asked at its own address, {urlsplit(issuer).netloc}"
    url = deployment.settings.discovery_url
    elsewhere = await get_or_none(deployment.http, url, headers={"Host": "another-name.invalid"})
    if elsewhere is not None and elsewhere.is_success and issuer not in elsewhere.text and '"issuer"' in elsewhere.text:
        cause = "Keycloak takes its name from each request, so whoever reaches it by another one meets another issuer"
        return Finding(observed, (warning(cause, _HOSTNAME),))
    return Finding(observed)


async def encrypted(deployment: Deployment) -> Finding:
    """Check that passwords and tokens are sent over TLS (MCP authorization, "Communication Security")."""
    urls = {
        "NEXTCLOUD_MCP_SERVER_URL": deployment.settings.server_url,
        "the issuer": str(deployment.metadata["issuer"]),
    }
    problems = tuple(
        Problem(
            f"{name} is {url}, so passwords and tokens cross the network unencrypted, and clients refuse it",
            "put a proxy that terminates TLS in front and use its https:// address",
        )
        for name, url in urls.items()
        if not url.startswith("https://") and not is_loopback(url)
    )
    schemes = sorted({urlsplit(url).scheme for url in urls.values()})
    return Finding(f"{' and '.join(schemes)}{', on loopback' if 'http' in schemes and not problems else ''}", problems)


async def keys(deployment: Deployment) -> Finding:
    """Check which of the realm's signing keys this server and Nextcloud can use."""
    url = str(deployment.metadata["jwks_uri"])
    document = await ask_json(
        deployment.http, url, fix=f"make {url}, which the issuer's metadata names, reachable from here; or {_HOSTNAME}"
    )
    found = [jwk for jwk in document.get("keys", []) if _signs(jwk)]
    reasons = {jwk["kid"]: _reason_against(jwk) for jwk in found}
    deployment.keys = frozenset(kid for kid, reason in reasons.items() if not reason)
    if not deployment.keys:
        raise Fault(
            f"{url} has no signing key of an accepted algorithm ({', '.join(ALGORITHMS)})",
            f"{_KEYS} > Add providers > rsa-generated, with RS256",
            observed=f"{len(found)} keys, none of them usable",
        )
    problems = [
        warning(
            f"This server can't use the realm's signing key {kid} ({reason}), and user_oidc can refuse others for it",
            f"{_KEYS}: replace it",
        )
        for kid, reason in reasons.items()
        if reason
    ]
    kinds = sorted({_algorithm(jwk) for jwk in found if jwk["kid"] in deployment.keys})
    refused = [kind for kind in kinds if kind not in {_UNTOLD, *USER_OIDC_ALGORITHMS}]
    problems += [_refused_by_nextcloud(refused, is_all=len(refused) == len(kinds))] if refused else []
    problems += [
        warning(
            f"Nextcloud's app user_oidc refuses tokens signed with {kind} while the realm has a key for {other} too",
            f"{_KEYS}: remove the key for {other}",
        )
        for kind, other in DISTURBED_BY.items()
        if {kind, other} <= set(kinds)
    ]
    return Finding(f"{len(deployment.keys)} to verify with: {', '.join(kinds)}", tuple(problems))


def _refused_by_nextcloud(algorithms: list[str], *, is_all: bool) -> Problem:
    """Return the problem that the realm has keys of algorithms that user_oidc does not verify."""
    cause = f"Nextcloud's app user_oidc does not verify {' or '.join(algorithms)}"
    if is_all:
        fix = f"{_KEYS} > Add providers, for one of {', '.join(USER_OIDC_ALGORITHMS)}; then {_DEFAULT_ALGORITHM}"
        return Problem(f"{cause}, and the realm has no other keys, so each call gets 401", fix)
    return warning(
        f"{cause}, for which the realm has keys: callers with a token signed this way get 401",
        f"{_DEFAULT_ALGORITHM} to one of {', '.join(USER_OIDC_ALGORITHMS)}, and each client's own under Advanced too",
    )


def _signs(jwk: Any) -> bool:
    return isinstance(jwk, dict) and jwk.get("use", "sig") == "sig" and bool(jwk.get("kid"))


def _reason_against(jwk: dict[str, Any]) -> str:
    """Return why this server cannot use a signing key, or an empty string if it can."""
    algorithm = jwk.get("alg")
    if algorithm not in {None, *ALGORITHMS}:
        return f"the algorithm {algorithm} is not one of {', '.join(ALGORITHMS)}"
    try:
        signing_key(jwk)
    except UnusableKeyError as error:
        return str(error)
    return ""


def _algorithm(jwk: dict[str, Any]) -> str:
    """Return a key's algorithm, with the curve for EdDSA."""
    algorithm = jwk.get("alg", _UNTOLD)
    return f"EdDSA with {jwk.get('crv')}" if algorithm == "EdDSA" else str(algorithm)


async def scopes(deployment: Deployment) -> Finding:
    """Check that the realm offers every scope that the server and its tools need.

    A realm with both servers lists the scope of one: a client that requests every listed scope gets a token for that
    server only (keycloak/README.md, Scopes). So the scope of the other server may be missing.
    """
    offered = deployment.metadata.get("scopes_supported")
    if not isinstance(offered, list):
        raise Skip("the issuer's metadata lists no scopes")
    server = deployment.settings.server_scope
    is_other_listed = server not in offered and any(str(scope).startswith(SERVER_SCOPES) for scope in offered)
    wanted = [*([] if is_other_listed else [server]), *deployment.offer.scopes()]
    missing = [scope for scope in wanted if scope not in offered]
    problems = tuple(_missing_scope(deployment, scope) for scope in missing)
    observed = f"{len(wanted) - len(missing)} of the {len(wanted)} that this server asks for"
    if is_other_listed:
        observed += f"; {server} is not listed, so a client that requests the listed scopes needs its scopes set"
    return Finding(observed, problems)


def _missing_scope(deployment: Deployment, scope: str) -> Problem:
    server = scope == deployment.settings.server_scope
    why = "without it no token is meant for this server" if server else "without it its tools can't be called"
    return Problem(
        f"The realm {deployment.realm} does not offer the scope {scope}: {why}",
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
        "The JWK set has signing keys of algorithms that this server accepts, and that Nextcloud verifies.",
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
