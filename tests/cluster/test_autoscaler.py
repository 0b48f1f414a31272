"""The number of replicas: the chart sets it first, then only the autoscaler does."""

from typing import Any

import pytest

from tests.cluster.cluster import RELEASE, TAKING_OVER, WAIT, Cluster, eventually

ON: dict[str, Any] = {"autoscaling": {"enabled": True, "minReplicas": 2, "maxReplicas": 4}}
OFF: dict[str, Any] = {"autoscaling": {"enabled": False}}


@pytest.fixture(params=["--server-side=true", "--server-side=false"])
def side(request: pytest.FixtureRequest, release: Cluster) -> str:
    """Helm 4's way to apply things, and Helm 3's: a release keeps to the one by which it was installed."""
    side = str(request.param)
    if side == "--server-side=false":
        release.uninstall()
        release.upgrade(*WAIT, side, **OFF)
    return side


def test_switching_the_autoscaler_removes_no_replica(release: Cluster, side: str) -> None:
    """While the autoscaler is enabled, kept in an upgrade and disabled, there are always at least two replicas."""
    with release.watched() as numbers:
        release.upgrade(*WAIT, side, **ON)
        release.upgrade(*WAIT, side, **ON, server=release.server(logLevel="DEBUG"))
        assert release.get("hpa", RELEASE)["spec"]["minReplicas"] == 2
        release.upgrade(*WAIT, side, **OFF)
    assert min(numbers) == 2
    assert len(release.ready()) == 2


def test_upgrade_keeps_the_autoscalers_replica_count(release: Cluster, side: str) -> None:
    """The autoscaler's number of replicas survives upgrades, and a rollback works as documented."""
    release.upgrade(*WAIT, side, **ON)
    before = release.revision
    release.run("kubectl", "scale", f"deployment/{RELEASE}", "--replicas=3")  # through `scale`, as the autoscaler does
    with release.watched() as numbers:
        release.upgrade(*WAIT, side, **ON, server=release.server(logLevel="DEBUG"))
        release.upgrade(*WAIT, side, **ON)
        assert release.deployment["spec"]["replicas"] == 3
    assert set(numbers) == {3}
    release.rollback(before)
    assert release.deployment["spec"]["replicas"] >= 2


def test_autoscaler_can_scale_up(release: Cluster) -> None:
    """The autoscaler raises the number of replicas, and the next upgrade does not lower it."""
    release.upgrade(*WAIT, **ON)
    raised = '{"spec": {"minReplicas": 3}}'
    release.run("kubectl", "patch", "hpa", RELEASE, "--field-manager=helm", "--patch", raised)
    eventually(lambda: release.deployment["spec"]["replicas"] == 3, what="a third replica")
    with release.watched() as numbers:
        release.upgrade(*WAIT, *TAKING_OVER, **ON, server=release.server(logLevel="DEBUG"))
    assert set(numbers) <= {3}
