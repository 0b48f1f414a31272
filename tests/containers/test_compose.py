"""`compose.yaml` as compose reads it, without an engine."""

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
def test_a_missing_secret_is_refused(compose_config: Compose, name: str, value: str | None) -> None:
    """Without any one of the secrets nothing starts, and the refusal says which one, and what writes it."""
    others = {other: secret for other, secret in SECRETS.items() if other != name}
    refused = compose_config(others if value is None else others | {name: value})

    assert refused.returncode != 0
    assert f"required variable {name} is missing a value: make .env writes it" in refused.stderr


def test_no_secret_is_in_the_file(services: dict[str, Any]) -> None:
    """What is called a secret or a password comes from the environment, in every service."""
    values = {
        value
        for service in services.values()
        for name, value in service["environment"].items()
        if re.search("SECRET|PASSWORD", name)
    }
    assert values == {"s3cret"}


def test_ports_are_on_loopback(services: dict[str, Any]) -> None:
    """Nobody reaches a port from another machine."""
    ports = {name: service["ports"] for name, service in services.items() if "ports" in service}
    addresses = {name: {port["host_ip"] for port in each} for name, each in ports.items()}
    assert addresses == {name: {"127.0.0.1"} for name in ("keycloak", "mcp-exchange", "mcp-pass-through", "nextcloud")}


def test_ports_can_be_moved(compose_config: Compose) -> None:
    """With other ports, everything that is told of an address is told the new one."""
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


def test_what_a_server_offers_can_be_chosen(services: dict[str, Any]) -> None:
    """Every setting is reached by a variable or follows from the chain, but for those that only overlays need."""
    reached = {name for service in ("mcp-exchange", "mcp-pass-through") for name in services[service]["environment"]}
    image = {"MCP_HOST", "MCP_PORT"}
    realm = {"OIDC_CLIENT_ID", "OIDC_SERVER_SCOPE", "TOKEN_EXCHANGE_AUDIENCE"}
    overlays = {"OIDC_CLIENT_SECRET_FILE", "OIDC_CLIENT_PRIVATE_KEY_FILE", "MCP_METRICS_PORT"}
    assert {field.alias for field in Settings.model_fields.values()} - reached == image | realm | overlays


def test_local_accounts_are_closed_to_the_realm(services: dict[str, Any]) -> None:
    """Nobody becomes Nextcloud's administrator by a name in the realm, unless the operator asks for it."""
    assert services["nextcloud"]["environment"]["NEXTCLOUD_LINK_LOCAL_ACCOUNTS"] == "false"


@pytest.mark.parametrize(
    ("variables", "apps"),
    [
        ({}, ["notes", "deck", "tables", "cookbook", "calendar", "contacts", "tasks"]),
        ({"NEXTCLOUD_APPS": ""}, []),
        ({"NEXTCLOUD_APPS": "notes"}, ["notes"]),
    ],
)
def test_apps_can_be_chosen(compose_config: Compose, variables: dict[str, str], apps: list[str]) -> None:
    """People see in Nextcloud's pages what an assistant did; an empty list installs nothing."""
    nextcloud = json.loads(compose_config(SECRETS | variables).stdout)["services"]["nextcloud"]
    assert nextcloud["environment"]["NEXTCLOUD_APPS"].split() == apps
    assert nextcloud["environment"]["NEXTCLOUD_APPS_FOLDER"] == ""


def test_apps_can_come_from_a_folder(compose_config: Compose, tmp_path: Path) -> None:
    """A folder is mounted for reading, and the set-up is told where."""
    nextcloud = json.loads(compose_config(SECRETS | {"NEXTCLOUD_APPS_FOLDER": str(tmp_path)}).stdout)["services"][
        "nextcloud"
    ]
    (mounted,) = (volume for volume in nextcloud["volumes"] if volume["source"] == str(tmp_path))
    assert mounted["target"] == nextcloud["environment"]["NEXTCLOUD_APPS_FOLDER"]
    assert mounted["read_only"]


def test_images_are_pinned(services: dict[str, Any]) -> None:
    """Each image names a version, as exactly as its makers do: PostgreSQL has two numbers."""
    images = {service["image"] for service in services.values()}
    assert {image for image in images if not re.search(r":\d+\.\d+(\.\d+|-)", image)} == set()


def test_images_can_be_replaced(compose_config: Compose) -> None:
    """Each image is a variable's."""
    names = ("KEYCLOAK_IMAGE", "MCP_IMAGE", "NEXTCLOUD_IMAGE", "POSTGRES_IMAGE")
    read = json.loads(compose_config(SECRETS | {name: name.lower() for name in names}).stdout)
    assert {service["image"] for service in read["services"].values()} == {name.lower() for name in names}


def test_every_container_has_bounds(services: dict[str, Any]) -> None:
    """None takes all of the machine's memory, and none can gain privileges."""
    for service in services.values():
        assert int(service["mem_limit"]) <= 1 << 30
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_secrets_are_written_once(tmp_path: Path) -> None:
    """`make .env` writes each secret that compose asks for, anew each, for the owner's eyes, never on the screen."""
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


def test_secrets_are_added_to_what_is_there(tmp_path: Path) -> None:
    """Settings, and secrets that were chosen, stay in `.env`; what is missing comes besides, for the owner's eyes."""
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
