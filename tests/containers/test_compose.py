"""`compose.yaml` as compose parses it, without a Docker engine."""

import json
import re
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from nextcloud_mcp.settings import Settings
from tests.containers.compose import REQUIRED, ROOT, Compose

SECRETS = dict.fromkeys(REQUIRED, "s3cret")


@pytest.fixture
def services(compose_config: Compose) -> dict[str, Any]:
    """The services, with every secret given."""
    read: dict[str, Any] = json.loads(compose_config(SECRETS).stdout)["services"]
    return read


@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.parametrize("value", [None, ""], ids=["not set", "empty"])
def test_missing_secret_is_refused(compose_config: Compose, name: str, value: str | None) -> None:
    """Without any of the secrets nothing starts, and the error names the secret and the command that writes it."""
    others = {other: secret for other, secret in SECRETS.items() if other != name}
    refused = compose_config(others if value is None else others | {name: value})

    assert refused.returncode != 0
    assert f"required variable {name} is missing a value: make .env writes it" in refused.stderr


def test_compose_file_contains_no_secret(services: dict[str, Any]) -> None:
    """Every variable named as a secret or password comes from the environment."""
    values = {
        value
        for service in services.values()
        for name, value in service["environment"].items()
        if re.search("SECRET|PASSWORD", name)
    }
    assert values == {"s3cret"}


def test_ports_are_on_loopback(services: dict[str, Any]) -> None:
    """No port can be reached from another machine."""
    ports = {name: service["ports"] for name, service in services.items() if "ports" in service}
    addresses = {name: {port["host_ip"] for port in each} for name, each in ports.items()}
    assert addresses == {name: {"127.0.0.1"} for name in ("keycloak", "mcp-exchange", "mcp-pass-through", "nextcloud")}


def test_changed_ports_apply_everywhere(compose_config: Compose) -> None:
    """With other ports, every setting with an address has the new port."""
    moved = {
        "KEYCLOAK_PORT": "18180",
        "NEXTCLOUD_PORT": "18080",
        "MCP_EXCHANGE_PORT": "18000",
        "MCP_PASS_THROUGH_PORT": "18001",
    }
    read = compose_config(SECRETS | moved).stdout

    assert {port for port in moved.values() if f'"published": "{port}"' in read} == set(moved.values())
    assert re.findall(r"http://localhost:(8\d{3})\b", read) == []
    assert set(re.findall(r"http://localhost:(\d+)", read)) == set(moved.values())


def test_every_server_setting_can_be_set(services: dict[str, Any]) -> None:
    """Every setting has a variable or follows from the chain, except for settings that only overlays need."""
    reached = {name for service in ("mcp-exchange", "mcp-pass-through") for name in services[service]["environment"]}
    image = {"MCP_HOST", "MCP_PORT"}
    realm = {"OIDC_CLIENT_ID", "OIDC_SERVER_SCOPE", "TOKEN_EXCHANGE_AUDIENCE"}
    overlays = {"OIDC_CLIENT_SECRET_FILE", "OIDC_CLIENT_PRIVATE_KEY_FILE", "MCP_METRICS_PORT"}
    assert {field.alias for field in Settings.model_fields.values()} - reached == image | realm | overlays


def test_local_accounts_are_closed_to_the_realm(services: dict[str, Any]) -> None:
    """No name in the realm gives access to Nextcloud's administrator, unless the operator permits it."""
    assert services["nextcloud"]["environment"]["NEXTCLOUD_LINK_LOCAL_ACCOUNTS"] == "false"


