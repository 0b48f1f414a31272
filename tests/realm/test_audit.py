"""An audit of the realm, as Keycloak exports it, by `kcwarden`, an auditor of Keycloak configurations."""

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


def test_audit_finds_nothing_beyond_the_exceptions(export: Path) -> None:
    """There are no findings of medium severity or above, except for the exceptions, which a file lists with reasons."""
    assert audit(export, "--config", str(EXCEPTIONS)) == set()


def test_each_audit_exception_is_still_needed(export: Path) -> None:
    """Each exception in the file matches a current finding."""
    allowed = set(re.findall(r'- auditor: (\w+)\n    allowed: \["(.+)"\]', EXCEPTIONS.read_text()))
    allowed.remove((ASKS_THE_NETWORK, ".*"))
    found = audit(export, "--auditors", *(auditor for auditor, _ in allowed))
    assert found == allowed


def test_audit_finds_faults_of_a_bad_realm(export: Path) -> None:
    """Control: the audit reports a wildcard redirect, missing brute-force protection and a missing password policy."""
    realm = json.loads(export.read_text()) | {"bruteForceProtected": False, "passwordPolicy": ""}
    client = next(client for client in realm["clients"] if client["clientId"] == "mcp-client")
    client["redirectUris"] = ["*"]
    bad = export.with_name("bad.json")
    bad.write_text(json.dumps(realm))
    found = {entity for _, entity in audit(bad, "--config", str(EXCEPTIONS))}
    assert found == {"nextcloud-mcp", "mcp-client"}
