"""Installation, upgrade and rollback without failed calls."""

import json

from tests.cluster.cluster import RELEASE, Cluster, Installed, eventually, name_of


def test_installation_waits_for_the_minimum_replicas(installed: Installed) -> None:
    """When `helm install --wait` returns, the autoscaler's minimum of replicas is ready."""
    assert installed.deployment["spec"]["replicas"] == 2
    assert installed.deployment["status"]["readyReplicas"] == 2
    assert installed.autoscaler["spec"]["minReplicas"] == 2


def test_process_has_the_images_user_and_group(release: Cluster) -> None:
    """The process has only the image's user and group; the namespace permits only restricted pods."""
    script = "import os, json; print(json.dumps([os.getuid(), os.getgid(), os.getgroups()]))"
    for pod in release.pods():
        assert json.loads(release.inside(script, pod=name_of(pod)).stdout) == [10001, 10001, [10001]]


def test_rolling_restart_fails_no_call(release: Cluster, token: str) -> None:
    """No call of eight callers, four with persistent connections, fails while every replica is replaced."""
    before = {name_of(pod) for pod in release.pods()}
    with release.load(token) as load:
        release.run("kubectl", "rollout", "restart", f"deployment/{RELEASE}")
        release.finished()
        eventually(lambda: not before & _every_pod(release), what="the end of the old replicas")

    assert load.problems == []
    assert {call["keeps"] for call in load.calls} == {True, False}
    assert len(load.calls) > 16


def test_upgrade_and_rollback_fail_no_call(release: Cluster, token: str) -> None:
    """No call fails during an upgrade to a new revision and a rollback."""
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
