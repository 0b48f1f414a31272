"""The network policy, in a cluster that enforces network policies."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.cluster.cluster import CALLERS, Cluster, name_of
from tests.cluster.services import calls_succeed, service_of, slices
from tests.helm.chart import FOLDER

CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5)"
KUBERNETES = ("kubernetes.default.svc", "443")


@pytest.fixture
def enforced(release: Cluster) -> Iterator[Cluster]:
    """The release in a cluster that enforces policies; skip where a pod that may go nowhere gets out all the same."""
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "no-way-out"},
        "spec": {"podSelector": {"matchLabels": {"app": CALLERS}}, "policyTypes": ["Egress"], "egress": []},
    }
    address = release.get("service", "nextcloud-mcp")["spec"]["clusterIP"]
    assert release.inside(CONNECT, address, "80").returncode == 0
    release.apply(policy)
    try:
        for _ in range(5):  # a policy takes a moment to arrive
            if release.inside(CONNECT, address, "80").returncode:
                break
        else:
            pytest.skip("this cluster enforces no network policies")
    finally:
        release.run("kubectl", "delete", "networkpolicy", "no-way-out")
    yield release
    release.upgrade(autoscaling={"enabled": False})


def test_egress_is_limited_to_the_neighbors(enforced: Cluster, token: str) -> None:
    """With the pods' own ports in the rules, new replicas become ready, serve calls, and reach nothing else."""
    neighbours = enforced.neighbours
    assert all(enforced.inside(CONNECT, *KUBERNETES, pod=name_of(pod)).returncode == 0 for pod in enforced.pods())
    egress = [_rule(enforced, url) for url in (neighbours.discovery_url, neighbours.nextcloud_url)]
    policy = {"enabled": True, "egress": egress, "from": [{"podSelector": {}}]}
    enforced.upgrade(autoscaling={"enabled": False}, networkPolicy=policy)
    enforced.run("kubectl", "rollout", "restart", "deployment/nextcloud-mcp")
    enforced.finished()

    assert calls_succeed(enforced, token)
    for pod in enforced.pods():
        reached = enforced.inside(CONNECT, *KUBERNETES, pod=name_of(pod))
        assert "TimeoutError" in reached.stderr or "ConnectionRefusedError" in reached.stderr


def test_ingress_is_limited_to_the_configured_peers(enforced: Cluster) -> None:
    """With `from`, other pods cannot reach the server, but the kubelet's probes can."""
    egress = [_rule(enforced, url) for url in (enforced.neighbours.discovery_url, enforced.neighbours.nextcloud_url)]
    address = enforced.get("service", "nextcloud-mcp")["spec"]["clusterIP"]
    for app, reached in ((CALLERS, True), ("somebody-else", False)):
        peers = [{"podSelector": {"matchLabels": {"app": app}}}]
        policy: dict[str, Any] = {"enabled": True, "egress": egress, "from": peers}
        enforced.upgrade(autoscaling={"enabled": False}, networkPolicy=policy)
        enforced.run("kubectl", "rollout", "restart", "deployment/nextcloud-mcp")
        enforced.finished()
        assert (enforced.inside(CONNECT, address, "80").returncode == 0) == reached, app


def _rule(cluster: Cluster, url: str) -> dict[str, Any]:
    """Return the rule for a URL: of a Service its namespace and its pods' ports, else the port of the URL."""
    service = service_of(url)
    if service is None:
        parts = urlsplit(url)
        return {"ports": [{"port": parts.port or {"http": 80, "https": 443}[parts.scheme]}]}
    ports = sorted({port["port"] for each in slices(cluster, *service) for port in each["ports"]})
    selector = {"matchLabels": {"kubernetes.io/metadata.name": service[1]}}
    return {"to": [{"namespaceSelector": selector}], "ports": [{"port": port} for port in ports]}


def test_policy_without_rules_is_refused(release: Cluster) -> None:
    """A policy without rules is refused before anything changes, and the error names the value to set."""
    values = release.values({"networkPolicy": {"enabled": True}, "autoscaling": {"enabled": False}})
    before = json.dumps(release.deployment["spec"])
    refused = release.attempt(
        release.helm, "upgrade", "nextcloud-mcp", str(FOLDER), "--values", str(values), "--timeout", "60s"
    )
    assert "networkPolicy.egress must be set" in refused.stderr
    assert json.dumps(release.deployment["spec"]) == before
