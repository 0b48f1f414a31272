"""`deploy/production` run for real, through Caddy and TLS: what people reach, what they don't, and a restore.

Where no image registry can be reached, the stand-in plays Nextcloud: then Nextcloud's database is empty, and occ is a
script that writes down what it is asked.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.containers.images import STANDIN, describe
from tests.production.deployment import (
    CAROL,
    KEYCLOAK,
    MCP,
    NEXTCLOUD,
    PRODUCTION,
    Deployment,
    add_carol,
    known,
    prepare_deployment,
)
from tests.support import composed
from tests.support.mcp_client import Somebody, connected, text_of
from tests.support.mcp_http import call_tool, result
from tests.support.oauth import CLIENT_ID, sign_in, token_request

SCOPE = "nextcloud-mcp:exchange files:read files:write"


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Deployment]:
    """The deployment as the how-to page sets it up, with one person in its realm."""
    if pytestconfig.getoption("chain") != "compose":
        pytest.skip("it runs in containers, for minutes: `make test-production` does")
    composed.require_engine()
    deployment = prepare_deployment(tmp_path_factory.mktemp("production"))
    shown = pytestconfig.stash.get(composed.IMAGES, [])
    pytestconfig.stash[composed.IMAGES] = list(dict.fromkeys([*shown, *describe(deployment.environment)]))
    try:
        deployment.compose("up", "--detach", "--wait")
        ran = pytestconfig.stash.get(composed.RAN, [])
        pytestconfig.stash[composed.RAN] = [*ran, composed.describe_nextcloud(deployment.compose)]
        with known(deployment):
            add_carol(deployment)
            yield deployment
    finally:
        deployment.compose("down", "--volumes", "--remove-orphans")


async def test_client_with_the_url_alone(deployment: Deployment) -> None:
    """An MCP client that knows the public URL signs carol in at Keycloak's public name and writes her a file."""
    carol = Somebody(**CAROL)
    async with connected(deployment.url, carol) as mcp:
        written = await mcp.call_tool("nc_webdav_write_file", {"path": "First.md", "content": "by the URL alone"})
        who = await mcp.call_tool("nc_whoami", {})

    assert not written.is_error, text_of(written)
    assert carol.sign_ins == 1
    assert (who.structured_content["user_id"], who.structured_content["mode"]) == ("carol", "exchange")


async def test_pass_through_is_not_offered(deployment: Deployment) -> None:
    """Nobody can ask for a token that opens Nextcloud."""
    with pytest.raises(AssertionError, match="Request not allowed"):
        await sign_in(deployment.keycloak, **CAROL, scope="nextcloud-mcp:pass-through")


async def test_replica_may_end(deployment: Deployment) -> None:
    """With one of the two replicas stopped, calls go on without a failure."""
    token = (await sign_in(deployment.keycloak, **CAROL, scope=SCOPE))["access_token"]
    replicas = deployment.compose("ps", "--quiet", "mcp-exchange").split()
    assert len(replicas) == 2
    deployment.run("docker", "stop", replicas[0])
    try:
        for _ in range(10):
            answer = result(await call_tool(deployment.url, "nc_webdav_list_directory", token=token))
            assert not answer.get("isError"), answer
    finally:
        deployment.run("docker", "start", replicas[0])


@pytest.mark.parametrize(
    ("url", "status"),
    [
        pytest.param(f"https://{MCP}/.well-known/oauth-protected-resource/mcp", 200, id="metadata"),
        pytest.param(f"https://{MCP}/health/ready", 404, id="health-of-the-server"),
        pytest.param(f"https://{KEYCLOAK}/realms/nextcloud-mcp/.well-known/openid-configuration", 200, id="discovery"),
        pytest.param(f"https://{KEYCLOAK}/admin/master/console/", 404, id="administration"),
        pytest.param(f"https://{KEYCLOAK}/metrics", 404, id="metrics"),
        pytest.param(f"https://{NEXTCLOUD}/status.php", 200, id="nextcloud"),
        pytest.param(f"http://{MCP}/mcp", 308, id="plain-http-is-sent-on"),
    ],
)
def test_what_the_world_reaches(deployment: Deployment, url: str, status: int) -> None:
    """Each name opens what people need, and nothing of administration."""
    assert deployment.address
    assert httpx.get(url, trust_env=False).status_code == status


