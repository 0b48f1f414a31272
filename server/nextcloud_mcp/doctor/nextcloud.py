"""Nextcloud over HTTP: its state without authentication (`status.php`), and one read-only call of each app's API."""

from typing import Any, Final
from urllib.parse import quote

import httpx

from nextcloud_mcp.catalogue import APPS
from nextcloud_mcp.doctor.deployment import Deployment, ask, ask_json, json_object, network_cause, unverified
from nextcloud_mcp.doctor.finding import Fault, Finding, Problem, readable, warning
from nextcloud_mcp.doctor.report import Step
from nextcloud_mcp.errors import (
    NextcloudError,
    NextcloudUnavailableError,
    TokenNotAcceptedError,
    UnsupportedByUserOidcError,
)
from nextcloud_mcp.nextcloud import capabilities
from nextcloud_mcp.nextcloud.account_cache import AccountCache
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.refusals import TELL_ADMINISTRATOR

OLDEST: Final = 32
"""The oldest major version that this server is tested with (docs/reference/versions.md)."""

CAPABILITIES: Final = "/ocs/v2.php/cloud/capabilities"

LOGOUT: Final = "/index.php/apps/user_oidc/backchannel-logout/nextcloud-mcp-doctor"
"""user_oidc's endpoint for OpenID Connect Back-Channel Logout, for a provider that does not exist.

It changes nothing. The method has no brute-force protection, so Nextcloud should not count such a request as a failed
sign-in (read in user_oidc 8.10.1, not measured)."""

LOOK: Final = (
    "see that Redis runs and takes Nextcloud's password, that the database runs and can be written, and that no disk "
    "is full (docs/how-to/broken-nextcloud.md); then see Nextcloud's log"
)
"""What to check when Nextcloud runs, but fails or does not answer."""

_PROBED: Final = {app.name: (app.key, app.probe) for app in APPS if app.probe is not None}
"""The capability and the read-only API call of each app, by the app's name."""


async def status(deployment: Deployment) -> Finding:
    """Fetch `status.php`, which needs no authentication."""
    url = deployment.settings.nextcloud_url
    response = await ask(deployment.nextcloud, "GET", "/status.php", fix=f"start Nextcloud at {url}")
    if response.is_redirect:
        raise Fault(
            f"Nextcloud redirects from {url} to {readable(response.headers.get('location'))}, which this "
            "server does not follow",
            "set NEXTCLOUD_HOST to the address to which Nextcloud redirects",
            observed=f"HTTP {response.status_code}",
        )
    if response.status_code == httpx.codes.BAD_REQUEST:  # it answers 400 to every path; measured on 32.0.1
        host = deployment.nextcloud.base_url.host
        raise Fault(
            f"Nextcloud does not trust the name {host}",
            f"occ config:system:set trusted_domains 9 --value={host}",
            observed="HTTP 400",
        )
    if response.is_server_error:
        raise Fault(f"Nextcloud answers status.php with HTTP {response.status_code}", LOOK)
    fix = "set NEXTCLOUD_HOST to Nextcloud's address, with its path if it has one"
    found = await ask_json(deployment.nextcloud, "/status.php", fix=fix)
    if "installed" not in found or "versionstring" not in found:
        raise Fault(f"The server at {url} is not Nextcloud", fix)
    return _state(found)


def _state(found: dict[str, Any]) -> Finding:
    observed = f"{found.get('productname') or 'Nextcloud'} {found['versionstring']}"
    for wrong, cause, fix in (
        (not found["installed"], "Nextcloud is not installed yet", "open it in a browser, or occ maintenance:install"),
        (found.get("maintenance"), "Nextcloud is in maintenance mode", "occ maintenance:mode --off"),
        (found.get("needsDbUpgrade"), "Nextcloud awaits its upgrade", "occ upgrade"),
    ):
        if wrong:
            raise Fault(cause, fix, observed=observed)
    major = str(found.get("version", "")).partition(".")[0]
    if major.isdigit() and int(major) < OLDEST:
        old = warning(
            f"Nextcloud {major} is older than the oldest version that was tested", f"upgrade to {OLDEST} or newer"
        )
        return Finding(observed, (old,))
    return Finding(observed)


async def ocs(deployment: Deployment) -> Finding:
    """Call an API without authentication that needs a session, the database and the header `OCS-APIRequest`."""
    try:
        response = await deployment.nextcloud.get(CAPABILITIES, params={"format": "json"})
    except httpx.HTTPError as error:
        raise Fault(f"{_ONLY_STATUS}: {CAPABILITIES} does not answer ({network_cause(error)})", LOOK) from error
    if response.is_success and json_object(response):
        return Finding("its OCS API answers")
    if response.is_server_error or not response.content:
        empty = "" if response.content else ", an empty answer"
        observed = f"HTTP {response.status_code}{empty}"
        raise Fault(f"{_ONLY_STATUS}: {CAPABILITIES} gives {observed}", LOOK, observed=observed)
    raise Fault(
        f"Nextcloud answers its OCS API with HTTP {response.status_code}",
        "let the proxy in front of it pass on the header OCS-APIRequest, and look into Nextcloud's log",
        observed=f"HTTP {response.status_code}",
    )


_ONLY_STATUS: Final = "Nextcloud answers status.php, but nothing that needs a session"


def _fault(error: NextcloudError) -> Fault:
    """Convert the error of a call to a fault, without the advice to run the doctor."""
    return Fault(_sentence(error), LOOK if isinstance(error, NextcloudUnavailableError) else "see Nextcloud's log")


