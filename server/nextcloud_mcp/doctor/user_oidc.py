"""The configuration of the Nextcloud app user_oidc, read with `occ` (github.com/nextcloud/user_oidc).

The steps compare the settings that nextcloud/setup.sh makes with the present realm. The signing keys matter most:
user_oidc caches them for an hour and does not fetch an unknown key earlier, so after a key rotation it refuses every
token.
"""

import re
from typing import Any, Final

from nextcloud_mcp.doctor import app_start
from nextcloud_mcp.doctor.deployment import Deployment, unverified
from nextcloud_mcp.doctor.finding import Fault, Finding, Problem, Skip, readable, warning
from nextcloud_mcp.doctor.occ import parsed, run_occ
from nextcloud_mcp.doctor.report import Step

OLDEST: Final = (8, 5)
"""The oldest version (major, minor) that works; nextcloud/README.md describes what each version added."""

SET_UP: Final = "run nextcloud/setup.sh again, with the same settings as before"

_WELL_KNOWN: Final = "/.well-known/openid-configuration"


async def version(deployment: Deployment) -> Finding:
    """Check that the app is enabled, and not too old."""
    if not deployment.options.occ:
        raise Skip('needs occ: --occ "php occ", or what runs it where Nextcloud is')
    found = await run_occ(deployment, "config:app:get", "user_oidc", "installed_version", "--default-value=")
    enabled = await run_occ(deployment, "config:app:get", "user_oidc", "enabled", "--default-value=no")
    if not found or enabled == "no":
        raise Fault("The app user_oidc is not enabled", "occ app:enable user_oidc, then nextcloud/setup.sh")
    numbers = tuple(int(number) for number in re.findall(r"\d+", found)[:2])
    if numbers < OLDEST:
        raise Fault(f"user_oidc {found} is too old", "occ app:update user_oidc", observed=found)
    return Finding(found)


async def audience(deployment: Deployment) -> Finding:
    """Check the two settings of config.php that make user_oidc accept any token of the realm."""
    settings = await _configuration(deployment)
    problems = []
    if "selfencoded_bearer_validation_audience_check" in settings and not _true(
        settings["selfencoded_bearer_validation_audience_check"]
    ):
        problems.append(_lets_all_in("selfencoded_bearer_validation_audience_check", "turns the audience check off"))
    if _true(settings.get("userinfo_bearer_validation")):
        problems.append(_lets_all_in("userinfo_bearer_validation", "has tokens checked by userinfo, not by audience"))
    return Finding("tokens for other audiences are refused" if not problems else "checks no audience", tuple(problems))


def _true(value: object) -> bool:
    """Convert a value to a boolean as PHP does: the string "false" is true."""
    return value not in (None, False, "", "0", [])


def _lets_all_in(name: str, does: str) -> Problem:
    return Problem(
        f"config.php {does}: a token for any client of the realm opens Nextcloud",
        f"occ config:system:delete user_oidc {name}",
    )


async def accounts(deployment: Deployment) -> Finding:
    """Check whether realm users can use Nextcloud's local accounts, and whether the token's user has such a name."""
    if await _links(deployment):
        cause = "Whoever has the name of a local account in the realm gets that account, an administrator's too"
        fix = "run nextcloud/setup.sh with NEXTCLOUD_LINK_LOCAL_ACCOUNTS=false, unless you have chosen this"
        return Finding("linked to the realm's people of the same names", (warning(cause, fix),))
    name = unverified(deployment.nextcloud_token).get("preferred_username")
    local = await _local_account(deployment, name) if isinstance(name, str) else None
    if local is None:
        return Finding("closed to the realm's people")
    raise Fault(
        f"Nextcloud has a local account {local}, which may not be used through Keycloak, so {name} is refused",
        "give that person another user name in Keycloak; if all local accounts are of the realm's people of the same "
        "names, run nextcloud/setup.sh with NEXTCLOUD_LINK_LOCAL_ACCOUNTS=true",
    )


