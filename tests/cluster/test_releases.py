"""Installing, upgrading, going back: what people notice of it, which is nothing."""

import json

from tests.cluster.cluster import RELEASE, Cluster, Installed, eventually, name_of


def test_installation_has_its_replicas(installed: Installed) -> None:
    """When `helm install --wait` returns, as many replicas are ready as the autoscaler keeps at least."""
    assert installed.deployment["spec"]["replicas"] == 2
    assert installed.deployment["status"]["readyReplicas"] == 2
    assert installed.autoscaler["spec"]["minReplicas"] == 2


def test_process_is_nobody(release: Cluster) -> None:
    """User and group are the image's, and no other group; the namespace takes none but restricted pods."""
    script = "import os, json; print(json.dumps([os.getuid(), os.getgid(), os.getgroups()]))"
    for pod in release.pods():
        assert json.loads(release.inside(script, pod=name_of(pod)).stdout) == [10001, 10001, [10001]]


def test_rolling_restart_loses_no_call(release: Cluster, token: str) -> None:
    """Eight callers, four of them on connections that they keep, lose no call while every replica is replaced."""
    before = {name_of(pod) for pod in release.pods()}
    with release.load(token) as load:
        release.run("kubectl", "rollout", "restart", f"deployment/{RELEASE}")
        release.finished()
        eventually(lambda: not before & _every_pod(release), what="the end of the old replicas")

    assert load.problems == []
    assert {call["keeps"] for call in load.calls} == {True, False}
    assert len(load.calls) > 16


def test_upgrade_and_rollback_lose_no_call(release: Cluster, token: str) -> None:
    """Nor do they lose one while a new revision comes, and goes again."""
    before = release.revision
    with release.load(token) as load:
        release.upgrade(autoscaling={"enabled": False}, server=release.server(logLevel="DEBUG"))
        release.rollback(before)
        release.finished()

    assert load.problems == []
    variables = release.deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {"name": "LOG_LEVEL", "value": "INFO"} in variables


def _every_pod(cluster: Cluster) -> set[str]:
    """Return the names of the pods, those that are ending included."""
    return {name_of(pod) for pod in cluster.get("pods")["items"]}
