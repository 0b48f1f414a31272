"""The deployment that the tests of this folder share."""

from collections.abc import Iterator

import pytest

from tests.containers.images import describe
from tests.production.deployment import Deployment, add_carol, create_table, known, prepare_deployment
from tests.support import composed


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Deployment]:
    """The deployment as the how-to page sets it up, with one person in its realm."""
    if pytestconfig.getoption("chain") != "compose":
        pytest.skip("it runs in containers, for minutes: `make test-production` does")
    composed.require_engine()
    deployment = prepare_deployment(tmp_path_factory.mktemp("production"))
    shown = pytestconfig.stash.get(composed.IMAGES, [])
    pytestconfig.stash[composed.IMAGES] = list(dict.fromkeys([*shown, *describe(deployment.env)]))
    try:
        deployment.compose("up", "--detach", "--wait")
        ran = pytestconfig.stash.get(composed.RAN, [])
        pytestconfig.stash[composed.RAN] = [*ran, composed.describe_nextcloud(deployment.compose)]
        if deployment.has_standin:
            create_table(deployment)
        with known(deployment):
            add_carol(deployment)
            yield deployment
    finally:
        deployment.remove()