async def _links(deployment: Deployment) -> bool:
    """Return whether user_oidc lets realm users use local accounts of the same name, which is its default."""
    settings = await _configuration(deployment)
    makes_accounts = settings.get("auto_provision") is None or _true(settings["auto_provision"])
    links_accounts = settings.get("soft_auto_provision") is None or _true(settings["soft_auto_provision"])
    return links_accounts or not makes_accounts


async def _local_account(deployment: Deployment, name: str) -> str | None:
    """Return the id of the local account that Nextcloud finds by this name, regardless of case, or None."""
    try:
        found = parsed(await run_occ(deployment, "user:info", name, "--output=json"))
    except Fault:  # occ fails if the account does not exist
        return None
    is_local = isinstance(found, dict) and found.get("backend") != "user_oidc"
    return str(found.get("user_id")) if is_local else None


async def _configuration(deployment: Deployment) -> dict[str, Any]:
    """Return the user_oidc settings in config.php."""
    found = parsed(await run_occ(deployment, "config:system:get", "user_oidc", "--default-value={}", "--output=json"))
    return found if isinstance(found, dict) else {}


async def provider(deployment: Deployment) -> Finding:
    """Find the realm among user_oidc's providers."""
    listed = parsed(await run_occ(deployment, "user_oidc:provider", "--output=json"))
    found = _ours(deployment, listed if isinstance(listed, list) else [])
    name = str(found.get("identifier"))
    shown = parsed(await run_occ(deployment, "user_oidc:provider", name, "--output=json"))
    deployment.provider = shown if isinstance(shown, dict) else found
    observed = f"{name}, {readable(found.get('discoveryEndpoint'))}"
    return Finding(observed)


async def client(deployment: Deployment) -> Finding:
    """Compare the provider's client id with the audience of the tokens."""
    found, audience = deployment.provider.get("clientId"), deployment.settings.nextcloud_audience
    if found == audience:
        return Finding(f"{found}, the audience of tokens for Nextcloud")
    raise Fault(
        f"The provider's client id is {readable(found)}, and tokens for Nextcloud name {audience}: each call gets 401",
        f"occ user_oidc:provider {deployment.provider.get('identifier')} --clientid={audience}\n"
        f"or, if Nextcloud's client is another in this realm: TOKEN_EXCHANGE_AUDIENCE={found}",
    )