@pytest.mark.parametrize(
    ("variables", "apps"),
    [
        ({}, ["notes", "deck", "tables", "cookbook", "calendar", "contacts", "tasks"]),
        ({"NEXTCLOUD_APPS": ""}, []),
        ({"NEXTCLOUD_APPS": "notes"}, ["notes"]),
    ],
)
def test_nextcloud_apps_can_be_chosen(compose_config: Compose, variables: dict[str, str], apps: list[str]) -> None:
    """A list names the apps to install, so users see the results in Nextcloud; an empty list installs none."""
    nextcloud = json.loads(compose_config(SECRETS | variables).stdout)["services"]["nextcloud"]
    assert nextcloud["environment"]["NEXTCLOUD_APPS"].split() == apps
    assert nextcloud["environment"]["NEXTCLOUD_APPS_FOLDER"] == ""


def test_apps_can_be_installed_from_a_folder(compose_config: Compose, tmp_path: Path) -> None:
    """The folder is mounted read-only, and the set-up script gets its path."""
    nextcloud = json.loads(compose_config(SECRETS | {"NEXTCLOUD_APPS_FOLDER": str(tmp_path)}).stdout)["services"][
        "nextcloud"
    ]
    (mounted,) = (volume for volume in nextcloud["volumes"] if volume["source"] == str(tmp_path))
    assert mounted["target"] == nextcloud["environment"]["NEXTCLOUD_APPS_FOLDER"]
    assert mounted["read_only"]


def test_image_versions_are_pinned(services: dict[str, Any]) -> None:
    """Each image has the most exact version that its maker uses: PostgreSQL has two numbers."""
    images = {service["image"] for service in services.values()}
    assert {image for image in images if not re.search(r":\d+\.\d+(\.\d+|-)", image)} == set()


def test_images_can_be_replaced(compose_config: Compose) -> None:
    """A variable can replace each image."""
    names = ("KEYCLOAK_IMAGE", "MCP_IMAGE", "NEXTCLOUD_IMAGE", "POSTGRES_IMAGE")
    read = json.loads(compose_config(SECRETS | {name: name.lower() for name in names}).stdout)
    assert {service["image"] for service in read["services"].values()} == {name.lower() for name in names}


def test_every_container_has_limits(services: dict[str, Any]) -> None:
    """Every container has a memory limit and cannot gain privileges."""
    for service in services.values():
        assert int(service["mem_limit"]) <= 1 << 30
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_make_env_writes_each_secret(tmp_path: Path) -> None:
    """`make .env` writes a new value for each secret, in a file for the owner only, and prints none."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    make = ["make", "--file", str(ROOT / "Makefile"), ".env"]
    first = subprocess.run(make, cwd=tmp_path, check=True, capture_output=True, text=True)
    written = (tmp_path / ".env").read_text()
    again = subprocess.run(make, cwd=tmp_path, check=True, capture_output=True, text=True)
    secrets = dict(line.split("=") for line in written.splitlines())

    assert sorted(secrets) == REQUIRED
    assert len(set(secrets.values())) == len(REQUIRED)
    assert all(re.fullmatch("[0-9a-f]{32}", secret) for secret in secrets.values())
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == stat.S_IRUSR | stat.S_IWUSR
    assert (tmp_path / ".env").read_text() == written
    assert not any(secret in first.stdout + first.stderr + again.stdout for secret in secrets.values())


def test_make_env_adds_missing_secrets(tmp_path: Path) -> None:
    """Existing settings and secrets in `.env` stay; missing ones are added, and only the owner can read the file."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    env = tmp_path / ".env"
    env.write_text("MCP_EXCHANGE_PORT=28000\nALICE_PASSWORD=chosen-for-a-test")  # and no newline at its end
    env.chmod(0o644)
    make = ["make", "--file", str(ROOT / "Makefile"), ".env"]
    subprocess.run(make, cwd=tmp_path, check=True, capture_output=True)
    lines = env.read_text().splitlines()
    assert lines[:2] == ["MCP_EXCHANGE_PORT=28000", "ALICE_PASSWORD=chosen-for-a-test"]
    assert {line.partition("=")[0] for line in lines[2:]} == set(REQUIRED) - {"ALICE_PASSWORD"}
    assert stat.S_IMODE(env.stat().st_mode) == stat.S_IRUSR | stat.S_IWUSR