def test_issuer_is_the_public_name(deployment: Deployment) -> None:
    """From outside and from the containers the issuer is one, and outside every address is a public one."""
    outside = httpx.get(deployment.keycloak.discovery_url, trust_env=False).json()
    inside = httpx.get(deployment.administration.discovery_url, trust_env=False).json()
    assert outside["issuer"] == inside["issuer"] == f"https://{KEYCLOAK}/realms/nextcloud-mcp"
    assert outside["token_endpoint"].startswith(f"https://{KEYCLOAK}/")


def test_doctor_sees_no_drift(deployment: Deployment) -> None:
    """As the page on upgrades has it, the doctor compares the live realm with the shipped one: they are the same."""
    password = deployment.secrets / "keycloak_admin_password"
    options = ["-e", "KEYCLOAK_ADMIN=admin", "-e", "KEYCLOAK_ADMIN_PASSWORD_FILE=/run/password"]
    mount = ["-v", f"{password}:/run/password:ro"]
    done = deployment.attempt(
        "docker", "compose", "run", "--rm", "-T", *options, *mount, "mcp-exchange", "doctor", "--json"
    )
    steps = {step["code"]: step["outcome"] for step in json.loads(done.stdout)["steps"]}
    drift = {code: outcome for code, outcome in steps.items() if code.startswith("drift.")}
    assert len(drift) > 3
    assert set(drift.values()) == {"ok"}, done.stdout


def test_no_secret_shows(deployment: Deployment) -> None:
    """Neither a container's configuration nor any log has one of the secrets."""
    containers = deployment.compose("ps", "--all", "--quiet").split()
    shown = deployment.run("docker", "inspect", *containers) + deployment.compose("logs", "--no-color")
    secrets = {path.name: path.read_text() for path in deployment.secrets.iterdir()}
    assert len(secrets) == 7
    assert [name for name, secret in secrets.items() if secret in shown] == []


def test_secrets_are_written_once(deployment: Deployment) -> None:
    """`secrets.sh` keeps what is there, prints none, and leaves the folder to its owner."""
    before = {path.name: path.read_text() for path in deployment.secrets.iterdir()}
    printed = deployment.run(PRODUCTION / "secrets.sh", deployment.secrets)
    assert {path.name: path.read_text() for path in deployment.secrets.iterdir()} == before
    assert len(set(before.values())) == len(before)
    assert not any(secret in printed for secret in before.values())
    assert deployment.secrets.stat().st_mode & 0o777 == 0o700


async def test_restore(deployment: Deployment, tmp_path: Path) -> None:
    """What a backup holds works again after everything was lost: people, sessions, keys, clients, files, database.

    What came after the backup is gone, and a client that had signed in before need not do so again. Files and databases
    are read in maintenance mode, which is over afterwards.
    """
    tokens = await sign_in(deployment.keycloak, **CAROL, scope=SCOPE)
    await _write(deployment, tokens["access_token"], "Before.md")
    _query(deployment, "CREATE TABLE rehearsal AS SELECT 'before' AS came")
    asked_before = _asked_of_occ(deployment)
    backup = tmp_path / "backup"
    deployment.run(PRODUCTION / "backup.sh", backup)
    await _write(deployment, tokens["access_token"], "After.md")
    _query(deployment, "INSERT INTO rehearsal VALUES ('after')")
    keys = _keys(deployment)

    for volume in ("keycloak-db", "nextcloud-db", "nextcloud", "keycloak"):
        assert _volumes(deployment, volume)
    refused = deployment.attempt(PRODUCTION / "restore.sh", backup)
    deployment.run(PRODUCTION / "restore.sh", "--replace", backup)

    assert refused.returncode == 1
    assert "--replace" in refused.stderr
    assert _keys(deployment) == keys
    refreshed = await token_request(
        deployment.keycloak,
        {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "client_id": CLIENT_ID},
    )
    assert refreshed.status_code == 200, refreshed.text
    async with connected(deployment.url, Somebody(**CAROL)) as mcp:
        listing = await mcp.call_tool("nc_webdav_list_directory", {})
    token = refreshed.json()["access_token"]
    answer = result(await call_tool(deployment.url, "nc_webdav_read_file", token=token, path="Before.md"))
    assert "Before.md was written" in json.dumps(answer)
    assert "Before.md" in text_of(listing)
    assert "After.md" not in text_of(listing)
    assert _query(deployment, "SELECT came FROM rehearsal") == "before\n"
    if deployment.environment["NEXTCLOUD_IMAGE"] == STANDIN:
        assert _asked_of_occ(deployment)[len(asked_before) :] == [
            "--no-interaction maintenance:mode --on",
            "--no-interaction maintenance:mode --off",
            "--no-interaction maintenance:mode --off",  # config.php came back with it on
            "--no-interaction maintenance:data-fingerprint",
        ]


