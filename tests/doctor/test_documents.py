"""The policies for metadata documents, at a Keycloak with the feature `cimd` and the shipped `cimd.json`.

The tests also show the effect of each fault on clients, which the doctor's messages describe.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import pytest

from nextcloud_mcp.doctor.finding import Finding, Outcome
from stack.chain import Chain
from stack.keycloak import Keycloak
from tests.doctor.breakable import examined_by_its_administrator
from tests.support.browser import Browser, BrowserError
from tests.support.documents import CLAUDE_CODE, Documents
from tests.support.oauth import ALICE, Pkce, authorize

Lists = dict[str, list[dict[str, Any]]]
"""The profiles and the policies of the realm."""

NAME: Final = "client-id-metadata-document"
SCOPE: Final = "nextcloud-mcp:exchange notes:read"


def profile(**configuration: object) -> Callable[[Lists], None]:
    """Configure the executor in another way; underscores stand for hyphens."""

    def change(lists: Lists) -> None:
        (found,) = [each for each in lists["profiles"] if each["name"] == NAME]
        named = {f"cimd-{name.replace('_', '-')}": value for name, value in configuration.items()}
        found["executors"][0]["configuration"].update(named)

    return change


def without(policy: str) -> Callable[[Lists], None]:
    """Take a policy away."""

    def change(lists: Lists) -> None:
        lists["policies"] = [each for each in lists["policies"] if each["name"] != policy]

    return change


def switched_off(lists: Lists) -> None:
    """Leave the policy there, and disable it."""
    (found,) = [each for each in lists["policies"] if each["name"] == NAME]
    found["enabled"] = False


def only_those_not_asking(lists: Lists) -> None:
    """Turn the policy that refuses a scope round."""
    (found,) = [each for each in lists["policies"] if each["name"] == "nobody-asks-for-nextcloud"]
    found["conditions"][0]["configuration"]["is-negative-logic"] = True


@contextmanager
def changed(keycloak: Keycloak, change: Callable[[Lists], None]) -> Iterator[None]:
    """Change the realm's profiles and policies for as long as the block lasts."""
    connection = keycloak.admin().connection
    path = f"admin/realms/{keycloak.realm}/client-policies"
    before = {part: connection.raw_get(f"{path}/{part}").json()[part] for part in ("profiles", "policies")}
    after: Lists = json.loads(json.dumps(before))
    change(after)
    try:
        for part, listed in after.items():
            connection.raw_put(f"{path}/{part}", data=json.dumps({part: listed})).raise_for_status()
        yield
    finally:
        for part, listed in before.items():
            connection.raw_put(f"{path}/{part}", data=json.dumps({part: listed})).raise_for_status()


async def found(chain: Chain) -> Finding:
    """Return what the step finds."""
    report = await examined_by_its_administrator(chain)
    (result,) = [each for each in report.results if each.step.code == "drift.documents"]
    return result.finding


FAULTS: Final[Mapping[str, tuple[Callable[[Lists], None], Outcome, str, str]]] = {
    "no policy": (without(NAME), Outcome.WARNING, "no policy accepts any", "keycloak/cimd.json"),
    "the policy is off": (switched_off, Outcome.WARNING, "no policy accepts any", "--features=cimd"),
    "no hosts": (profile(allow_permitted_domains=[]), Outcome.WARNING, "lists no host", "Trusted domains"),
    "plain HTTP": (
        profile(allow_http_scheme=True, allow_permitted_domains=["claude.ai", "localhost"]),
        Outcome.WARNING,
        "takes documents of claude.ai over plain HTTP",
        "turn Allow http scheme off",
    ),
    "asks for nextcloud": (
        without("nobody-asks-for-nextcloud"),
        Outcome.FAILED,
        "may request the scope nextcloud",
        "add the client policy nobody-asks-for-nextcloud",
    ),
    "refuses those that do not ask": (
        only_those_not_asking,
        Outcome.FAILED,
        "may request the scope nextcloud",
        "add the client policy nobody-asks-for-nextcloud",
    ),
}


@pytest.mark.parametrize(("change", "outcome", "cause", "fix"), FAULTS.values(), ids=FAULTS.keys())
async def test_fault_is_reported_once_with_its_fix(
    featured: Chain, change: Callable[[Lists], None], outcome: Outcome, cause: str, fix: str
) -> None:
    """The fault is reported once, with its fix."""
    with changed(featured.keycloak, change):
        finding = await found(featured)
    (problem,) = finding.problems
    assert problem.outcome is outcome
    assert cause in problem.cause
    assert fix in problem.fix


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda _: None, id="as shipped"),
        pytest.param(
            profile(allow_http_scheme=True, allow_permitted_domains=["localhost", "127.0.0.1"]), id="HTTP on loopback"
        ),
    ],
)
async def test_shipped_policies_pass(featured: Chain, change: Callable[[Lists], None]) -> None:
    """The doctor accepts `cimd.json`, and plain HTTP on this machine."""
    with changed(featured.keycloak, change):
        finding = await found(featured)
    assert (finding.outcome, finding.problems) == (Outcome.OK, ())


async def test_policies_are_not_checked_without_the_feature(chain: Chain) -> None:
    """A Keycloak without the feature has nothing to check."""
    assert await found(chain) == Finding("not offered")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(without(NAME), "Client not found", id="no policy"),
        pytest.param(profile(allow_permitted_domains=[]), "domain not allowed", id="no hosts"),
    ],
)
async def test_faults_with_a_warning_block_document_clients(
    featured: Chain, documents: Documents, change: Callable[[Lists], None], message: str
) -> None:
    """Without a policy that accepts documents, or without a listed host, such clients cannot sign users in."""
    url = documents.publish(CLAUDE_CODE)
    with changed(featured.keycloak, change), pytest.raises(BrowserError, match=message):
        await sign_in(featured.keycloak, url, SCOPE)
    assert "code" in await sign_in(featured.keycloak, url, SCOPE)


async def test_faults_with_a_failure_give_access_to_nextcloud(featured: Chain, documents: Documents) -> None:
    """Without the policy, a document with the scope `nextcloud` gets a code for it."""
    asked = f"nextcloud {SCOPE}"
    greedy = documents.publish(CLAUDE_CODE | {"scope": asked})
    with changed(featured.keycloak, without("nobody-asks-for-nextcloud")):
        assert "code" in await sign_in(featured.keycloak, greedy, asked)
    assert "code" not in await sign_in(featured.keycloak, greedy, asked)


async def sign_in(keycloak: Keycloak, client_id: str, scope: str) -> dict[str, str]:
    """Ask for a code as the client of that id, signed in as alice; the answer to the client."""
    request = {"redirect_uri": "http://localhost:51234/callback", "scope": scope, **Pkce().parameters}
    return await authorize(keycloak, Browser(), **ALICE, client_id=client_id, **request)
