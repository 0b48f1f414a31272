"""`doctor.user_oidc`: the checks of occ's output; a fake occ answers as in the tests of setup.sh."""

import json
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import anyio
import pytest

from nextcloud_mcp.doctor import user_oidc
from nextcloud_mcp.doctor.deployment import Deployment, Options
from nextcloud_mcp.doctor.finding import Fault, Finding, Outcome, Skip
from nextcloud_mcp.settings import load_settings
from tests.support.http import patient_client
from tests.support.minting import rsa_key, signed
from tests.support.server import EXCHANGE

FAKE_OCC: Final = Path(__file__).parents[2] / "nextcloud" / "fake_occ.py"
KEY: Final = rsa_key("any")
KEYS: Final = frozenset({"key-of-today"})
SETTINGS: Final = {
    "checkBearer": True,
    "bearerProvisioning": True,
    "uniqueUid": False,
    "providerBasedId": False,
    "mappingUid": "preferred_username",
}
PROVIDER: Final = {
    "id": 3,
    "identifier": "keycloak",
    "clientId": "nextcloud",
    "discoveryEndpoint": "http://keycloak:8080/realms/cloud/.well-known/openid-configuration",
    "settings": SETTINGS,
}
CONFIG: Final = {
    "user_oidc installed_version": "8.10.1",
    "user_oidc enabled": "yes",
    "deck enabled": "yes",
    "user_oidc provider-3-jwksCache": json.dumps({"keys": [{"kid": "key-of-today"}]}),
    "memcache.local": r"\OC\Memcache\APCu",
    "user_oidc": {"soft_auto_provision": False},
}
ACCOUNTS: Final = [("Admin", "Database", ["admin"]), ("alice", "user_oidc", [])]
STATE: Final[dict[str, Any]] = {
    "config": CONFIG,
    "providers": {"keycloak": PROVIDER},
    "accounts": ACCOUNTS,
    "apps": ["user_oidc", "deck"],
    "store": [],
    "calls": [],
    "fail": None,
}
"""A Nextcloud as setup.sh leaves it."""


@pytest.fixture
async def deployment(tmp_path: Path) -> AsyncIterator[Deployment]:
    """A deployment whose realm has one key, and whose occ is played."""
    state = tmp_path / "state.json"
    options = Options(occ=(sys.executable, "-IS", str(FAKE_OCC), str(state)))
    async with patient_client() as http:
        deployment = Deployment(load_settings(EXCHANGE), options, http, http, keys=KEYS)
        deployment.metadata = {"issuer": "http://keycloak.test/realms/cloud"}
        yield deployment


async def examined(deployment: Deployment, state: Mapping[str, Any]) -> dict[str, Finding]:
    """Take every step, up to the first that can't be gone past."""
    await anyio.Path(deployment.options.occ[-1]).write_text(json.dumps(state))
    findings: dict[str, Finding] = {}
    for step in user_oidc.STEPS:
        try:
            findings[step.code] = await step.check(deployment)
        except Fault as fault:
            findings[step.code] = fault.finding
            break
    return findings


def config(**changes: object) -> Callable[[], dict[str, Any]]:
    """Change the configuration; two underscores stand for a space, and an empty value for none."""
    named = {name.replace("__", " "): value for name, value in changes.items()}
    return lambda: STATE | {"config": {name: value for name, value in (CONFIG | named).items() if value}}


def provider(**changes: Any) -> Callable[[], dict[str, Any]]:
    """Change the provider; a setting of its goes by its own name."""
    top = {name: value for name, value in changes.items() if name in PROVIDER}
    settings = {name: value for name, value in changes.items() if name not in PROVIDER}
    return lambda: STATE | {"providers": {"keycloak": {**PROVIDER, **top, "settings": {**SETTINGS, **settings}}}}


REMEMBERED: Final = json.dumps({"keys": [{"kid": "key-of-yesterday"}]})
SETTING: Final = "selfencoded_bearer_validation_audience_check"


