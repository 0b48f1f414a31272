"""The server's image and the running containers of `compose.yaml`, as an intruder would find them."""

import json
import re
import subprocess
from importlib.metadata import version
from typing import Any, Final

import pytest

from tests.containers.compose import ROOT, in_image, inspect
from tests.support.composed import Project

SERVERS: Final = ("mcp-exchange", "mcp-pass-through")
NOBODY: Final = "10001"
OWN_BYTES: Final = 80_000_000
"""What the server and its libraries may add to the base image: a third more than they do."""

TOOLS: Final = ("pip", "pip3", "uv", "gcc", "cc", "g++", "make", "git")
LIST_PACKAGES: Final = """
import json, sysconfig
from importlib.metadata import distributions
found = distributions(path=[sysconfig.get_path("purelib")])
print(json.dumps({each.name.lower().replace("_", "-"): each.version for each in found}))
"""


def own_layers(running: Project) -> list[dict[str, Any]]:
    """Return what server/Dockerfile adds to its base image."""
    names = (running.environment["MCP_IMAGE"], running.environment["PYTHON_IMAGE"])
    ours, base = (_history(name) for name in names)
    assert ours[len(ours) - len(base) :] == base
    return ours[: len(ours) - len(base)]


def _history(name: str) -> list[dict[str, Any]]:
    command = ["docker", "history", "--no-trunc", "--human=false", "--format", "{{json .}}", name]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [{key: json.loads(line)[key] for key in ("CreatedBy", "Size")} for line in lines]


@pytest.mark.parametrize("service", SERVERS)
def test_process_is_unprivileged(running: Project, service: str) -> None:
    """The server runs as a user without a name and without capabilities, and cannot gain any."""
    status = running.run("exec", "-T", service, "python", "-c", "print(open('/proc/1/status').read())")
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)

    assert set(fields["Uid"].split()) == {NOBODY}
    assert set(fields["Gid"].split()) == {NOBODY}
    assert {int(fields[name], 16) for name in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb")} == {0}
    assert fields["NoNewPrivs"] == "1"


@pytest.mark.parametrize("service", SERVERS)
def test_file_system_is_read_only(running: Project, service: str) -> None:
    """The server's whole file system is read-only, including the folder for temporary files."""
    mounts = running.run("exec", "-T", service, "python", "-c", "print(open('/proc/mounts').read())")
    options = {line.split()[1]: line.split()[3].split(",") for line in mounts.splitlines() if line}

    assert "ro" in options["/"]
    assert not {place for place in options if place in {"/app", "/tmp", "/home", "/var/tmp"}}  # noqa: S108 - mounts


@pytest.mark.parametrize("service", ["keycloak", "nextcloud", *SERVERS])
def test_running_containers_have_loopback_ports_and_limits(running: Project, service: str) -> None:
    """The engine has published ports on loopback only, and has applied the memory limits."""
    container = inspect("container", running.run("ps", "--quiet", service).strip())
    published = [binding for bindings in container["NetworkSettings"]["Ports"].values() for binding in bindings or []]

    assert {binding["HostIp"] for binding in published} == {"127.0.0.1"}
    assert 0 < container["HostConfig"]["Memory"] <= 1 << 30


def test_image_contains_no_secret(running: Project, image: dict[str, Any]) -> None:
    """Neither the environment nor the layer history has a secret or the source of the packages."""
    text = json.dumps([own_layers(running), image["Config"]])

    secrets = {name: value for name, value in running.environment.items() if name.endswith(("_PASSWORD", "_SECRET"))}

    assert len(secrets) >= 6
    assert not [name for name, value in secrets.items() if value in text]
    assert "://" not in json.dumps(own_layers(running))
    assert not re.search(r"(?i)[\w]*(secret|password|token|index_url)\w*=", json.dumps(image["Config"]["Env"]))


def test_image_has_no_installer_or_compiler(running: Project) -> None:
    """The image has no pip, nothing that could restore it, and no compiler."""
    look = (
        "import importlib.util as i, json, shutil, sys; print(json.dumps({t: shutil.which(t) for t in sys.argv[1:]}\n"
    )
    look += " | {m: bool(i.find_spec(m)) for m in ('pip', 'ensurepip', 'setuptools', 'hatchling', 'uvicorn')}))"
    found = json.loads(in_image(running.environment["MCP_IMAGE"], "python", "-c", look, *TOOLS).stdout)

    assert {name for name, there in found.items() if there} == {"uvicorn"}


def test_installed_packages_are_the_pinned_ones(running: Project) -> None:
    """The installed packages are the server and the packages that requirements/server.txt pins."""
    listed = in_image(running.environment["MCP_IMAGE"], "python", "-c", LIST_PACKAGES).stdout
    installed = json.loads(listed)
    requirements = (ROOT / "requirements/server.txt").read_text()
    pinned = dict(re.findall(r"^([\w.-]+)(?:\[\w+\])?==([^ ;]+)", requirements, re.MULTILINE))

    assert installed.pop("nextcloud-mcp") == version("nextcloud-mcp")
    assert installed
    assert installed.items() <= pinned.items()


def test_image_size_is_bounded(running: Project) -> None:
    """The server adds less than the limit to its base image."""
    size = sum(int(layer["Size"]) for layer in own_layers(running))
    print(f"\nThe server's own layers: {size / 1e6:.0f} MB")
    assert size < OWN_BYTES


def test_image_has_oci_labels(image: dict[str, Any]) -> None:
    """The image has the labels of the OCI image specification."""
    labels = image["Config"]["Labels"]
    names = {name.removeprefix("org.opencontainers.image.") for name in labels}

    assert {"title", "description", "version", "licenses"} <= names
    assert labels["org.opencontainers.image.version"] == version("nextcloud-mcp")


def test_health_check_fails_without_a_server(image: dict[str, Any], running: Project) -> None:
    """The image's health check fails if no server answers."""
    kind, *command = image["Config"]["Healthcheck"]["Test"]

    assert kind == "CMD"
    assert in_image(running.environment["MCP_IMAGE"], *command).returncode != 0


def test_container_without_settings_exits_with_their_names(running: Project) -> None:
    """Without settings the container exits at once and names the missing ones."""
    ended = in_image(running.environment["MCP_IMAGE"], "nextcloud-mcp", "serve")

    assert ended.returncode == 2
    assert "NEXTCLOUD_HOST" in ended.stderr
