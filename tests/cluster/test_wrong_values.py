"""A wrong value stops a rollout: the old replicas keep serving, and the new pod's log names the fault."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.cluster.cluster import Cluster, eventually, is_running, name_of
from tests.cluster.services import calls_succeed

WELL_KNOWN = "/.well-known/openid-configuration"


@dataclass(frozen=True)
class Wrong:
    """A wrong value.

    Attributes:
        logged: what the new replica's log says of it, in one line.
        doctor: what the doctor says of it, in that pod.
        server: changed values of `server`; `{keycloak}` stands for where the realm is.
        exchange: the part `exchange`, if that is what is wrong.
    """

    logged: tuple[str, ...]
    doctor: str
    server: dict[str, str] = field(default_factory=dict)
    exchange: dict[str, str] = field(default_factory=dict)


CASES = {
    "secret": Wrong(("secret",), "Keycloak refuses the secret", exchange={"secretName": "wrong"}),
    "realm": Wrong(
        ("no-such-realm", "404"),
        "no-such-realm",
        server={"discoveryUrl": "{keycloak}/realms/no-such-realm" + WELL_KNOWN},
    ),
    "closed-port": Wrong(
        ("ConnectError",), "nothing listens there", server={"discoveryUrl": "http://localhost:9/realms/r" + WELL_KNOWN}
    ),
    "unknown-name": Wrong(
        ("keycloak.invalid",),
        "does not resolve",
        server={"discoveryUrl": "https://keycloak.invalid/realms/r" + WELL_KNOWN},
    ),
    # the cluster's own API, which every pod can reach, and whose authority no pod trusts unless it is told to
    "untrusted-authority": Wrong(
        ("certificate",), "not trusted", server={"discoveryUrl": "https://kubernetes.default.svc/realms/r" + WELL_KNOWN}
    ),
    "nextcloud": Wrong(
        ("health.nextcloud_unavailable",), "nothing listens there", server={"nextcloudUrl": "http://localhost:9"}
    ),
}


@pytest.mark.parametrize("wrong", CASES.values(), ids=CASES)
def test_wrong_value_replaces_no_replica(release: Cluster, token: str, wrong: Wrong) -> None:
    """Both replicas stay ready and serve; the new pod's log and the doctor in that pod name the fault."""
    old = release.ready()
    release.upgrade("--timeout", "60s", autoscaling={"enabled": False}, **_values(release, wrong))
    new = eventually(lambda: _new(release, old), what="a new replica")
    line = eventually(lambda: _logged(release, new, wrong.logged), what=f"a line of {new} with {wrong.logged}")
    doctor = release.attempt("kubectl", "exec", new, "--", "nextcloud-mcp", "doctor")

    assert wrong.doctor in doctor.stdout, doctor.stdout + doctor.stderr
    assert release.neighbours.client_secret not in line
    assert release.ready() == old
    assert calls_succeed(release, token)
    release.rollback()
    assert release.ready() == old


def _values(cluster: Cluster, wrong: Wrong) -> dict[str, Any]:
    parts = urlsplit(cluster.neighbours.discovery_url)
    keycloak = f"{parts.scheme}://{parts.netloc}"
    changed = {name: value.replace("{keycloak}", keycloak) for name, value in wrong.server.items()}
    exchange = {"exchange": wrong.exchange} if wrong.exchange else {}
    return {"server": cluster.server(**changed), **exchange}


def _new(cluster: Cluster, old: set[str]) -> str | None:
    """Return the newest pod's name, as the docs' command finds it, once its container runs."""
    newest = cluster.pods()[-1]
    return name_of(newest) if name_of(newest) not in old and is_running(newest) else None


def _logged(cluster: Cluster, pod: str, parts: tuple[str, ...]) -> str | None:
    lines = cluster.run("kubectl", "logs", pod).splitlines()
    return next((line for line in lines if all(part in line for part in parts)), None)