def unstartable(app: str, *, now: bool = True) -> dict[str, Any]:
    """Return a Nextcloud whose log says that it did not start an app: at each run of occ, or only before."""
    missing = 'Interface "OCA\\\\Vendor\\\\HttpClient" not found, at redis://cache?auth=the-password'
    entries = [
        {"app": app, "message": f"Error during app service registration: {missing}"},
        {"app": "no app in context", "message": f"Could not boot {app}: first array member is no class"},
        {"app": "core", "message": "something else"},
    ]
    return STATE | ({"unstartable": entries} if now else {"logged": [entry | {"reqId": "old"} for entry in entries]})


FAULTS: Final[Mapping[str, tuple[Callable[[], dict[str, Any]], str, str, str]]] = {
    "not installed": (config(user_oidc__installed_version=""), "user_oidc.version", "not enabled", "occ app:enable"),
    "disabled": (config(user_oidc__enabled="no"), "user_oidc.version", "not enabled", "occ app:enable user_oidc"),
    "too old": (
        config(user_oidc__installed_version="8.4.9"),
        "user_oidc.version",
        "8.4.9 is too old",
        "occ app:update",
    ),
    "no folder": (
        lambda: STATE | {"apps": ["deck"]},
        "user_oidc.start",
        "does not find its folder",
        "replace the folder of user_oidc",
    ),
    "no libraries": (
        lambda: unstartable("user_oidc"),
        "user_oidc.start",
        'does not start user_oidc, so it accepts no token. Its log says: Interface "OCA',
        "replace the folder of user_oidc",
    ),
    "no audience check": (
        config(user_oidc={"soft_auto_provision": False, SETTING: False}),
        "user_oidc.audience",
        "turns the audience check off",
        f"occ config:system:delete user_oidc {SETTING}",
    ),
    "userinfo in its place": (
        config(user_oidc={"soft_auto_provision": False, "userinfo_bearer_validation": "false"}),
        "user_oidc.audience",
        "by userinfo",
        "occ config:system:delete user_oidc userinfo_bearer_validation",
    ),
    "no provider": (lambda: STATE | {"providers": {}}, "user_oidc.provider", "no provider for the realm", "setup.sh"),
    "another realm's provider": (
        provider(discoveryEndpoint="https://other.example.org/realms/other/.well-known/openid-configuration"),
        "user_oidc.provider",
        "it has keycloak (https://other.example.org",
        "setup.sh",
    ),
    "another client": (
        provider(clientId="cloud"),
        "user_oidc.client",
        "client id is cloud, and tokens for Nextcloud name nextcloud",
        "--clientid=nextcloud",
    ),
    "no bearer tokens": (provider(checkBearer=False), "user_oidc.bearer", "takes no bearer tokens", "--check-bearer=1"),
    "hashed names": (provider(uniqueUid=True), "user_oidc.names", "not named by preferred_username", "--unique-uid=0"),
    "named by sub": (provider(mappingUid="sub"), "user_oidc.names", "not named by", "--mapping-uid=preferred_username"),
    "yesterday's keys": (
        config(**{"user_oidc__provider-3-jwksCache": REMEMBERED}),
        "user_oidc.keys",
        "lack key-of-today",
        "nextcloud/setup.sh",
    ),
    "occ fails": (
        lambda: STATE | {"fail": "user_oidc:provider"},
        "user_oidc.provider",
        "failed with status 1: the database is locked",
        "run it by hand",
    ),
}
WARNINGS: Final[Mapping[str, tuple[Callable[[], dict[str, Any]], str, str]]] = {
    "another app does not start": (lambda: unstartable("deck"), "user_oidc.start", "does not start deck"),
    "no accounts by call": (provider(bearerProvisioning=False), "user_oidc.bearer", "get no account by a call"),
    "local accounts": (config(user_oidc=""), "user_oidc.accounts", "an administrator's too"),
    "local accounts, for a string": (
        config(user_oidc={"soft_auto_provision": "false"}),
        "user_oidc.accounts",
        "the name of a local account",
    ),
    "local accounts alone": (
        config(user_oidc={"soft_auto_provision": False, "auto_provision": []}),
        "user_oidc.accounts",
        "the name of a local account",
    ),
    "no memory cache": (config(**{"memcache.local": ""}), "user_oidc.cache", "no memory cache"),
}


