"""Services of the cluster, and calls that must succeed."""

import re
from typing import Any
from urllib.parse import urlsplit

from tests.cluster.cluster import (
    Cluster,
)


def service_of(url: str) -> tuple[str, str] | None:
    """Return name and namespace of the Service that a URL names, or None for a public name."""
    found = re.fullmatch(r"([^.]+)\.([^.]+)(?:\.svc(?:\..*)?)?", urlsplit(url).hostname or "")
    return (found[1], found[2]) if found else None


def slices(cluster: Cluster, name: str, namespace: str) -> list[dict[str, Any]]:
    """Return the EndpointSlices of a Service: the pods behind it, and their own ports."""
    every = cluster.get("endpointslices", "--all-namespaces", "--selector", f"kubernetes.io/service-name={name}")
    found: list[dict[str, Any]] = [each for each in every["items"] if each["metadata"]["namespace"] == namespace]
    assert found, f"there is no Service {name} in the namespace {namespace}"
    return found


def calls_succeed(cluster: Cluster, token: str) -> bool:
    """Say whether a call goes well."""
    with cluster.load(token, callers=1) as load:
        pass
    return not load.problems
