"""Who says how many replicas there are: the chart at first, then the autoscaler, and never both."""

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


def test_switching_takes_no_replica_away(release: Cluster, side: str) -> None:
    """The autoscaler is switched on, left on by an upgrade, and switched off: at no moment less than two replicas."""
    with release.watched() as numbers:
        release.upgrade(*WAIT, side, **ON)
        release.upgrade(*WAIT, side, **ON, server=release.server(logLevel="DEBUG"))
        assert release.get("hpa", RELEASE)["spec"]["minReplicas"] == 2
        release.upgrade(*WAIT, side, **OFF)
    assert min(numbers) == 2
    assert len(release.ready()) == 2


def test_upgrade_leaves_the_number_to_the_autoscaler(release: Cluster, side: str) -> None:
    """What the autoscaler has set stays through upgrades; a rollback works all the same, as the docs have it."""
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


def test_autoscaler_that_wants_more_gets_more(release: Cluster) -> None:
    """It raises the number by itself, and the next upgrade does not lower it."""
    release.upgrade(*WAIT, **ON)
    raised = '{"spec": {"minReplicas": 3}}'
    release.run("kubectl", "patch", "hpa", RELEASE, "--field-manager=helm", "--patch", raised)
    eventually(lambda: release.deployment["spec"]["replicas"] == 3, what="a third replica")
    with release.watched() as numbers:
        release.upgrade(*WAIT, *TAKING_OVER, **ON, server=release.server(logLevel="DEBUG"))
    assert set(numbers) <= {3}
