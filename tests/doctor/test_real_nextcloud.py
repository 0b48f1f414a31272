"""Faults of a real Nextcloud, made with occ: the counterparts of the fakes in the unit tests."""

import json
import os
import shlex
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import pytest

from nextcloud_mcp.doctor.deployment import Options
from nextcloud_mcp.doctor.nextcloud import LOGOUT
from stack.chain import Chain
from stack.nextcloud import run_nextcloud
from tests.doctor.breakable import BreakableChain, complaints, first_complaint, run_breakable_chain
from tests.support.eventually import eventually
from tests.support.http import patient_client

PROVIDER: Final = os.environ.get("OIDC_PROVIDER_NAME") or "keycloak"
REMEMBERED: Final = json.dumps({"keys": [{"kid": "key-of-yesterday"}]})


@dataclass(frozen=True)
class Case:
    """A breakage by occ, and its diagnosis.

    Attributes:
        wrong: breaks it; `ID` stands for the provider's number.
        right: puts it back.
        code: of the step that complains first.
        cause: part of the cause.
        mend: part of what fixes it.
    """

    wrong: str
    right: str
    code: str
    cause: str
    fix: str


CASES: Final[Mapping[str, Case]] = {
    "bearer check off": Case(
        f"user_oidc:provider {PROVIDER} --check-bearer=0",
        f"user_oidc:provider {PROVIDER} --check-bearer=1",
        "user_oidc.bearer",
        "takes no bearer tokens",
        "--check-bearer=1",
    ),
    "another client id": Case(
        f"user_oidc:provider {PROVIDER} --clientid=cloud",
        f"user_oidc:provider {PROVIDER} --clientid=nextcloud",
        "user_oidc.client",
        "client id is cloud",
        "--clientid=nextcloud",
    ),
    "hashed names": Case(
        f"user_oidc:provider {PROVIDER} --unique-uid=1",
        f"user_oidc:provider {PROVIDER} --unique-uid=0",
        "user_oidc.names",
        "not named by preferred_username",
        "--unique-uid=0",
    ),
    "keys of before": Case(
        f"config:app:set user_oidc provider-ID-jwksCache --value={shlex.quote(REMEMBERED)}",
        "config:app:delete user_oidc provider-ID-jwksCache",
        "user_oidc.keys",
        "Nextcloud remembers keys that lack",
        "nextcloud/setup.sh",
    ),
    "no audience check": Case(
        "config:system:set user_oidc userinfo_bearer_validation --type=boolean --value=true",
        "config:system:delete user_oidc userinfo_bearer_validation",
        "user_oidc.audience",
        "by userinfo",
        "config:system:delete user_oidc userinfo_bearer_validation",
    ),
    "local accounts opened by a string": Case(
        "config:system:set user_oidc soft_auto_provision --type=string --value=false",
        "config:system:set user_oidc soft_auto_provision --type=boolean --value=false",
        "user_oidc.accounts",
        "the name of a local account",
        "NEXTCLOUD_LINK_LOCAL_ACCOUNTS=false",
    ),
    "app disabled": Case(
        "app:disable user_oidc",
        "app:enable user_oidc",
        "nextcloud.user_oidc",
        "not enabled",
        "occ app:enable user_oidc",
    ),
    "maintenance": Case(
        "maintenance:mode --on",
        "maintenance:mode --off",
        "nextcloud.status",
        "in maintenance",
        "maintenance:mode --off",
    ),
}


@pytest.fixture(scope="module")
async def target(chain: Chain) -> AsyncIterator[BreakableChain]:
    """The chain with a Nextcloud that occ can break."""
    if chain.config.nextcloud_occ is None:
        pytest.skip("NEXTCLOUD_OCC is not set: no real Nextcloud to break")
    async with run_breakable_chain(chain) as running:
        yield running


def occ(target: BreakableChain, arguments: str) -> str:
    """Run occ."""
    command = [*shlex.split(str(target.chain.config.nextcloud_occ)), "--no-interaction", *shlex.split(arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - the one given


@contextmanager
def broken(target: BreakableChain, case: Case) -> Iterator[None]:
    """Break it for as long as the block lasts."""
    shown: dict[str, Any] = json.loads(occ(target, f"user_oidc:provider {PROVIDER} --output=json"))
    occ(target, case.wrong.replace("ID", str(shown["id"])))
    try:
        yield
    finally:
        occ(target, case.right.replace("ID", str(shown["id"])))


def options(target: BreakableChain) -> Options:
    """Give the doctor occ."""
    return Options(occ=tuple(shlex.split(str(target.chain.config.nextcloud_occ))), provider=PROVIDER)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
async def test_first_failed_step_has_cause_and_fix(target: BreakableChain, case: Case) -> None:
    """The first failed step has the right name, cause and fix."""
    with broken(target, case):
        report = await target.examined({}, options(target))
    result = first_complaint(report)
    assert result.step.code == case.code, complaints(report)
    assert case.cause in result.finding.problems[0].cause
    assert case.fix in result.finding.problems[0].fix


async def test_untrusted_domain_is_reported(target: BreakableChain) -> None:
    """A host name for loopback that is not among the trusted domains is reported."""
    port = urlsplit(target.chain.nextcloud.url).port
    report = await target.examined({"NEXTCLOUD_HOST": f"http://127.1:{port}"}, Options())
    result = first_complaint(report)
    assert result.step.code == "nextcloud.status", complaints(report)
    assert "does not trust the name 127.1" in result.finding.problems[0].cause
    assert "trusted_domains" in result.finding.problems[0].fix


async def test_missing_provider_is_reported(target: BreakableChain) -> None:
    """Without the realm's provider, set-up is the fix."""
    occ(target, f"user_oidc:provider:delete {PROVIDER} --force")
    try:
        report = await target.examined({}, options(target))
    finally:
        with run_nextcloud(target.chain.config, target.chain.keycloak):
            pass  # the set-up makes the provider again
    result = first_complaint(report)
    assert result.step.code == "user_oidc.provider", complaints(report)
    assert "nextcloud/setup.sh" in result.finding.problems[0].fix


async def test_app_without_libraries_is_reported(target: BreakableChain) -> None:
    """An app that Nextcloud cannot start is recognized from outside, and with occ the log's error is quoted."""
    folder = Path(occ(target, "app:getpath user_oidc").strip())
    if not (folder / "lib" / "Vendor").is_dir():
        pytest.skip(f"{folder}/lib/Vendor is not on this machine, so it cannot be taken away")
    with taken_away(folder / "lib" / "Vendor"):
        await answered(target, httpx.codes.INTERNAL_SERVER_ERROR)
        report = await target.examined({}, options(target))
    await answered(target, httpx.codes.BAD_REQUEST)
    causes = {result.step.code: [problem.cause for problem in result.finding.problems] for result in report.results}
    assert first_complaint(report).step.code == "nextcloud.user_oidc", complaints(report)
    assert "not found" in causes["user_oidc.start"][0]


@contextmanager
def taken_away(folder: Path) -> Iterator[None]:
    """Rename a folder for as long as the block lasts."""
    hidden = folder.rename(folder.with_name(f".{folder.name}"))
    try:
        yield
    finally:
        hidden.rename(folder)


async def answered(target: BreakableChain, status: int) -> None:
    """Wait until user_oidc's endpoint has a status: PHP looks for changed files only every few seconds."""

    async def has_status() -> bool:
        async with patient_client() as http:
            return (await http.post(f"{target.chain.nextcloud.url}{LOGOUT}")).status_code == status

    await eventually(has_status)
