"""The order of the steps, and the loop that runs them; each step comes after the steps that it needs."""

from collections.abc import Mapping
from typing import Final

import httpx

from nextcloud_mcp.app import KEYCLOAK_TIMEOUT, create_app
from nextcloud_mcp.doctor import (
    client_metadata,
    clocks,
    drift,
    endpoint,
    exchange,
    issuer,
    network,
    nextcloud,
    registration,
    running,
    token,
    unused,
    user_oidc,
)
from nextcloud_mcp.doctor.deployment import Deployment, Options
from nextcloud_mcp.doctor.finding import Fault, Finding, Outcome, Problem, Skip
from nextcloud_mcp.doctor.report import Report, Result, Step
from nextcloud_mcp.errors import SettingsError
from nextcloud_mcp.nextcloud.client import http_client
from nextcloud_mcp.settings import Settings, read_settings


async def _started(_: Deployment) -> Finding:
    raise Skip("was judged before the walk began")


SETTINGS: Final = Step(
    "settings.complete", "complete", "`nextcloud-mcp serve` would start with these settings.", _started
)

WALK: Final = (
    *network.STEPS,
    *issuer.STEPS,
    *endpoint.STEPS,
    *registration.STEPS,
    *unused.STEPS,
    *exchange.STEPS,
    *token.STEPS,
    *nextcloud.STEPS,
    *running.STEPS,
    *clocks.STEPS,
    *user_oidc.STEPS,
    *drift.STEPS,
    *client_metadata.STEPS,
)
"""All steps but `SETTINGS`, which runs first, because the others need valid settings."""

STEPS: Final = (SETTINGS, *WALK)


async def examine(environ: Mapping[str, str], options: Options) -> Report:
    """Run all steps on the deployment that the settings in `environ` describe."""
    settings = read_settings(environ)
    lines = settings if isinstance(settings, list) else _unstartable(settings)
    if lines or isinstance(settings, list):
        return _stopped(lines)
    first = Result(SETTINGS, Finding(f"{settings.mode} mode, at {settings.server_url}"))
    async with (
        httpx.AsyncClient(timeout=KEYCLOAK_TIMEOUT) as http,
        http_client(settings.nextcloud_url) as nextcloud_http,
    ):
        return Report([first, *await _walk(Deployment(settings, options, http, nextcloud_http))])


def _unstartable(settings: Settings) -> list[SettingsError]:
    """Return the errors with which the server would refuse to start."""
    try:
        create_app(settings)
    except SettingsError as error:
        return [error]
    return []


def _stopped(errors: list[SettingsError]) -> Report:
    fix = "set it for the server and for the doctor; docs/reference/settings.md has them all"
    found = Finding("the server would not start", tuple(Problem(error.cause, fix) for error in errors))
    rest = [Result(step, _waiting(SETTINGS.code)) for step in WALK]
    return Report([Result(SETTINGS, found), *rest])


async def _walk(deployment: Deployment) -> list[Result]:
    results: dict[str, Result] = {}
    for step in WALK:
        blocked = [need for need in step.needs if not _stands(results[need])]
        results[step.code] = Result(step, _waiting(*blocked) if blocked else await _look(step, deployment))
    return list(results.values())


def _waiting(*codes: str) -> Finding:
    return Finding(f"needs {' and '.join(codes)}", skipped=True, needs=codes)


def _stands(result: Result) -> bool:
    """Return whether steps that need this one may run: it is `OK` or a `WARNING`."""
    return result.finding.outcome in {Outcome.OK, Outcome.WARNING}


async def _look(step: Step, deployment: Deployment) -> Finding:
    try:
        return await step.check(deployment)
    except Fault as fault:
        return fault.finding
    except Skip as skip:
        return Finding(str(skip), skipped=True)
