"""The chart in a real cluster, with the administrator's tools kubectl and Helm, and queries of the pods."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import yaml

from tests.helm.chart import FOLDER
from tests.support.mcp_http import HEADERS, message

RELEASE: Final = "nextcloud-mcp"
CALLERS: Final = "callers"
SECRET: Final = "nextcloud-mcp-proof"
TIMEOUT: Final = 300.0
"""Seconds in which whatever is awaited has happened, on a busy machine too."""
WAIT: Final = ("--wait", "--timeout", f"{TIMEOUT:.0f}s")
TAKING_OVER: Final = ("--server-side=true", "--force-conflicts")
"""Helm's options to set what somebody else has set since, such as the number of replicas."""

T = TypeVar("T")


def eventually(ask: Callable[[], T | None], *, what: str) -> T:
    """Ask until there is an answer, which takes minutes at most."""
    end = time.monotonic() + TIMEOUT
    while not (answer := ask()):
        assert time.monotonic() < end, f"{what}: not after {TIMEOUT:.0f} s"
        time.sleep(0.5)  # between two questions to the cluster, which tells nobody by itself
    return answer


@dataclass(frozen=True)
class Neighbours:
    """What runs in the cluster beside the chart; the names are the server's own settings.

    Attributes:
        image: the server's, as the cluster's nodes find it (MCP_IMAGE).
        server_url: its public URL, the id of its client (NEXTCLOUD_MCP_SERVER_URL).
        nextcloud_url: where pods reach Nextcloud (NEXTCLOUD_HOST).
        discovery_url: where pods reach the realm's discovery document (OIDC_DISCOVERY_URL).
        client_secret: of the server's client (OIDC_CLIENT_SECRET).
    """

    image: str
    server_url: str
    nextcloud_url: str
    discovery_url: str
    client_secret: str = field(repr=False)

    @property
    def server_host(self) -> str:
        """The server's public name: it answers to no other."""
        return urlsplit(self.server_url).netloc

    @property
    def server_path(self) -> str:
        """The path of its endpoint."""
        return urlsplit(self.server_url).path or "/"


@dataclass(frozen=True)
class Installed:
    """A release as it was after its installation, whatever tests have made of it since."""

    deployment: dict[str, Any]
    autoscaler: dict[str, Any]


