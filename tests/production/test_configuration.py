"""What compose makes of the base file and each overlay; needs compose, but no Docker engine."""

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
    """Compose takes every combination of the base and the overlays, without a warning."""
    assert read(combination)["services"]


def test_example_names_the_files_of_a_deployment() -> None:
    """`example.env` chooses the base, production and Caddy."""
    assert EXAMPLE["COMPOSE_FILE"].split(":") == COMBINATIONS["production-caddy"]


@pytest.mark.parametrize("name", [name for name in EXAMPLE if not name.startswith("COMPOSE_")])
def test_what_is_missing_is_named(read: Read, name: str) -> None:
    """Without a variable nothing starts, and the message names it."""
    assert read("production-caddy")
    without = {key: value for key, value in EXAMPLE.items() if key != name}
    done = compose(COMBINATIONS["production-caddy"], without)
    assert done.returncode != 0
    assert name in done.stderr


@pytest.mark.parametrize("combination", IN_PRODUCTION)
def test_every_service_comes_back_and_its_log_has_an_end(read: Read, combination: str) -> None:
    """Each service restarts, rotates its log, and has a limit of memory."""
    for name, service in read(combination)["services"].items():
        assert service["restart"] == "unless-stopped", name
        assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}, name
        assert int(service["mem_limit"]) > 0, name
        assert "no-new-privileges:true" in service["security_opt"], name


@pytest.mark.parametrize("combination", IN_PRODUCTION)
def test_every_service_has_a_health_check(read: Read, combination: str) -> None:
    """`up --wait` waits for each service; the server's image brings its own health check."""
    services = read(combination)["services"]
    assert {name for name, service in services.items() if "healthcheck" not in service} == {"mcp-exchange"}
    assert "HEALTHCHECK" in (ROOT / "server/Dockerfile").read_text()


def test_project_has_a_name_of_its_own(read: Read) -> None:
    """What `make up` has made in the same checkout is another project, with other volumes."""
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
    """While a backup reads Nextcloud's folder, the health check of Nextcloud changes nothing there, and is content.

    The outcome is whether it is healthy, and whether it wrote.
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
def test_no_secret_is_a_variable(read: Read, combination: str) -> None:
    """Every secret is a file; no container's environment has one, not even the filler of `example.env`."""
    configuration = read(combination)
    for name, service in configuration["services"].items():
        environment = service.get("environment", {})
        secret = {key for key in environment if re.search(r"SECRET|PASSWORD", key) and not key.endswith("_FILE")}
        assert secret == set(), name
        assert EXAMPLE["MCP_EXCHANGE_CLIENT_SECRET"] not in environment.values(), name
    files = {secret["file"] for secret in configuration["secrets"].values()}
    assert {Path(file).parent for file in files} == {ROOT / "deploy/production/secrets"}


@pytest.mark.parametrize("combination", IN_PRODUCTION)
def test_exchange_alone(read: Read, combination: str) -> None:
    """Two replicas of the server in exchange mode, none in pass-through, and a realm that offers no other."""
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
def test_only_caddy_listens_to_the_world(read: Read, combination: str, public: set[str]) -> None:
    """Ports are on loopback, but for Caddy's."""
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
def test_data_has_a_network_of_its_own(read: Read, database: str, friends: set[str]) -> None:
    """A database is reached by those who need it, and has no way out."""
    configuration = read("production-caddy")
    services = configuration["services"]
    (network,) = services[database]["networks"]
    assert configuration["networks"][network]["internal"] is True
    assert {name for name, service in services.items() if network in service["networks"]} == {database, *friends}


def test_background_jobs_are_of_the_same_nextcloud(read: Read) -> None:
    """Two versions of Nextcloud on one volume would upgrade it under each other's feet."""
    services = read("production")["services"]
    assert services["nextcloud-cron"]["image"] == services["nextcloud"]["image"]


def test_public_addresses_are_https(read: Read) -> None:
    """What the world knows is the three names, by HTTPS; among themselves the containers stay on plain HTTP."""
    services = read("production-caddy")["services"]
    assert services["mcp-exchange"]["environment"]["NEXTCLOUD_MCP_SERVER_URL"] == "https://mcp.example.org/mcp"
    assert services["keycloak"]["environment"]["MCP_EXCHANGE_URL"] == "https://mcp.example.org/mcp"
    assert services["keycloak"]["environment"]["KC_HOSTNAME"] == "https://id.example.org"
    assert services["keycloak"]["environment"]["NEXTCLOUD_PUBLIC_URL"] == "https://cloud.example.org"
    assert services["nextcloud"]["environment"]["NEXTCLOUD_PUBLIC_URL"] == "https://cloud.example.org"


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_local_accounts_are_closed_to_the_realm(read: Read, combination: str) -> None:
    """In no deployment does a name in the realm make anybody Nextcloud's administrator."""
    environment = read(combination)["services"]["nextcloud"]["environment"]
    assert environment["NEXTCLOUD_LINK_LOCAL_ACCOUNTS"] == "false"


def test_restored_data_lie_beside_the_first(read: Read) -> None:
    """`DATA` names other volumes and another folder of secrets, all of them; what is not restored stays."""
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
def test_restored_data_are_checked_without_a_port(read: Read, proxy: str) -> None:
    """What restore.sh starts beside a deployment opens no port, does not come back by itself, and makes no volume."""
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
