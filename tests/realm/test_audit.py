"""`kcwarden`, an auditor of Keycloak configurations, on the realm as Keycloak exports it."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
from keycloak import KeycloakAdmin

from stack.keycloak import REALM_FILE

EXCEPTIONS: Final = REALM_FILE.with_name("audit-exceptions.yaml")
KCWARDEN: Final = Path(sys.executable).with_name("kcwarden")
ASKS_THE_NETWORK: Final = "KeycloakVersionShouldBeUpToDate"


@pytest.fixture(scope="module")
def export(admin: KeycloakAdmin, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The realm with everything that Keycloak has added to the file: its defaults and its own clients."""
    file = tmp_path_factory.mktemp("audit") / "realm.json"
    file.write_text(json.dumps(admin.export_realm(export_clients=True, export_groups_and_role=True)))
    return file


def audit(export: Path, *options: str) -> set[tuple[str, str]]:
    """Return what is of medium severity or above, by auditor and the name of what it is about."""
    command = [str(KCWARDEN), "audit", "--format", "json", "--min-severity", "MEDIUM", str(export), *options]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)  # noqa: S603
    findings: list[dict[str, Any]] = json.loads(answer.stdout)
    return {(finding["reporting_auditor"], finding["entity"]) for finding in findings}


def test_finds_nothing_of_weight(export: Path) -> None:
    """Nothing of medium severity or above, but for the exceptions, which stand in a file beside their reasons."""
    assert audit(export, "--config", str(EXCEPTIONS)) == set()


def test_each_exception_is_needed(export: Path) -> None:
    """What is no longer found may no longer be excepted."""
    allowed = set(re.findall(r'- auditor: (\w+)\n    allowed: \["(.+)"\]', EXCEPTIONS.read_text()))
    allowed.remove((ASKS_THE_NETWORK, ".*"))
    found = audit(export, "--auditors", *(auditor for auditor, _ in allowed))
    assert found == allowed


def test_the_auditor_sees_a_bad_realm(export: Path) -> None:
    """The control: with a wildcard redirect, no lock against guessing and no password policy, it speaks up."""
    realm = json.loads(export.read_text()) | {"bruteForceProtected": False, "passwordPolicy": ""}
    client = next(client for client in realm["clients"] if client["clientId"] == "mcp-client")
    client["redirectUris"] = ["*"]
    bad = export.with_name("bad.json")
    bad.write_text(json.dumps(realm))
    found = {entity for _, entity in audit(bad, "--config", str(EXCEPTIONS))}
    assert found == {"nextcloud-mcp", "mcp-client"}
