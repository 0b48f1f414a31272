"""Whether Nextcloud can start its app user_oidc, for example if the app's folder lacks its libraries.

If an app does not start, Nextcloud logs this and continues without it. `status.php` and most APIs still answer, and a
request with a token counts as anonymous. `occ app:list` still lists the app as enabled (measured on 34.0.1).
"""

import re
from typing import Any, Final

from nextcloud_mcp.doctor.deployment import Deployment
from nextcloud_mcp.doctor.finding import Fault, Finding, Problem, warning
from nextcloud_mcp.doctor.nextcloud import reinstall
from nextcloud_mcp.doctor.occ import parsed, run_occ
from nextcloud_mcp.doctor.report import Step

APP: Final = "user_oidc"
LOG_LINES: Final = "100"
MAX_MESSAGE: Final = 200

_BOOT: Final = re.compile(r"Could not boot (?P<app>\w+): (?P<cause>.*)", re.DOTALL)
_REGISTRATION: Final = "Error during app service registration: "
_SECRET: Final = re.compile(r"(?i)\b(auth|\w*pass\w*|\w*secret|\w*token)=[^&\s\"']+|\beyJ[\w-]+\.[\w-]+\.[\w-]*")


async def starts(deployment: Deployment) -> Finding:
    """Check that Nextcloud has the app's folder and starts the app, and name other apps that it does not start.

    Each run of occ starts all apps. An app that fails now is therefore in the log again after each run, with another
    request id; an old failure is not.
    """
    listed = parsed(await run_occ(deployment, "app:list", "--output=json"))
    if isinstance(listed, dict) and APP not in (listed.get("enabled") or {}):
        raise Fault(f"{APP} is enabled, but Nextcloud does not find its folder", reinstall(APP))
    try:
        before = await _failures(deployment)
        after = await _failures(deployment) if before else {}
    except Fault:  # the app logreader is disabled, or the log is not a file
        return Finding("enabled; occ log:tail does not show Nextcloud's log")
    failing = {app: cause for app, (request, cause) in after.items() if before.get(app, ("",))[0] != request}
    return Finding(
        f"Nextcloud does not start {', '.join(failing)}" if failing else "Nextcloud starts it",
        tuple(_problem(app, cause) for app, cause in failing.items()),
    )


def _problem(app: str, cause: str) -> Problem:
    if app == APP:
        return Problem(f"Nextcloud does not start {app}, so it accepts no token. Its log says: {cause}", reinstall(app))
    return warning(f"Nextcloud does not start {app}, so its tools fail. Its log says: {cause}", reinstall(app))


async def _failures(deployment: Deployment) -> dict[str, tuple[str, str]]:
    """Return the apps that Nextcloud did not start according to its log: the last request, and its first error."""
    failures: dict[str, tuple[str, str]] = {}
    for line in (await run_occ(deployment, "log:tail", "--raw", LOG_LINES)).splitlines():
        entry = parsed(line)
        failure = _failure(entry) if isinstance(entry, dict) else None
        if failure is None:
            continue
        app, cause = failure
        request = str(entry.get("reqId"))
        if app not in failures or failures[app][0] != request:
            failures[app] = (request, cause)
    return failures


def _failure(entry: dict[str, Any]) -> tuple[str, str] | None:
    """Return the app and the cause, if an entry of the log says that an app did not start."""
    message = str(entry.get("message"))
    boot = _BOOT.match(message)
    if boot:
        return boot["app"], _shortened(boot["cause"])
    if message.startswith(_REGISTRATION):
        return str(entry.get("app")), _shortened(message.removeprefix(_REGISTRATION))
    return None


def _shortened(message: str) -> str:
    """Return a message of the log on one line, without what looks like a secret."""
    line = " ".join(_SECRET.sub("…", message).split()).rstrip(".")
    return line if len(line) <= MAX_MESSAGE else f"{line[:MAX_MESSAGE]}…"


STEPS: Final = (
    Step(
        "user_oidc.start",
        "start",
        "Nextcloud finds the app's folder and starts the app.",
        starts,
        ("user_oidc.version",),
    ),
)
