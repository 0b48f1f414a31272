"""The configuration that compose makes of the base file and each overlay; needs compose, but no Docker engine."""

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
BASE = "compose.yaml"
PRODUCTION = "deploy/production/compose.yaml"
CADDY = "deploy/production/caddy.yaml"
PROXY = "deploy/production/proxy.yaml"
RESTORE = "deploy/production/restore.yaml"
RESTORED = ("keycloak", "keycloak-db", "mcp-exchange", "nextcloud", "nextcloud-db", "redis")
COMBINATIONS = {
    "base": [BASE],
    "production": [BASE, PRODUCTION],
    "production-caddy": [BASE, PRODUCTION, CADDY],
    "production-proxy": [BASE, PRODUCTION, PROXY],
    "production-caddy-proxy": [BASE, PRODUCTION, CADDY, PROXY],
}
IN_PRODUCTION = [name for name in COMBINATIONS if name != "base"]
EXAMPLE = dict(
    line.split("=", 1)
    for line in (ROOT / "deploy/production/example.env").read_text().splitlines()
    if "=" in line and not line.startswith("#")
)
Read = Callable[..., dict[str, Any]]


def compose(files: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Read the files as `docker compose config` does, with these variables and no others."""
    return subprocess.run(
        ["docker", "compose", *(part for file in files for part in ("--file", file)), "config", "--format", "json"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": str(Path.home()), "COMPOSE_DISABLE_ENV_FILE": "1"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def read() -> Read:
    """Read a combination with the variables of `example.env`."""
    try:
        subprocess.run(["docker", "compose", "version"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("`docker compose` is not here: install Docker's compose plugin.")

    def read(combination: str) -> dict[str, Any]:
        done = compose(COMBINATIONS[combination], EXAMPLE)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    return read


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_combination_is_valid(read: Read, combination: str) -> None:
    """Compose accepts every combination of the base file and the overlays without a warning."""
    assert read(combination)["services"]


def test_example_env_selects_base_production_and_caddy() -> None:
    """`example.env` selects the base file and the overlays for production and Caddy."""
    assert EXAMPLE["COMPOSE_FILE"].split(":") == COMBINATIONS["production-caddy"]


@pytest.mark.parametrize("name", [name for name in EXAMPLE if not name.startswith("COMPOSE_")])
def test_missing_variable_is_named(read: Read, name: str) -> None:
    """Without a required variable nothing starts, and the error names it."""
    assert read("production-caddy")
    without = {key: value for key, value in EXAMPLE.items() if key != name}
    done = compose(COMBINATIONS["production-caddy"], without)
    assert done.returncode != 0
    assert name in done.stderr


@pytest.mark.parametrize("combination", IN_PRODUCTION)
def test_every_service_restarts_and_limits_log_and_memory(read: Read, combination: str) -> None:
    """Each service restarts, rotates its log, and has a memory limit."""
    for name, service in read(combination)["services"].items():
        assert service["restart"] == "unless-stopped", name
        assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}, name
        assert int(service["mem_limit"]) > 0, name
        assert "no-new-privileges:true" in service["security_opt"], name


@pytest.mark.parametrize("combination", IN_PRODUCTION)
def test_every_service_has_a_health_check(read: Read, combination: str) -> None:
    """`up --wait` waits for each service; the server's health check is in its image."""
    services = read(combination)["services"]
    assert {name for name, service in services.items() if "healthcheck" not in service} == {"mcp-exchange"}
    assert "HEALTHCHECK" in (ROOT / "server/Dockerfile").read_text()


def test_project_name_differs_from_the_demo(read: Read) -> None:
    """The project of `make up` in the same checkout has another name and other volumes."""
    assert read("production-caddy")["name"] == "nextcloud-mcp-production"
    assert read("base")["name"] == "nextcloud-mcp-production"  # by .env, so it holds for the whole checkout
    assert json.loads(compose([BASE], EXAMPLE | {"COMPOSE_PROJECT_NAME": ""}).stdout)["name"] == "nextcloud-mcp"


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        pytest.param('HTTP/1.1 200 OK\r\n\r\n{"status":"ok"}', (True, True), id="in-use"),
        pytest.param("HTTP/1.1 503 No\r\nX-Nextcloud-Maintenance-Mode: 1\r\n\r\n", (True, False), id="maintenance"),
        pytest.param("HTTP/1.1 500 No\r\n\r\n", (False, False), id="broken"),
        pytest.param("", (False, False), id="no-answer"),
    ],
)
def test_health_check_writes_nothing_in_maintenance(
    read: Read, tmp_path: Path, answer: str, outcome: tuple[bool, bool]
) -> None:
    """While a backup reads Nextcloud's folder, Nextcloud's health check changes nothing there and succeeds.

    The parameters say whether the check succeeds, and whether it wrote to the folder.
    """
    (script,) = [part for part in read("base")["services"]["nextcloud"]["healthcheck"]["test"] if "curl" in part]
    (tmp_path / "answer").write_text(answer)
    for name, body in {"curl": f"cat {tmp_path}/answer", "su": f"touch {tmp_path}/written"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    done = subprocess.run(
        ["sh", "-euc", script.replace("$$", "$").replace("/var/www/html/data", str(tmp_path))],
        env={"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
        check=False,
    )
    assert (done.returncode == 0, (tmp_path / "written").exists()) == outcome


@pytest.mark.parametrize("combination", IN_PRODUCTION)
def test_no_secret_is_an_environment_variable(read: Read, combination: str) -> None:
    """Every secret is a file: no container has one in its environment, not even the placeholders of `example.env`."""
    configuration = read(combination)
    for name, service in configuration["services"].items():
        environment = service.get("environment", {})
        secret = {key for key in environment if re.search(r"SECRET|PASSWORD", key) and not key.endswith("_FILE")}
        assert secret == set(), name
        assert EXAMPLE["MCP_EXCHANGE_CLIENT_SECRET"] not in environment.values(), name
    files = {secret["file"] for secret in configuration["secrets"].values()}
    assert {Path(file).parent for file in files} == {ROOT / "deploy/production/secrets"}


@pytest.mark.parametrize("combination", IN_PRODUCTION)
def test_production_runs_exchange_mode_only(read: Read, combination: str) -> None:
    """There are two server replicas in exchange mode, none in pass-through mode, and the realm has no pass-through."""
    services = read(combination)["services"]
    server = services["mcp-exchange"]
    assert "mcp-pass-through" not in services
    assert server["deploy"]["replicas"] == 2
    assert server["environment"]["ENABLE_TOKEN_EXCHANGE"] == "true"
    assert services["keycloak"]["environment"]["PASS_THROUGH"] == "false"


@pytest.mark.parametrize(
    ("combination", "public"),
    [
        pytest.param("production", set(), id="production"),
        pytest.param("production-proxy", set(), id="production-proxy"),
        pytest.param("production-caddy", {"80", "443"}, id="production-caddy"),
    ],
)
def test_only_caddy_has_public_ports(read: Read, combination: str, public: set[str]) -> None:
    """All published ports except Caddy's are on loopback."""
    published = [
        port
        for service in read(combination)["services"].values()
        for port in service.get("ports", [])
        if port["host_ip"] != "127.0.0.1"
    ]
    assert {port["published"] for port in published} == public


@pytest.mark.parametrize(
    ("database", "friends"),
    [
        pytest.param("keycloak-db", {"keycloak"}, id="keycloak-db"),
        pytest.param("nextcloud-db", {"nextcloud", "nextcloud-cron", "redis"}, id="nextcloud-db"),
        pytest.param("redis", {"nextcloud", "nextcloud-cron", "nextcloud-db"}, id="redis"),
    ],
)
def test_databases_have_an_internal_network(read: Read, database: str, friends: set[str]) -> None:
    """Only services that need a database can reach it, and it has no way out of its network."""
    configuration = read("production-caddy")
    services = configuration["services"]
    (network,) = services[database]["networks"]
    assert configuration["networks"][network]["internal"] is True
    assert {name for name, service in services.items() if network in service["networks"]} == {database, *friends}


def test_background_jobs_use_the_same_nextcloud_image(read: Read) -> None:
    """Two Nextcloud versions on one volume would conflict in an upgrade."""
    services = read("production")["services"]
    assert services["nextcloud-cron"]["image"] == services["nextcloud"]["image"]


def test_public_addresses_are_https(read: Read) -> None:
    """The three public host names use HTTPS; between containers the protocol is plain HTTP."""
    services = read("production-caddy")["services"]
    assert services["mcp-exchange"]["environment"]["NEXTCLOUD_MCP_SERVER_URL"] == "https://mcp.example.org/mcp"
    assert services["keycloak"]["environment"]["MCP_EXCHANGE_URL"] == "https://mcp.example.org/mcp"
    assert services["keycloak"]["environment"]["KC_HOSTNAME"] == "https://id.example.org"
    assert services["keycloak"]["environment"]["NEXTCLOUD_PUBLIC_URL"] == "https://cloud.example.org"
    assert services["nextcloud"]["environment"]["NEXTCLOUD_PUBLIC_URL"] == "https://cloud.example.org"


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_local_accounts_are_closed_to_the_realm(read: Read, combination: str) -> None:
    """In production, no name in the realm gives access to Nextcloud's administrator."""
    environment = read(combination)["services"]["nextcloud"]["environment"]
    assert environment["NEXTCLOUD_LINK_LOCAL_ACCOUNTS"] == "false"


def test_data_variable_selects_other_volumes_and_secrets(read: Read) -> None:
    """`DATA` selects other volumes and another secrets folder; data that is not restored stays."""
    first = read("production-caddy")
    restored = json.loads(compose(COMBINATIONS["production-caddy"], EXAMPLE | {"DATA": "20261126"}).stdout)
    volumes = {name: volume["name"] for name, volume in first["volumes"].items()}
    assert {name: volume["name"] for name, volume in restored["volumes"].items()} == {
        name: volume if name.startswith("caddy") else f"{volume}-20261126" for name, volume in volumes.items()
    }
    assert volumes == {name: f"nextcloud-mcp-production_{name}" for name in volumes}
    folders = {Path(secret["file"]).parent.name for secret in restored["secrets"].values()}
    assert folders == {"secrets-20261126"}


@pytest.mark.parametrize("proxy", [CADDY, PROXY])
def test_restore_check_opens_no_port(read: Read, proxy: str) -> None:
    """The containers that restore.sh starts for a check have no port, no restart policy and no new volume."""
    assert read("production")
    variables = EXAMPLE | {"DATA": "20261126", "RESTORE_OF": "live", "COMPOSE_PROJECT_NAME": "live-restore"}
    beside = json.loads(compose([BASE, PRODUCTION, proxy, RESTORE], variables).stdout)
    services = {name: beside["services"][name] for name in RESTORED}
    assert [name for name, service in services.items() if service.get("ports")] == []
    assert {service["restart"] for service in services.values()} == {"no"}
    volumes = {
        volume["source"]
        for service in services.values()
        for volume in service.get("volumes", [])
        if volume["type"] == "volume"
    }
    assert {beside["volumes"][name]["name"] for name in volumes} == {f"live_{name}-20261126" for name in volumes}
    assert all(beside["volumes"][name]["external"] for name in volumes)