def _ours(deployment: Deployment, providers: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the provider with the name in the options, else the one of this realm.

    Only the path of the discovery endpoint is compared, because its host may be an internal one.

    Raises:
        Fault: user_oidc has no such provider.
    """
    wanted = deployment.options.provider
    path = f"/realms/{deployment.realm}{_WELL_KNOWN}"
    for each in providers:
        if each.get("identifier") == wanted if wanted else str(each.get("discoveryEndpoint")).endswith(path):
            return each
    places = [(readable(each.get("identifier")), readable(each.get("discoveryEndpoint"))) for each in providers]
    names = ", ".join(f"{name} ({endpoint})" for name, endpoint in places) or "none"
    raise Fault(f"user_oidc has no provider for the realm {deployment.realm}; it has {names}", SET_UP, observed=names)


async def bearer(deployment: Deployment) -> Finding:
    """Check that the provider accepts bearer tokens, and creates accounts for them."""
    settings = _settings(deployment)
    name = deployment.provider.get("identifier")
    problems = []
    if not settings.get("checkBearer"):
        cause = "The provider takes no bearer tokens, so each call gets 401"
        problems.append(Problem(cause, f"occ user_oidc:provider {name} --check-bearer=1"))
    if not settings.get("bearerProvisioning"):
        cause = "People who have never opened Nextcloud in a browser get no account by a call"
        problems.append(warning(cause, f"occ user_oidc:provider {name} --bearer-provisioning=1"))
    return Finding("bearer tokens are taken" if settings.get("checkBearer") else "off", tuple(problems))


async def names(deployment: Deployment) -> Finding:
    """Check that Nextcloud's user ids are the user names of the realm."""
    settings = _settings(deployment)
    mapping, unique = settings.get("mappingUid") or "sub", bool(settings.get("uniqueUid"))
    observed = f"by {mapping}{', hashed' if unique else ''}"
    if mapping == "preferred_username" and not unique and not settings.get("providerBasedId"):
        return Finding(observed)
    cause = (
        "Accounts are not named by preferred_username, so people meet other accounts than those that have their files"
    )
    fix = (
        f"occ user_oidc:provider {deployment.provider.get('identifier')} "
        "--mapping-uid=preferred_username --unique-uid=0\n"
        "but only before anybody has signed in: people who have would get a new, empty account"
    )
    return Finding(observed, (Problem(cause, fix),))


async def keys(deployment: Deployment) -> Finding:
    """Compare the signing keys in user_oidc's cache with the realm's."""
    setting = f"provider-{deployment.provider.get('id')}-jwksCache"
    remembered = parsed(await run_occ(deployment, "config:app:get", "user_oidc", setting, "--default-value="))
    ids = {jwk.get("kid") for jwk in remembered.get("keys", [])} if isinstance(remembered, dict) else set()
    if not ids:
        return Finding("none remembered; they are fetched with the next token")
    missing = deployment.keys - ids
    observed = f"{len(ids & deployment.keys)} of the realm's {len(deployment.keys)} remembered"
    if not missing:
        return Finding(observed)
    cause = (
        f"Nextcloud remembers keys that lack {', '.join(sorted(missing))} of the realm's, and refuses what those sign"
    )
    return Finding(observed, (Problem(cause, f"{SET_UP}: it drops what is remembered; or wait an hour"),))


async def cache(deployment: Deployment) -> Finding:
    """Check that Nextcloud has a memory cache, without which every call fetches Keycloak's metadata."""
    found = await run_occ(deployment, "config:system:get", "memcache.local", "--default-value=")
    if found:
        return Finding(found.rpartition("\\")[2])
    cause = "Nextcloud has no memory cache, so user_oidc asks Keycloak for its metadata at every call"
    return Finding("none", (warning(cause, r"occ config:system:set memcache.local --value='\OC\Memcache\APCu'"),))


def _settings(deployment: Deployment) -> dict[str, Any]:
    settings = deployment.provider.get("settings")
    return settings if isinstance(settings, dict) else {}


STEPS: Final = (
    Step("user_oidc.version", "version", "The app is enabled, in a version that takes bearer tokens.", version),
    *app_start.STEPS,
    Step(
        "user_oidc.audience",
        "audience check",
        "Tokens for other audiences are refused.",
        audience,
        ("user_oidc.version",),
    ),
    Step(
        "user_oidc.accounts",
        "local accounts",
        "Nobody gets a local account through Keycloak, and the token's user does not have the name of one.",
        accounts,
        ("user_oidc.version",),
    ),
    Step(
        "user_oidc.provider",
        "provider",
        "The realm is one of its providers.",
        provider,
        ("user_oidc.start", "issuer.metadata", "nextcloud.status"),
    ),
    Step(
        "user_oidc.client",
        "client id",
        "The provider's client id is the audience of tokens for Nextcloud.",
        client,
        ("user_oidc.provider",),
    ),
    Step("user_oidc.bearer", "bearer check", "The provider takes bearer tokens.", bearer, ("user_oidc.provider",)),
    Step(
        "user_oidc.names",
        "account names",
        "Accounts are named by `preferred_username`.",
        names,
        ("user_oidc.provider",),
    ),
    Step(
        "user_oidc.keys",
        "signing keys",
        "The keys that it remembers are the realm's.",
        keys,
        ("user_oidc.provider", "issuer.keys"),
    ),
    Step("user_oidc.cache", "memory cache", "Nextcloud has a memory cache.", cache, ("user_oidc.version",)),
)
