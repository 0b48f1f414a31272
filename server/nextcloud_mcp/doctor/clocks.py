"""Clock skew: a token lives for one minute in exchange mode, and Nextcloud allows no leeway when it expires.

The time of another machine comes from its `Date` header (RFC 9110 section 6.6.1). Keycloak sends no `Date` header,
unless a proxy in front of it adds one. Without it, Keycloak's time comes from the client that the doctor registers or
from the token that it exchanges.
"""

import time
from email.utils import parsedate_to_datetime
from typing import Final

import httpx

from nextcloud_mcp.auth.verifier import LEEWAY
from nextcloud_mcp.doctor.deployment import Deployment, get_or_none
from nextcloud_mcp.doctor.finding import Finding, Outcome, Problem, Skip
from nextcloud_mcp.doctor.report import Step

NOTABLE: Final = 5.0
"""Seconds of skew above which the step warns; `Date` and `iat` are in whole seconds, and a response takes time."""


async def agree(deployment: Deployment) -> Finding:
    """Compare each clock with this machine's, which is also the server's if both run on the same machine."""
    settings = deployment.settings
    sources = (
        ("Keycloak", deployment.http, settings.discovery_url),
        ("MCP server", deployment.http, settings.server_url),
        ("Nextcloud", deployment.nextcloud, "/status.php"),
    )
    for name, http, url in sources:
        ahead = await _ahead(http, url)
        if ahead is not None:
            deployment.clocks[name] = ahead
    if not deployment.clocks:
        raise Skip("no response has a Date header to compare clocks with")
    told = ", ".join(f"{name} {seconds:+.0f} s" for name, seconds in sorted(deployment.clocks.items()))
    silent = [name for name, _, _ in sources if name not in deployment.clocks]
    problems = tuple(_problem(name, seconds) for name, seconds in sorted(deployment.clocks.items()) if _is_off(seconds))
    return Finding(told + (f"; no Date from {', '.join(silent)}" if silent else ""), problems)


async def _ahead(http: httpx.AsyncClient, url: str) -> float | None:
    """Return the seconds by which the clock of a server is ahead, or None if its response has no valid `Date`."""
    asked = time.time()
    response = await get_or_none(http, url)
    if response is None:
        return None
    try:
        date = parsedate_to_datetime(response.headers.get("date", "")).timestamp()
    except ValueError:
        return None
    return skew(date, asked)


def skew(second: float, asked: float) -> float:
    """Return the seconds by which a clock is ahead of this machine's; negative if it is behind.

    The clock reported the whole second `second` at some time between `asked` and now. The result is 0 if a correct
    clock could have reported that second in this interval.
    """
    early, late = second - time.time(), second + 1 - asked
    return 0.0 if early <= 0 <= late else early if early > 0 else late


def _is_off(seconds: float) -> bool:
    return abs(seconds) > NOTABLE


def _problem(name: str, seconds: float) -> Problem:
    way = "ahead of" if seconds > 0 else "behind"
    outcome = Outcome.FAILED if abs(seconds) > LEEWAY else Outcome.WARNING
    return Problem(
        f"{name}'s clock is {abs(seconds):.0f} s {way} this machine's, so tokens expire early or are not valid yet",
        f"synchronise both clocks (timedatectl set-ntp true, on the hosts of {name} and of this server)",
        outcome,
    )


STEPS: Final = (
    Step("clocks.agree", "agree", "The clocks of Keycloak, the server and Nextcloud are within seconds.", agree),
)
