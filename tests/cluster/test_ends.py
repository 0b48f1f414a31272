"""Killed replicas and drained nodes."""

import json
import subprocess
import time

from tests.cluster.cluster import RELEASE, Cluster, eventually, is_running, name_of

WRONG_REALM = "/realms/no-such-realm/.well-known/openid-configuration"


def test_killed_replica_fails_only_calls_in_flight(release: Cluster, token: str) -> None:
    """If one of two replicas is killed, each caller loses at most one call, and the other replica answers."""
    victim = name_of(release.pods()[0])
    with release.load(token) as load:
        killed = time.time()
        release.run("kubectl", "delete", "pod", victim, "--grace-period=0", "--force")
        eventually(lambda: len(release.ready()) == 2, what="a new replica")

    callers = [call["caller"] for call in load.problems]
    assert len(callers) == len(set(callers)), load.problems
    assert all(call["ended"] > killed for call in load.problems), load.problems
    after = [
        call for call in load.calls if call["begun"] > max((each["ended"] for each in load.problems), default=killed)
    ]
    assert after


def test_drain_evicts_one_replica_at_a_time(release: Cluster, token: str) -> None:
    """A drain evicts the second replica only after a new one is ready, and no call fails."""
    first, second = (name_of(pod) for pod in release.pods())
    with release.load(token) as load:
        assert _evict(release, first).returncode == 0
        refused = _evict(release, second)
        assert "disruption budget" in refused.stderr
        eventually(lambda: _evict(release, second).returncode == 0, what="leave to evict the second replica")
        eventually(lambda: len(release.ready()) == 2, what="two new replicas")

    assert load.problems == []


def test_unready_replicas_can_be_evicted(release: Cluster) -> None:
    """If no replica is ready, each one can be evicted."""
    release.uninstall()
    wrong = release.neighbours.discovery_url.partition("/realms/")[0] + WRONG_REALM
    release.upgrade("--timeout", "60s", autoscaling={"enabled": False}, server=release.server(discoveryUrl=wrong))
    pods = eventually(lambda: _running(release), what="two running replicas")
    assert release.ready() == set()
    eventually(lambda: release.get("pdb", RELEASE)["status"].get("observedGeneration"), what="the budget's own look")

    assert [_evict(release, pod).stderr for pod in pods] == ["", ""]


def _running(cluster: Cluster) -> list[str] | None:
    names = [name_of(pod) for pod in cluster.pods() if is_running(pod)]
    return names if len(names) == 2 else None


def _evict(cluster: Cluster, pod: str) -> subprocess.CompletedProcess[str]:
    """Ask for an eviction, as `kubectl drain` does."""
    path = f"/api/v1/namespaces/{cluster.namespace}/pods/{pod}/eviction"
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
    return cluster.attempt("kubectl", "create", "--raw", path, "--filename", "-", stdin=json.dumps(eviction))
