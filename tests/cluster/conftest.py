"""Fixtures for a cluster that `KUBECONFIG` names and that has a Keycloak and a Nextcloud.

    KUBECONFIG=… NEXTCLOUD_MCP_SERVER_URL=… NEXTCLOUD_HOST=… OIDC_DISCOVERY_URL=… OIDC_CLIENT_SECRET=… make test-cluster

The variables have the names of the server's settings; CONTRIBUTING.md describes them. The tests create everything in a
namespace of their own, which is deleted at the end.
"""

import asyncio
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from typing import Any, Final

import pytest
import yaml

from stack.keycloak import Keycloak
from tests.cluster.cluster import (
    CALLERS,
    RELEASE,
    SECRET,
    TAKING_OVER,
    TIMEOUT,
    WAIT,
    Cluster,
    Installed,
    Neighbours,
    eventually,
)
from tests.cluster.services import calls_succeed, service_of, slices
from tests.helm.chart import FOLDER
from tests.helm.tools import tool
from tests.support.oauth import ALICE, Person, sign_in

NEEDED: Final = ("NEXTCLOUD_MCP_SERVER_URL", "NEXTCLOUD_HOST", "OIDC_DISCOVERY_URL", "OIDC_CLIENT_SECRET")
SCOPE: Final = "nextcloud-mcp:exchange files:read"
RAN_ON = pytest.StashKey[list[tuple[str, str]]]()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip where nobody has asked for a cluster, or there is none."""
    if item.config.getoption("chain") != "cluster":
        pytest.skip("`make test-cluster` runs it, in the cluster that KUBECONFIG names")
    if not os.environ.get("KUBECONFIG"):
        pytest.skip("KUBECONFIG is not set: there is no cluster to run in")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what it ran on."""
    rows = config.stash.get(RAN_ON, None)
    if rows:
        terminalreporter.section("what it ran on")
        for name, value in rows:
            terminalreporter.write_line(f"{name:<12} {value}")


@pytest.fixture(scope="session")
def neighbours() -> Neighbours:
    """What the environment says of the cluster."""
    missing = [name for name in NEEDED if not os.environ.get(name)]
    assert not missing, f"set {', '.join(missing)}: see CONTRIBUTING.md"
    version = yaml.safe_load((FOLDER / "Chart.yaml").read_text())["appVersion"]
    return Neighbours(
        image=os.environ.get("MCP_IMAGE", f"docker.io/library/nextcloud-mcp:{version}"),
        server_url=os.environ["NEXTCLOUD_MCP_SERVER_URL"],
        nextcloud_url=os.environ["NEXTCLOUD_HOST"],
        discovery_url=os.environ["OIDC_DISCOVERY_URL"],
        client_secret=os.environ["OIDC_CLIENT_SECRET"],
    )


@pytest.fixture(scope="session")
def cluster(
    neighbours: Neighbours, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[Cluster]:
    """A namespace that takes none but restricted pods, with the Secret and with a pod to call from."""
    if shutil.which("kubectl") is None:
        pytest.skip("there is no kubectl on the path")
    namespace = f"nextcloud-mcp-test-{secrets.token_hex(3)}"
    cluster = Cluster(tool("helm"), namespace, neighbours, tmp_path_factory.mktemp("values"))
    pytestconfig.stash[RAN_ON] = _what_it_is(cluster)
    restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": restricted}})
    try:
        cluster.apply(
            _secret(SECRET, neighbours.client_secret), _secret("wrong", "not-the-secret"), _callers(neighbours)
        )
        cluster.run("kubectl", "wait", "pod", CALLERS, "--for", "condition=Ready", f"--timeout={TIMEOUT:.0f}s")
        yield cluster
    finally:
        cluster.run("kubectl", "delete", "namespace", namespace, f"--timeout={TIMEOUT:.0f}s")


def _secret(name: str, value: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"client-secret": value}}


def _callers(neighbours: Neighbours) -> dict[str, Any]:
    waiting = "import signal; signal.signal(signal.SIGTERM, lambda *_: exit()); signal.pause()"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": CALLERS, "labels": {"app": CALLERS}},
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 1,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": CALLERS,
                    "image": neighbours.image,
                    "command": ["python", "-c", waiting],
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                }
            ],
        },
    }


def _what_it_is(cluster: Cluster) -> list[tuple[str, str]]:
    version = json.loads(cluster.run("kubectl", "version", "--output", "json"))["serverVersion"]["gitVersion"]
    nodes = [node["status"]["nodeInfo"] for node in cluster.get("nodes")["items"]]
    return [
        ("Kubernetes", f"{version}, {len(nodes)} node(s), {nodes[0]['containerRuntimeVersion']}"),
        ("Helm", cluster.run(cluster.helm, "version", "--short").strip()),
        ("Keycloak", ", ".join(images_behind(cluster, cluster.neighbours.discovery_url))),
        ("Nextcloud", ", ".join(images_behind(cluster, cluster.neighbours.nextcloud_url))),
        ("server", cluster.neighbours.image),
    ]


def images_behind(cluster: Cluster, url: str) -> list[str]:
    """Return the images of the pods that answer at a URL, or the URL where it leads out of the cluster."""
    service = service_of(url)
    if service is None:
        return [url]
    name, namespace = service
    found = cluster.get("pods", "--all-namespaces")["items"]
    pods = {(pod["metadata"]["namespace"], pod["metadata"]["name"]): pod for pod in found}
    targets = [
        endpoint["targetRef"]["name"]
        for each in slices(cluster, name, namespace)
        for endpoint in each.get("endpoints") or []
    ]
    return sorted({box["image"] for target in targets for box in pods[namespace, target]["spec"]["containers"]})


@pytest.fixture(scope="session")
def installed(cluster: Cluster) -> Installed:
    """The chart, installed with its own defaults, and what there was when `helm install --wait` returned."""
    cluster.upgrade()
    return Installed(cluster.deployment, cluster.get("hpa", RELEASE))


@pytest.fixture
def release(cluster: Cluster, installed: Installed) -> Cluster:
    """The chart as a test finds it: two replicas without an autoscaler, ready."""
    del installed
    cluster.upgrade(*TAKING_OVER, *WAIT, autoscaling={"enabled": False})
    cluster.finished()
    eventually(lambda: len(cluster.pods()) == 2 and len(cluster.ready()) == 2, what="two replicas")
    return cluster


@pytest.fixture
def token(cluster: Cluster, installed: Installed) -> str:
    """A new token of Alice's, who has signed in at Keycloak's own pages and whose account Nextcloud has filled."""
    del installed
    issuer = _issuer(cluster)
    keycloak = Keycloak(*issuer.split("/realms/"))
    alice = Person(username=ALICE["username"], password=os.environ.get("ALICE_PASSWORD") or ALICE["password"])
    tokens = asyncio.run(sign_in(keycloak, **alice, scope=SCOPE))
    access_token = str(tokens["access_token"])
    eventually(lambda: calls_succeed(cluster, access_token), what="Alice's account")
    return access_token


def _issuer(cluster: Cluster) -> str:
    """Return the issuer, as a client learns it: from the server's metadata (RFC 9728)."""
    path = f"/.well-known/oauth-protected-resource{cluster.neighbours.server_path}".rstrip("/")
    url = cluster.service_url.removesuffix(cluster.neighbours.server_path) + path
    script = "import httpx, sys; print(httpx.get(sys.argv[1], headers={'Host': sys.argv[2]}).text)"
    asked = cluster.inside(script, url, cluster.neighbours.server_host)
    assert asked.returncode == 0, asked.stderr
    return str(json.loads(asked.stdout)["authorization_servers"][0])
