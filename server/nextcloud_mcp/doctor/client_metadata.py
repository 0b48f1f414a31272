"""Which Client ID Metadata Documents Keycloak accepts (keycloak/README.md describes the shipped configuration).

With the feature `cimd` the issuer's metadata advertises such documents for every realm. Client policies, which only an
administrator can read, decide whether Keycloak accepts a document, from which hosts, and with which scopes.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from nextcloud_mcp.doctor.deployment import LOOPBACK, Deployment
from nextcloud_mcp.doctor.finding import Finding, Problem, warning
from nextcloud_mcp.doctor.report import Step

EXECUTOR: Final = "client-id-metadata-document"
"""The client policy executor that fetches a document and creates a client from it (Keycloak 26.7)."""

SCOPE: Final = "nextcloud"
"""The scope that gives direct access to Nextcloud, without an MCP server; only the exchange server may have it."""

_PROFILES: Final = "in Keycloak's console, Realm settings > Client policies > Profiles"
_SHIPPED: Final = "as keycloak/cimd.json has it (Realm settings > Client policies, JSON editor)"


async def policies(deployment: Deployment) -> Finding:
    """Check the client policies that accept documents."""
    if not deployment.metadata.get("client_id_metadata_document_supported"):
        return Finding("not offered")
    taking = _taking(deployment.live)
    if not taking:
        cause = (
            "The issuer offers client metadata documents, but no policy accepts any: clients that use one are refused"
        )
        fix = f"add the profiles and policies {_SHIPPED}, or build Keycloak without --features=cimd"
        return Finding("offered, but no policy accepts any", (warning(cause, fix),))
    problems = [problem for name, configuration in taking.items() for problem in _judged(name, configuration)]
    return Finding(
        f"accepted by the profile {' and '.join(taking)}", (*problems, *_asking_for_nextcloud(deployment.live))
    )


def _taking(live: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the executor's configuration in each profile that an enabled policy applies, by profile name."""
    return {
        name: executor.get("configuration", {})
        for policy in _enabled(live)
        for name, executors in _executors(live, policy).items()
        for executor in executors
        if executor["executor"] == EXECUTOR
    }


def _enabled(live: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [policy for policy in live["clientPolicies"]["policies"] if policy.get("enabled")]


def _executors(live: Mapping[str, Any], policy: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the executors that a policy applies, by profile name."""
    return {
        profile["name"]: profile.get("executors", [])
        for profile in live["clientProfiles"]["profiles"]
        if profile["name"] in policy.get("profiles", [])
    }


def _judged(profile: str, configuration: Mapping[str, Any]) -> Iterator[Problem]:
    hosts = configuration.get("cimd-allow-permitted-domains") or []
    far = [host for host in hosts if host not in LOOPBACK]
    if not hosts:
        cause = f"The client profile {profile} lists no host, so Keycloak refuses every document"
        yield warning(cause, f"{_PROFILES} > {profile}: list the hosts under Trusted domains, {_SHIPPED}")
    if _true(configuration.get("cimd-allow-http-scheme")) and far:
        cause = (
            f"The client profile {profile} takes documents of {', '.join(far)} over plain HTTP: who sits in between "
            "says where codes go"
        )
        yield warning(cause, f"{_PROFILES} > {profile}: turn Allow http scheme off")


def _true(value: object) -> bool:
    """Return whether a boolean is true; Keycloak writes booleans as strings in some places."""
    return value is True or value == "true"


def _asking_for_nextcloud(live: Mapping[str, Any]) -> Iterator[Problem]:
    """Check that a policy refuses requests for `SCOPE`: registration policies do not apply to documents."""
    if not any(_refuses_scope(live, policy) for policy in _enabled(live)):
        yield Problem(
            f"A client with a metadata document may request the scope {SCOPE} and get a token that Nextcloud accepts",
            f"add the client policy nobody-asks-for-nextcloud {_SHIPPED}",
        )


def _refuses_scope(live: Mapping[str, Any], policy: Mapping[str, Any]) -> bool:
    applied = [executor["executor"] for executors in _executors(live, policy).values() for executor in executors]
    match policy.get("conditions"):
        case [{"condition": "client-scopes", "configuration": {"scopes": [*scopes], "type": "Optional"} as how}]:
            negated = _true(how.get("is-negative-logic"))
            return SCOPE in scopes and not negated and "reject-request" in applied
    return False


STEPS: Final = (
    Step(
        "drift.documents",
        "documents",
        "Where clients may bring metadata documents, a policy takes them, from listed hosts, by plain HTTP from "
        "loopback alone, and none may ask for Nextcloud itself.",
        policies,
        ("drift.access",),
    ),
)
