"""Whether the clocks agree: a token lives a minute in exchange mode, and Nextcloud allows no leeway at its end.

Other machines tell their time by the header `Date` (RFC 9110 section 6.6.1). Keycloak sends none, unless a proxy in
front adds it; its time is then that of a client that was registered, or of a token that was exchanged.
"""

import time
from email.utils import parsedate_to_datetime
from typing import Final

import httpx

from nextcloud_mcp.auth.verifier import LEEWAY
from nextcloud_mcp.doctor.deployment import Deployment, ask_in_passing
from nextcloud_mcp.doctor.finding import Finding, Outcome, Problem, Skip
from nextcloud_mcp.doctor.report import Step

NOTABLE: Final = 5.0
"""Seconds; `Date` and `iat` have none smaller than one, and an answer takes a while."""


async def agree(deployment: Deployment) -> Finding:
    """Compare every clock with this machine's, which is the server's if the doctor runs beside it."""
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
        raise Skip("nobody tells the time: no answer has a Date")
    told = ", ".join(f"{name} {seconds:+.0f} s" for name, seconds in sorted(deployment.clocks.items()))
    silent = [name for name, _, _ in sources if name not in deployment.clocks]
    problems = tuple(_problem(name, seconds) for name, seconds in sorted(deployment.clocks.items()) if _is_off(seconds))
    return Finding(told + (f"; {', '.join(silent)} tells no time" if silent else ""), problems)


async def _ahead(http: httpx.AsyncClient, url: str) -> float | None:
    """Return the seconds by which the clock at an address is ahead, or None where it tells no time."""
    asked = time.time()
    response = await ask_in_passing(http, url)
    if response is None:
        return None
    try:
        date = parsedate_to_datetime(response.headers.get("date", "")).timestamp()
    except ValueError:
        return None
    return skew(date, asked)


def skew(second: float, asked: float) -> float:
    """Return the seconds by which a clock is ahead that named this whole second after `asked`, and until now.

    Nothing if it may be right: the second had begun, and the answer was under way.
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
