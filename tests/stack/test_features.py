"""Optional features of Keycloak, and what the realm needs for them."""

import json
from collections import Counter

from stack.config import config_from
from stack.keycloak import REALM_FILE, realm

POLICIES = "org.keycloak.services.clientregistration.policy.ClientRegistrationPolicy"


def test_features_are_a_setting() -> None:
    """`KEYCLOAK_FEATURES` has the syntax of Keycloak's own option, in any order, and is empty by default."""
    assert config_from({"KEYCLOAK_FEATURES": "resource-indicators, cimd"}).keycloak_features == (
        "cimd",
        "resource-indicators",
    )
    assert config_from({}).keycloak_features == ()


def test_realm_is_the_shipped_file_without_features() -> None:
    """The realm is also the shipped file with a feature that needs no changes."""
    shipped = json.loads(REALM_FILE.read_text())

    assert realm() == shipped
    assert realm(["resource-indicators"]) == shipped


def test_feature_file_is_merged_into_the_realm_by_name() -> None:
    """New entries are added, entries with the name of a shipped one replace it, and the rest stays."""
    shipped, merged = realm(), realm(["cimd"])
    names = Counter(policy["name"] for policy in merged["clientPolicies"]["policies"])
    trusted = [policy for policy in merged["components"][POLICIES] if policy["name"] == "Trusted hosts"]

    assert set(names.values()) == {1}
    assert names.keys() > {policy["name"] for policy in shipped["clientPolicies"]["policies"]}
    assert len(merged["components"][POLICIES]) == len(shipped["components"][POLICIES]) + 1
    assert [policy["config"]["trusted-hosts"] for policy in trusted] == [[]]
    assert merged["clients"] == shipped["clients"]