@dataclass(frozen=True)
class Cluster:
    """A namespace of a cluster, with the release in it.

    Attributes:
        helm: the command.
        namespace: of the tests' own.
        neighbours: what the chart is to reach.
        folder: for files of values.
    """

    helm: str
    namespace: str
    neighbours: Neighbours
    folder: Path

    # --- the commands ---

    def attempt(self, *command: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command in the namespace, which may fail."""
        return subprocess.run(
            [*command[:1], "--namespace", self.namespace, *command[1:]],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=2 * TIMEOUT,
            check=False,
        )

    def run(self, *command: str, stdin: str | None = None) -> str:
        """Run a command in the namespace, and return what it prints."""
        done = self.attempt(*command, stdin=stdin)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
        return done.stdout

    def get(self, *what: str) -> Any:
        """Return what `kubectl get` knows, as JSON."""
        return json.loads(self.run("kubectl", "get", *what, "--output", "json", "--show-managed-fields"))

    def apply(self, *objects: Mapping[str, Any]) -> None:
        """Make objects, or change them."""
        self.run("kubectl", "apply", "--filename", "-", stdin=yaml.safe_dump_all(objects))

    # --- the release ---

    def values(self, changes: Mapping[str, Any]) -> Path:
        """Write a file of values: what this cluster needs, and over it what a test wants; whole parts are replaced."""
        repository, _, tag = self.neighbours.image.rpartition(":")
        base: dict[str, Any] = {
            "image": {"repository": repository, "tag": tag},
            "server": self.server(),
            "exchange": {"secretName": SECRET},
            "resources": {"requests": {"cpu": 0.1, "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
            "networkPolicy": {"enabled": False},
        }
        file = self.folder / "values.yaml"
        file.write_text(yaml.safe_dump(base | dict(changes)))
        return file

    def server(self, **changes: str) -> dict[str, object]:
        """Return the part `server` of the values; one person makes all calls of the tests."""
        return {
            "callsPerMinute": 100_000,
            "url": self.neighbours.server_url,
            "nextcloudUrl": self.neighbours.nextcloud_url,
            "discoveryUrl": self.neighbours.discovery_url,
        } | changes

    def upgrade(self, *options: str, **changes: Any) -> str:
        """Install the chart or upgrade it, and wait until all is ready unless `options` say otherwise."""
        values = str(self.values(changes))
        return self.run(self.helm, "upgrade", "--install", RELEASE, str(FOLDER), "--values", values, *(options or WAIT))

    def rollback(self, revision: int | None = None) -> None:
        """Go back to a revision, the one before by default, as docs/how-to/kubernetes-later.md has it."""
        target = [str(revision)] if revision else []
        self.run(self.helm, "rollback", RELEASE, *target, *TAKING_OVER, *WAIT)

    def uninstall(self) -> None:
        """Take the release away, pods included."""
        self.run(self.helm, "uninstall", RELEASE, "--ignore-not-found", *WAIT)
        self.run("kubectl", "wait", "pods", "--selector", _SELECTOR, "--for", "delete", f"--timeout={TIMEOUT:.0f}s")

    @property
    def revision(self) -> int:
        """The release's."""
        return int(json.loads(self.run(self.helm, "status", RELEASE, "--output", "json"))["version"])

    @property
    def deployment(self) -> dict[str, Any]:
        """The Deployment as it is."""
        found: dict[str, Any] = self.get("deployment", RELEASE)
        return found

    def pods(self) -> list[dict[str, Any]]:
        """Return the release's pods that are not being deleted, the newest last."""
        found = self.get("pods", "--selector", _SELECTOR)["items"]
        living = [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]
        return sorted(living, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))

    def ready(self) -> set[str]:
        """Return the names of those that are ready."""
        return {name_of(pod) for pod in self.pods() if is_ready(pod)}

    def finished(self) -> None:
        """Wait until a rollout has ended."""
        self.run("kubectl", "rollout", "status", f"deployment/{RELEASE}", f"--timeout={TIMEOUT:.0f}s")

    @contextmanager
    def watched(self) -> Iterator[list[int]]:
        """Note every number of replicas that is asked for while the block runs."""
        command = ["kubectl", "--namespace", self.namespace, "get", "deployment", RELEASE, "--watch"]
        numbers: list[int] = []
        with subprocess.Popen(
            [*command, "--output", 'jsonpath={.spec.replicas}{"\\n"}'], stdout=subprocess.PIPE, text=True
        ) as watch:
            assert watch.stdout
            numbers.append(int(watch.stdout.readline()))
            try:
                yield numbers
            finally:
                watch.terminate()
                numbers += [int(line) for line in watch.stdout.read().split()]

    # --- calls from inside ---

    def inside(self, script: str, *arguments: str, pod: str = CALLERS) -> subprocess.CompletedProcess[str]:
        """Run a Python script in a pod."""
        return self.attempt("kubectl", "exec", pod, "--", "python", "-c", script, *arguments)

    @property
    def service_url(self) -> str:
        """Where the endpoint is, inside the cluster."""
        return f"http://{RELEASE}.{self.namespace}{self.neighbours.server_path}"

    def call(self, token: str, *, callers: int = 8) -> dict[str, Any]:
        """Return what the callers are told: to list a folder."""
        headers = HEADERS | {"Authorization": f"Bearer {token}", "Host": self.neighbours.server_host}
        body = message("tools/call", name="nc_webdav_list_directory", arguments={"path": "/"})
        return {"url": self.service_url, "headers": headers, "body": body, "callers": callers}

    @contextmanager
    def load(self, token: str, *, callers: int = 8) -> Iterator["Load"]:
        """Have the tool called by several callers at once while the block runs."""
        script = Path(__file__).with_name("callers.py").read_text()
        command = ["kubectl", "--namespace", self.namespace, "exec", "--stdin", CALLERS, "--", "python", "-c", script]
        load = Load()
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
            assert running.stdin
            assert running.stdout
            running.stdin.write(json.dumps(self.call(token, callers=callers)) + "\n")
            running.stdin.flush()
            assert running.stdout.readline() == "calling\n"
            try:
                yield load
            finally:
                printed, _ = running.communicate()
            load.calls = json.loads(printed)


@dataclass
class Load:
    """What callers saw.

    Attributes:
        calls: each call: the caller's number, whether it keeps its connection, begin and end (seconds since 1970), and
            what went wrong, or None.
    """

    calls: list[dict[str, Any]] = field(default_factory=list)

    @property
    def problems(self) -> list[dict[str, Any]]:
        """The calls that went wrong."""
        return [call for call in self.calls if call["problem"]]


_SELECTOR: Final = f"app.kubernetes.io/instance={RELEASE}"


def name_of(pod: Mapping[str, Any]) -> str:
    """Return a pod's name."""
    return str(pod["metadata"]["name"])


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Say whether a pod is ready."""
    conditions = pod.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def is_running(pod: Mapping[str, Any]) -> bool:
    """Say whether a pod's container runs, ready or not."""
    return any("running" in each["state"] for each in pod.get("status", {}).get("containerStatuses", []))