def _sentence(error: NextcloudError) -> str:
    return f"{error.cause}: {error.remedy}".removesuffix(f"; {TELL_ADMINISTRATOR}")


async def user_oidc(deployment: Deployment) -> Finding:
    """Call an endpoint of the app user_oidc that needs no authentication.

    Without the app, Nextcloud treats each request with a token as anonymous.
    """
    response = await ask(deployment.nextcloud, "POST", LOGOUT, fix="see Nextcloud's log")
    observed = f"HTTP {response.status_code}"
    if response.status_code == httpx.codes.NOT_FOUND:
        raise Fault(
            f"Nextcloud's app user_oidc is not enabled: its address gives {observed}",
            "occ app:enable user_oidc, then nextcloud/setup.sh",
            observed=observed,
        )
    if response.is_server_error:
        raise Fault(
            f"Nextcloud's app user_oidc does not start: its address gives {observed}, while other APIs answer",
            f'{reinstall("user_oidc")}; --occ "php occ" shows the error',
            observed=observed,
        )
    runs = response.status_code == httpx.codes.BAD_REQUEST and json_object(response)
    return Finding("it answers" if runs else f"its address gives {observed}")


def reinstall(app: str) -> str:
    """Return what to do about an app that Nextcloud cannot start."""
    return f"replace the folder of {app} by that of its release, which has its libraries, then occ app:enable {app}"


async def user(deployment: Deployment) -> Finding:
    """Fetch the token's user from Nextcloud, and compare the user id with `preferred_username`."""
    try:
        found = await _cloud(deployment).user()
    except TokenNotAcceptedError as error:
        if isinstance(error, UnsupportedByUserOidcError):
            raise Fault(error.cause, error.remedy, observed="HTTP 401") from error
        raise Fault(
            "Nextcloud does not accept the token, or has a local account of this name",
            "run nextcloud/setup.sh again, which makes user_oidc trust the realm and fetch its present keys; "
            'to see what is wrong, give --occ "php occ"',
            observed="HTTP 401",
        ) from error
    except NextcloudError as error:
        raise _fault(error) from error
    deployment.user_id = found.id
    named = str(unverified(deployment.nextcloud_token).get("preferred_username"))
    if found.id == named:
        return Finding(f"{found.id} is {found.id}")
    fix = "occ user_oidc:provider NAME --mapping-uid=preferred_username --unique-uid=0, if nobody has used it yet"
    problem = warning(f"Nextcloud calls {named} {found.id}, so an account of that name is another one", fix)
    return Finding(f"{named} is {found.id}", (problem,))


def _cloud(deployment: Deployment) -> Nextcloud:
    return Nextcloud(
        deployment.nextcloud, AccountCache(), account=("doctor", "doctor", "doctor"), token=deployment.nextcloud_token
    )


async def apps(deployment: Deployment) -> Finding:
    """Fetch the list of apps that this user has."""
    try:
        deployment.apps = await capabilities.apps(_cloud(deployment))
    except NextcloudError as error:
        raise _fault(error) from error
    there = [app for app, (key, _) in _PROBED.items() if key in deployment.apps]
    missing = [app for app in _PROBED if app not in there]
    return Finding(", ".join(there) + (f"; without {', '.join(missing)}" if missing else ""))


async def apis(deployment: Deployment) -> Finding:
    """Call the API of each app that this user has."""
    problems, works = [], []
    for app, (key, probe) in _PROBED.items():
        if key not in deployment.apps:
            continue
        method, _, path = probe.partition(" ")
        try:
            await _call(deployment, method, path.format(user=quote(deployment.user_id, safe="")), app)
            works.append(app)
        except NextcloudError as error:
            fix = "see Nextcloud's log; a proxy in front may drop the header OCS-APIRequest, or WebDAV's methods"
            is_broken = isinstance(error, NextcloudUnavailableError)
            problems.append(Problem(f"{method} {path}: {_sentence(error)}", LOOK if is_broken else fix))
    return Finding(f"{', '.join(works) or 'none'} answer", tuple(problems))


async def _call(deployment: Deployment, method: str, path: str, about: str) -> httpx.Response:
    depth = {"Depth": "0"} if method == "PROPFIND" else None
    return await _cloud(deployment).request(method, path, about=about, headers=depth)


STEPS: Final = (
    Step(
        "nextcloud.status",
        "status",
        "`NEXTCLOUD_HOST` is a Nextcloud of a tested major, which trusts that name and is not in maintenance.",
        status,
        ("network.nextcloud",),
    ),
    Step(
        "nextcloud.ocs",
        "OCS",
        "Its OCS API answers, so it has its session, cache and database, and nothing in front drops `OCS-APIRequest`.",
        ocs,
        ("nextcloud.status",),
    ),
    Step(
        "nextcloud.user_oidc",
        "its app user_oidc",
        "The app user_oidc is enabled, and Nextcloud can start it.",
        user_oidc,
        ("nextcloud.ocs",),
    ),
    Step(
        "nextcloud.user",
        "the token's user",
        "It accepts the token, and the account has the name that the token says.",
        user,
        ("nextcloud.user_oidc", "token.nextcloud"),
    ),
    Step("nextcloud.apps", "apps", "It says which apps there are for this person.", apps, ("nextcloud.user",)),
    Step("nextcloud.apis", "APIs", "One harmless call of each app's API works.", apis, ("nextcloud.apps",)),
)
