"""Helm and kubeconform, from the path or from `make chart-tools`, and the schemas of Kubernetes."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from stack.keycloak import default_cache
from tests.helm.chart import Chart
from tests.helm.tools import tool

KUBERNETES = ("1.30", "1.37")
"""The oldest version that the chart allows, and the newest that there are schemas of."""


@pytest.fixture(scope="session")
def chart() -> Chart:
    """The chart, to be rendered."""
    return Chart(tool("helm"))


@pytest.fixture(scope="session")
def kubeconform() -> str:
    """The command."""
    return tool("kubeconform")


@pytest.fixture(scope="session", params=KUBERNETES)
def schemas(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the schemas of one version of Kubernetes, as the package `kubernetes-validate` brings them.

    They refer to each other by an address on the web, where kubeconform would look for them: here by file.
    """
    folder = tmp_path_factory.mktemp(f"kubernetes-{request.param}")
    source = files("kubernetes_validate") / "kubernetes-json-schema" / f"v{request.param}.0-local-strict"
    for file in source.iterdir():
        schema = json.loads(file.read_text().replace('"/api/_definitions.json#', '"_definitions.json#'))
        schema.pop("$id", None)
        (folder / file.name).write_text(json.dumps(schema))
    (folder / "servicemonitor-monitoring-v1.json").write_text(json.dumps(_service_monitor()))
    return folder


def _service_monitor() -> dict[str, Any]:
    """Return the schema of a ServiceMonitor, as strict as Kubernetes' own, from the operator's CRD."""
    crd = default_cache() / "bin" / "servicemonitors.yaml"
    if not crd.exists():
        pytest.skip("there is no schema of a ServiceMonitor here: `make chart-tools` fetches it, which needs Go")
    (served,) = yaml.safe_load(crd.read_text())["spec"]["versions"]
    schema: dict[str, Any] = served["schema"]["openAPIV3Schema"]
    _forbid_unknown_fields(schema)
    return schema


def _forbid_unknown_fields(schema: Any) -> None:
    if isinstance(schema, list):
        for each in schema:
            _forbid_unknown_fields(each)
    elif isinstance(schema, dict):
        if "properties" in schema and schema.get("type") == "object":
            schema["additionalProperties"] = False
        for each in list(schema.values()):
            _forbid_unknown_fields(each)