async def test_setup_is_healthy(deployment: Deployment) -> None:
    """The configuration that setup.sh creates passes every step."""
    findings = await examined(deployment, STATE)
    assert list(findings) == [step.code for step in user_oidc.STEPS]
    assert {finding.outcome for finding in findings.values()} == {Outcome.OK}


@pytest.mark.parametrize(("state", "code", "cause", "fix"), FAULTS.values(), ids=FAULTS.keys())
async def test_fault_fails_only_its_step(
    deployment: Deployment, state: Callable[[], dict[str, Any]], code: str, cause: str, fix: str
) -> None:
    """Only the step for the fault fails, with the fix."""
    findings = await examined(deployment, state())
    bad = {found: finding for found, finding in findings.items() if finding.outcome is not Outcome.OK}
    assert list(bad) == [code]
    (problem,) = bad[code].problems
    assert problem.outcome is Outcome.FAILED
    assert cause in problem.cause
    assert fix in problem.fix


@pytest.mark.parametrize(("state", "code", "cause"), WARNINGS.values(), ids=WARNINGS.keys())
async def test_warnings_do_not_fail(
    deployment: Deployment, state: Callable[[], dict[str, Any]], code: str, cause: str
) -> None:
    """With these, calls still work."""
    findings = await examined(deployment, state())
    bad = {found: finding for found, finding in findings.items() if finding.outcome is not Outcome.OK}
    assert {found: finding.outcome for found, finding in bad.items()} == {code: Outcome.WARNING}
    assert cause in bad[code].problems[0].cause


def token_of(name: str) -> str:
    """Return a token that names somebody; the doctor has it from Keycloak, and does not verify it."""
    return signed('{"alg":"RS256"}', json.dumps({"preferred_username": name}), KEY)


async def test_local_account_is_recognized(deployment: Deployment) -> None:
    """The doctor tells a local account, in any case, from a realm that is not trusted."""
    deployment.nextcloud_token = token_of("admin")
    (problem,) = (await examined(deployment, STATE))["user_oidc.accounts"].problems
    assert "a local account Admin, which may not be used through Keycloak, so admin is refused" in problem.cause
    assert "another user name" in problem.fix


@pytest.mark.parametrize("name", ["alice", "nobody-yet"])
async def test_name_without_local_account_is_accepted(deployment: Deployment, name: str) -> None:
    """Users whose account is user_oidc's, or who have none yet, can sign in."""
    deployment.nextcloud_token = token_of(name)
    assert (await examined(deployment, STATE))["user_oidc.accounts"].outcome is Outcome.OK


async def test_old_failure_to_start_is_no_fault(deployment: Deployment) -> None:
    """Only a failure that is logged anew with each run of occ counts."""
    findings = await examined(deployment, unstartable("user_oidc", now=False))
    assert findings["user_oidc.start"] == Finding("Nextcloud starts it")


async def test_log_message_shows_no_secret(deployment: Deployment) -> None:
    """What looks like a secret in Nextcloud's log is left out."""
    (problem,) = (await examined(deployment, unstartable("user_oidc")))["user_oidc.start"].problems
    assert "the-password" not in problem.cause


async def test_unreadable_log_is_no_fault(deployment: Deployment) -> None:
    """Without the app logreader there is no `log:tail`."""
    findings = await examined(deployment, STATE | {"fail": "log:tail"})
    assert findings["user_oidc.start"].problems == ()
    assert "does not show" in findings["user_oidc.start"].observed


async def test_keys_not_cached_yet_are_no_fault(deployment: Deployment) -> None:
    """Before the first token user_oidc has cached no keys."""
    findings = await examined(deployment, config(**{"user_oidc__provider-3-jwksCache": ""})())
    assert findings["user_oidc.keys"].outcome is Outcome.OK


async def test_missing_occ_skips_steps(deployment: Deployment) -> None:
    """Without occ the steps are skipped, and the option for it is named."""
    deployment.options = replace(deployment.options, occ=())
    with pytest.raises(Skip, match="--occ"):
        await user_oidc.version(deployment)


async def test_invalid_occ_command_is_named(deployment: Deployment) -> None:
    """A command that can't be run is named."""
    deployment.options = replace(deployment.options, occ=("/nowhere/occ",))
    with pytest.raises(Fault, match=r"/nowhere/occ .* can't be run"):
        await user_oidc.version(deployment)
