"""How many clients registered themselves, and how many of them nobody uses; needs admin access.

At the maximum of the policy Max clients, Keycloak refuses all registrations. The step changes nothing.
"""

from typing import Final

import anyio.to_thread

from nextcloud_mcp.admin_api import Account
from nextcloud_mcp.clients.admin import Realm
from nextcloud_mcp.clients.pruning import UNUSED_DAYS, Survey, survey
from nextcloud_mcp.clients.selection import Limits
from nextcloud_mcp.doctor.deployment import Deployment
from nextcloud_mcp.doctor.finding import Finding, Skip, warning
from nextcloud_mcp.doctor.live_realm import administrator
from nextcloud_mcp.doctor.report import Step
from nextcloud_mcp.errors import ClientsError

PRUNE: Final = (
    "nextcloud-mcp clients prune --delete, and run it every five minutes: docs/how-to/keep-registration-open.md"
)


async def unused(deployment: Deployment) -> Finding:
    """Count the clients; warn if newcomers soon can't register."""
    account = administrator(deployment)
    try:
        found = await anyio.to_thread.run_sync(_survey, deployment.settings.discovery_url, account)
    except ClientsError as error:
        raise Skip(f"{error.cause}: {error.remedy}") from error
    limits = Limits()
    idle = len(found.unused(Limits(never_used=limits.unused, unused=limits.unused)))
    never = len(found.unused(limits)) - idle
    maximum = "" if found.maximum is None else f" of {found.maximum}"
    observed = (
        f"{found.count}{maximum} clients, {len(found.clients)} registered themselves; {idle} unused for {UNUSED_DAYS} "
        f"days, {never} never used"
    )
    problems = (warning(f"Newcomers soon can't register: {observed}", PRUNE),) if found.is_nearly_full() else ()
    return Finding(observed, problems)


def _survey(discovery_url: str, account: Account) -> Survey:
    return survey(Realm(discovery_url, account))


STEPS: Final = (
    Step(
        "clients.unused",
        "unused clients",
        "The number of registered clients is far from the maximum, at which nobody can register.",
        unused,
        ("issuer.metadata",),
    ),
)
