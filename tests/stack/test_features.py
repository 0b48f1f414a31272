"""Features of Keycloak beyond its defaults, and what the realm needs for them."""

import json
from collections import Counter

from stack.config import config_from
from stack.keycloak import REALM_FILE, realm

POLICIES = "org.keycloak.services.clientregistration.policy.ClientRegistrationPolicy"


def test_features_are_a_setting() -> None:
    """`KEYCLOAK_FEATURES` takes names as Keycloak's own option does, in any order; none by default."""
    assert config_from({"KEYCLOAK_FEATURES": "resource-indicators, cimd"}).keycloak_features == (
        "cimd",
        "resource-indicators",
    )
    assert config_from({}).keycloak_features == ()


def test_without_features_the_realm_is_the_file() -> None:
    """And so it is with a feature that the realm needs nothing for."""
    shipped = json.loads(REALM_FILE.read_text())

    assert realm() == shipped
    assert realm(["resource-indicators"]) == shipped


def test_what_a_feature_needs_is_laid_over_by_name() -> None:
    """What is new comes on top, what has the name of something shipped takes its place, all else stays."""
    shipped, merged = realm(), realm(["cimd"])
    names = Counter(policy["name"] for policy in merged["clientPolicies"]["policies"])
    trusted = [policy for policy in merged["components"][POLICIES] if policy["name"] == "Trusted hosts"]

    assert set(names.values()) == {1}
    assert names.keys() > {policy["name"] for policy in shipped["clientPolicies"]["policies"]}
    assert len(merged["components"][POLICIES]) == len(shipped["components"][POLICIES])
    assert [policy["config"]["trusted-hosts"] for policy in trusted] == [[]]
    assert merged["clients"] == shipped["clients"]