@pytest.fixture(scope="module")
def backup(deployment: Deployment) -> Path:
    """A backup."""
    deployment.run(PRODUCTION / "backup.sh", deployment.folder / "backup")
    return deployment.folder / "backup"


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        pytest.param("changed", "is damaged", id="changed"),
        pytest.param("missing", "is damaged", id="missing"),
        pytest.param("unfinished", "is no backup, or not a whole one", id="unfinished"),
    ],
)
def test_damaged_backup_is_refused(
    deployment: Deployment, backup: Path, tmp_path: Path, damage: str, sentence: str
) -> None:
    """A backup that is not as it was written is refused before anything is dropped."""
    copy = Path(shutil.copytree(backup, tmp_path / "copy"))
    match damage:
        case "changed":
            (copy / "keycloak.pgdump").write_bytes(b"x")
        case "missing":
            (copy / "nextcloud.tar.gz").unlink()
        case _:
            (copy / "SHA256SUMS").unlink()
    running = deployment.compose("ps", "--quiet")
    refused = deployment.attempt(PRODUCTION / "restore.sh", "--replace", copy)

    assert refused.returncode == 1
    assert sentence in refused.stderr
    assert deployment.compose("ps", "--quiet") == running


def test_failed_backup_leaves_nothing(deployment: Deployment, tmp_path: Path) -> None:
    """A backup that fails half-way ends maintenance mode, and leaves no folder that could be taken for a backup."""
    if deployment.environment["NEXTCLOUD_IMAGE"] != STANDIN:
        pytest.skip("takes Nextcloud's database away, which only the stand-in can do without")
    deployment.compose("stop", "nextcloud-db")
    try:
        failed = deployment.attempt(PRODUCTION / "backup.sh", tmp_path / "backup")
    finally:
        deployment.compose("up", "--detach", "--wait", "nextcloud-db")

    assert failed.returncode != 0
    assert list(tmp_path.iterdir()) == []
    assert _asked_of_occ(deployment)[-2:] == [
        "--no-interaction maintenance:mode --on",
        "--no-interaction maintenance:mode --off",
    ]


async def _write(deployment: Deployment, token: str, path: str) -> None:
    arguments = {"path": path, "content": f"{path} was written"}
    answer = result(await call_tool(deployment.url, "nc_webdav_write_file", token=token, **arguments))
    assert not answer.get("isError"), answer


def _query(deployment: Deployment, statement: str) -> str:
    """Run a statement in Nextcloud's database, in a table of its own, and return what it selects."""
    psql = ("psql", "--username", "nextcloud", "--no-align", "--tuples-only", "--quiet", "--command", statement)
    return deployment.compose("exec", "-T", "nextcloud-db", *psql, "nextcloud")


def _asked_of_occ(deployment: Deployment) -> list[str]:
    """Return what the script in occ's place has written down so far."""
    log = deployment.folder / "occ.log"
    return log.read_text().splitlines() if log.exists() else []


def _keys(deployment: Deployment) -> set[str]:
    jwks = httpx.get(f"{deployment.keycloak.issuer}/protocol/openid-connect/certs", trust_env=False).json()
    return {key["kid"] for key in jwks["keys"]}


def _volumes(deployment: Deployment, name: str) -> str:
    project = deployment.environment["COMPOSE_PROJECT_NAME"]
    return deployment.run("docker", "volume", "ls", "--quiet", "--filter", f"name=^{project}_{name}$")
