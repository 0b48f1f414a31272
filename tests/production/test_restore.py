"""Real runs of `backup.sh` and `restore.sh`: a restore brings back the backup, and no failure loses live data.

A kill ends a script and all processes that it has started, as a crash of the host does. The steps of a restore are
identified by the line that announces them.
"""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import anyio
import httpx
import pytest

from stack.process import free_port
from tests.production.deployment import CAROL, Deployment, known, write_env
from tests.support.mcp_client import McpUser, connected, text_of
from tests.support.mcp_http import call_tool, result
from tests.support.oauth import CLIENT_ID, sign_in, token_request

SCOPE: Final = "nextcloud-mcp:exchange files:read files:write"
ODD_PASSWORD: Final = """it's "odd": \\$1 \\' ; -- %s :x ü&<"""
STEPS: Final = (
    "checking the backup",
    "making volumes",
    "restoring Keycloak's database",
    "restoring Nextcloud's files",
    "restoring Nextcloud's database",
    "starting beside the live deployment",
    "checking what was restored",
)
"""What happens before the switch."""

FIRST_VOLUMES: Final = {"caddy-config", "caddy-data", "keycloak", "keycloak-db", "nextcloud", "nextcloud-db"}


@dataclass(frozen=True)
class Backup:
    """A backup, and what was there when it was made.

    Attributes:
        folder: where it is.
        printed: what backup.sh printed.
        warnings: what it printed to standard error.
        refresh_token: carol's, from before it.
        keys: the ids of the realm's keys.
    """

    folder: Path
    printed: str
    warnings: str
    refresh_token: str
    keys: set[str]


@pytest.fixture(scope="module")
def backup(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Backup:
    """A backup of a deployment that has Before.md; After.md came later."""
    return anyio.run(back_up, deployment, tmp_path_factory.mktemp("backups") / "backup")


async def back_up(deployment: Deployment, folder: Path) -> Backup:
    """Write Before.md, make a backup, and write After.md."""
    if not deployment.has_standin:
        give_role_odd_password(deployment)
    tokens = await sign_in(deployment.keycloak, **CAROL, scope=SCOPE)
    await write(deployment, tokens["access_token"], "Before.md")
    query(deployment, "CREATE TABLE rehearsal AS SELECT 'before' AS came")
    done = deployment.attempt(deployment.script("backup.sh"), folder)
    assert done.returncode == 0, done.stdout + done.stderr
    await write(deployment, tokens["access_token"], "After.md")
    query(deployment, "INSERT INTO rehearsal VALUES ('after')")
    return Backup(folder, done.stdout, done.stderr, tokens["refresh_token"], keys(deployment))


def test_backup_prints_the_duration_of_maintenance_mode(deployment: Deployment, backup: Backup) -> None:
    """Maintenance mode is on while databases and files are read, is off afterwards, and its duration is printed."""
    assert "Nextcloud was in maintenance mode for " in backup.printed
    assert not in_maintenance(deployment)
    assert {path.name for path in backup.folder.iterdir()} >= {"about", "env", "secrets", "SHA256SUMS"}
    assert backup.folder.stat().st_mode & 0o777 == 0o700


def test_health_check_writes_nothing_during_a_backup(deployment: Deployment, backup: Backup) -> None:
    """While tar reads Nextcloud's folder, the health check changes nothing there, which tar would warn about."""
    if deployment.has_standin:
        pytest.skip(
            "the stand-in for Nextcloud serves no maintenance mode; test_configuration.py runs the health check"
        )
    assert "data: file changed" not in backup.warnings


def test_backup_keeps_an_administrators_maintenance_mode(deployment: Deployment, tmp_path: Path) -> None:
    """A Nextcloud in maintenance mode before a backup stays in it afterwards."""
    occ(deployment, "maintenance:mode", "--on")
    try:
        printed = deployment.run(deployment.script("backup.sh"), tmp_path / "backup")
        assert in_maintenance(deployment)
    finally:
        occ(deployment, "maintenance:mode", "--off")

    assert "stays in it" in printed


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_terminated_backup_ends_maintenance_mode(
    deployment: Deployment, tmp_path: Path, number: signal.Signals
) -> None:
    """A backup that gets a signal ends maintenance mode and leaves no folder that looks like a backup."""
    printed, status = interrupt(deployment, number, "nextcloud: files", "backup.sh", tmp_path / "backup")

    assert status != 0, printed
    assert not in_maintenance(deployment)
    assert list(tmp_path.iterdir()) == []


def test_next_backup_cleans_up_after_a_killed_one(deployment: Deployment, tmp_path: Path) -> None:
    """The next backup ends the maintenance mode that a killed backup left on."""
    interrupt(deployment, signal.SIGKILL, "nextcloud: files", "backup.sh", tmp_path / "backup")
    left = in_maintenance(deployment)
    deployment.run(deployment.script("backup.sh"), tmp_path / "backup")

    assert left
    assert not in_maintenance(deployment)
    assert [path.name for path in tmp_path.iterdir()] == ["backup"]


def test_failed_backup_leaves_nothing(deployment: Deployment, tmp_path: Path) -> None:
    """A failed backup ends maintenance mode and leaves no folder that looks like a backup."""
    deployment.compose("pause", "keycloak-db")
    deployment.compose("kill", "keycloak-db")
    try:
        failed = deployment.attempt(deployment.script("backup.sh"), tmp_path / "backup")
    finally:
        deployment.compose("up", "--detach", "--wait", "keycloak-db")
        deployment.compose("restart", "keycloak")  # it keeps broken connections until each has failed a request
        deployment.compose("up", "--detach", "--wait")

    assert failed.returncode != 0
    assert list(tmp_path.iterdir()) == []
    assert not in_maintenance(deployment)


@pytest.mark.parametrize(
    "modes",
    [pytest.param(["--off"], id="ended"), pytest.param(["--off", "--on"], id="ended-and-begun-again")],
)
def test_backup_fails_if_maintenance_mode_was_ended(deployment: Deployment, tmp_path: Path, modes: list[str]) -> None:
    """A backup fails and leaves nothing if maintenance mode was off even for a moment."""
    occ = f"{shutil.which('docker')} compose exec -T -u www-data nextcloud php occ --no-interaction maintenance:mode"
    commands = "".join(f"{occ} {mode} < /dev/null >&2; " for mode in modes)
    path = replace_docker(tmp_path / "path", "*' pg_dump '*' nextcloud'", commands)
    printed, status = interrupt(deployment, None, "", "backup.sh", tmp_path / "backups" / "backup", path=path)

    assert status == 1, printed
    assert "maintenance mode was ended" in printed
    assert not in_maintenance(deployment)
    assert list((tmp_path / "backups").iterdir()) == []


def test_dump_without_nextclouds_tables_is_refused(deployment: Deployment, tmp_path: Path) -> None:
    """A dump without Nextcloud's tables, as of an unused database, is no valid backup."""
    other = (
        "shift $(($# - 1)); set -- compose exec -T nextcloud-db pg_dump --username nextcloud --format custom postgres"
    )
    path = replace_docker(tmp_path / "path", "*' pg_dump '*' nextcloud'", other)
    printed, status = interrupt(deployment, None, "", "backup.sh", tmp_path / "backups" / "backup", path=path)

    assert status == 1, printed
    assert "has no table appconfig" in printed
    assert list((tmp_path / "backups").iterdir()) == []


def change(folder: Path) -> None:
    """Damage a file."""
    (folder / "keycloak.pgdump").write_bytes(b"x")


def lose(folder: Path) -> None:
    """Lose a file."""
    (folder / "nextcloud.tar.gz").unlink()


def empty(folder: Path) -> None:
    """Have a dump that was empty when it was summed up."""
    (folder / "nextcloud.pgdump").write_bytes(b"")
    sum_up(folder)


def leave_unfinished(folder: Path) -> None:
    """Lose the sums, which are written last."""
    (folder / "SHA256SUMS").unlink()


def cut_off(folder: Path) -> None:
    """Have a dump that was cut off before it was summed up."""
    dump = folder / "keycloak.pgdump"
    dump.write_bytes(dump.read_bytes()[: dump.stat().st_size // 2])
    sum_up(folder)


def come_from_newer(folder: Path) -> None:
    """Come from a newer Nextcloud."""
    tell(folder, nextcloud="99.0.0.1")


def come_from_older(folder: Path) -> None:
    """Come from a Nextcloud that is two major versions older."""
    tell(folder, nextcloud="29.0.0.1")


def be_huge(folder: Path) -> None:
    """Be larger than any disk."""
    tell(folder, bytes_of_files=str(10**18))


def have_other_names(folder: Path) -> None:
    """Be of a deployment under other names."""
    env = folder / "env"
    env.write_text(env.read_text().replace("example.test", "example.invalid"))
    sum_up(folder)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        pytest.param(change, "is damaged", id="changed"),
        pytest.param(lose, "is damaged", id="missing"),
        pytest.param(empty, "nextcloud.pgdump is missing or empty", id="empty"),
        pytest.param(leave_unfinished, "is no backup, or not a complete one", id="unfinished"),
        pytest.param(cut_off, "nothing was restored", id="cut-off"),
        pytest.param(come_from_newer, "Nextcloud cannot go back", id="newer-nextcloud"),
        pytest.param(come_from_older, "one major version at a time", id="much-older-nextcloud"),
        pytest.param(be_huge, "not enough room", id="no-room"),
        pytest.param(have_other_names, "has other names", id="other-names"),
    ],
)
def test_invalid_backup_is_refused(
    deployment: Deployment, backup: Backup, tmp_path: Path, spoil: Callable[[Path], None], sentence: str
) -> None:
    """The backup is refused with one sentence, nothing of it stays, and the live deployment continues."""
    copy = Path(shutil.copytree(backup.folder, tmp_path / "copy"))
    spoil(copy)
    containers, volumes = deployment.compose("ps", "--quiet"), deployment.volumes()
    refused = deployment.attempt(deployment.script("restore.sh"), "--replace", copy)

    assert refused.returncode == 1
    assert sentence in refused.stderr
    assert deployment.compose("ps", "--quiet") == containers
    assert deployment.volumes() == volumes


def test_restore_needs_replace_over_existing_data(deployment: Deployment, backup: Backup) -> None:
    """Without --replace, restore.sh refuses to run if data exist."""
    refused = deployment.attempt(deployment.script("restore.sh"), backup.folder)
    assert refused.returncode == 1
    assert "--replace" in refused.stderr


@pytest.mark.parametrize(
    ("env", "environment", "sentence"),
    [
        pytest.param(None, {}, "there is no .env here", id="none"),
        pytest.param({"COMPOSE_FILE": "compose.yaml"}, {}, "names no secrets", id="base-file-alone"),
        pytest.param({}, {"DATA": "20261126"}, "is set in the environment", id="data-in-the-environment"),
    ],
)
def test_env_without_valid_data_is_refused(
    deployment: Deployment,
    backup: Backup,
    tmp_path: Path,
    env: dict[str, str] | None,
    environment: dict[str, str],
    sentence: str,
) -> None:
    """If .env does not say which data are live, nothing is restored."""
    other = Deployment(Path(shutil.copytree(deployment.folder, tmp_path / "other")))
    if env is None:
        (other.folder / ".env").unlink()
    else:
        write_env(other, other.env | env)
    refused = subprocess.run(
        [other.script("restore.sh"), "--replace", backup.folder],
        env=deployment.environment | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 1
    assert sentence in refused.stderr


@pytest.mark.parametrize("step", STEPS)
async def test_restore_killed_before_the_switch_changes_nothing(
    deployment: Deployment, backup: Backup, step: str
) -> None:
    """A restore that is killed before the switch does not affect the live deployment."""
    before = deployment.env
    interrupt(deployment, signal.SIGKILL, step, "restore.sh", "--replace", backup.folder)
    deployment.compose("up", "--detach", "--wait")

    assert deployment.env == before
    assert await files(deployment) >= {"Before.md", "After.md"}


def test_terminated_restore_removes_its_data(deployment: Deployment, backup: Backup) -> None:
    """A restore that gets a signal removes its own data and those of killed restores."""
    command = ("restore.sh", "--replace", backup.folder)
    printed, status = interrupt(deployment, signal.SIGTERM, "restoring Nextcloud's files", *command)

    assert status != 0
    assert "nothing was restored" in printed
    assert deployment.volumes() == FIRST_VOLUMES
    assert beside(deployment) == ""
    assert len(list(deployment.folder.glob("deploy/production/secrets*/"))) == 1


async def test_restore_killed_during_the_switch_keeps_live_data(
    deployment: Deployment, backup: Backup, tmp_path: Path
) -> None:
    """If the live deployment is already down but .env unchanged, the live data start again."""
    shim = tmp_path / "mv"
    shim.write_text('#!/bin/sh\ncase "$*" in *.env.new*) kill -9 -$PPID ;; esac\nexec /bin/mv "$@"\n')
    shim.chmod(0o755)
    before = deployment.env
    interrupt(deployment, None, "", "restore.sh", "--replace", backup.folder, path=tmp_path)
    ended = deployment.compose("ps", "--quiet") == ""
    deployment.compose("up", "--detach", "--wait")

    assert ended
    assert deployment.env == before
    assert await files(deployment) >= {"Before.md", "After.md"}


async def test_restore_killed_after_the_switch_uses_restored_data(deployment: Deployment, backup: Backup) -> None:
    """If .env has changed, the restored data start, and .env can select the previous data again."""
    before = deployment.env
    interrupt(deployment, signal.SIGKILL, "restore.sh: starting\n", "restore.sh", "--replace", backup.folder)
    deployment.compose("up", "--detach", "--wait")
    restored, live = deployment.env["DATA"], await files(deployment)
    deployment.compose("down")
    write_env(deployment, before)
    deployment.compose("up", "--detach", "--wait")

    assert f"nextcloud-db-{restored}" in deployment.volumes()
    assert "After.md" not in live
    assert await files(deployment) >= {"Before.md", "After.md"}


async def test_restore_brings_back_all_data(deployment: Deployment, backup: Backup) -> None:
    """After any of these events, a restore brings back users, sessions, keys, clients, files and the database.

    What was created after the backup is gone, and a client that signed in before need not sign in again. The previous
    data are kept.
    """
    token = await refresh(deployment, backup)
    await write(deployment, token, "Later.md")
    printed = deployment.run(deployment.script("restore.sh"), "--replace", backup.folder)

    assert "signed in as a person, and read a file" in printed
    assert "people were shut out for" in printed
    assert "restore.sh --drop-previous first-installation removes them" in printed
    assert keys(deployment) == backup.keys
    assert not in_maintenance(deployment)
    assert deployment.volumes() > FIRST_VOLUMES
    token = await refresh(deployment, backup)
    answer = result(await call_tool(deployment.url, "nc_webdav_read_file", token=token, path="Before.md"))
    assert "Before.md was written" in json.dumps(answer)
    assert not {"After.md", "Later.md"} & await files(deployment)
    assert query(deployment, "SELECT came FROM rehearsal") == "before\n"
    if not deployment.has_standin:
        assert app_passwords(deployment) == "0\n"


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        pytest.param(["20261127T0254"], "there are no data 20261127T0254", id="unknown-name"),
        pytest.param(None, "are the live data", id="live"),
    ],
)
def test_drop_refuses_live_and_unknown_data(deployment: Deployment, names: list[str] | None, sentence: str) -> None:
    """Live data and unknown names are refused, and nothing is dropped."""
    data, volumes = deployment.env["DATA"], deployment.volumes()
    refused = deployment.attempt(
        deployment.script("restore.sh"), "--drop-previous", *([data] if names is None else names)
    )
    assert refused.returncode == 1
    assert sentence in refused.stderr
    assert deployment.volumes() == volumes


def test_drop_without_a_name_lists_the_data(deployment: Deployment) -> None:
    """Without a name, `--drop-previous` lists all data with their sizes, drops nothing and succeeds."""
    data, volumes = deployment.env["DATA"], deployment.volumes()
    listed = deployment.run(deployment.script("restore.sh"), "--drop-previous")
    assert "nothing was dropped" in listed
    assert deployment.volumes() == volumes
    assert re.search(rf"^stays: {data}, the live data, [1-9]\d* MB$", listed, re.MULTILINE)
    assert re.search(r"^stays: first-installation, [1-9]\d* MB$", listed, re.MULTILINE)


def test_drop_refuses_a_mistyped_data_variable(deployment: Deployment) -> None:
    """While DATA does not name the data in use, no data are dropped."""
    before, volumes = deployment.env, deployment.volumes()
    write_env(deployment, before | {"DATA": before["DATA"][:-2]})
    try:
        refused = deployment.attempt(deployment.script("restore.sh"), "--drop-previous", "first-installation")
        unwritten = deployment.attempt(deployment.script("secrets.sh"))
    finally:
        write_env(deployment, before)

    assert refused.returncode == 1
    assert "Nothing was dropped" in refused.stderr
    assert "DATA names no restored data" in unwritten.stderr
    assert deployment.volumes() == volumes


def test_drop_refuses_while_the_deployment_is_unhealthy(deployment: Deployment) -> None:
    """While a part of the deployment is stopped, the previous data are kept."""
    volumes = deployment.volumes()
    deployment.compose("stop", "nextcloud-cron")
    try:
        refused = deployment.attempt(deployment.script("restore.sh"), "--drop-previous", "first-installation")
    finally:
        deployment.compose("up", "--detach", "--wait")

    assert refused.returncode == 1
    assert "nextcloud-cron does not run. Nothing was dropped" in refused.stderr
    assert deployment.volumes() == volumes


def test_drop_previous_removes_the_named_data(deployment: Deployment) -> None:
    """`restore.sh --drop-previous NAME` removes the named data; after all are dropped, the live deployment works."""
    data = deployment.env["DATA"]
    containers = deployment.compose("ps", "--quiet")
    listed = deployment.attempt(deployment.script("restore.sh"), "--drop-previous").stdout
    others = re.findall(r"^stays: (\S+), \d+ MB$", listed, re.MULTILINE)  # also those of restores that a test undid
    printed = [deployment.run(deployment.script("restore.sh"), "--drop-previous", name) for name in others]
    again = deployment.run(deployment.script("restore.sh"), "--drop-previous")

    assert "first-installation" in others
    for name, lines in zip(others, printed, strict=True):
        assert f"goes: {name}, " in lines
        assert f"stays: {data}, the live data" in lines
    assert "there are no other data" in again
    kept = {f"{name}-{data}" for name in ("keycloak", "keycloak-db", "nextcloud", "nextcloud-db")}
    assert deployment.volumes() == kept | {"caddy-config", "caddy-data"}
    assert deployment.compose("ps", "--quiet") == containers
    assert list(deployment.folder.glob("deploy/production/secrets*/")) == [deployment.secrets]
    assert "kept" in deployment.run(deployment.script("secrets.sh"))


@pytest.fixture
def other_host(deployment: Deployment, tmp_path: Path) -> Iterator[Deployment]:
    """A checkout that nothing has run in."""
    folder = tmp_path / "other"
    shutil.copytree(deployment.folder, folder, ignore=shutil.ignore_patterns(".env", ".lock", "secrets*-*", "secrets"))
    other = Deployment(folder)
    yield other
    other.remove()


async def test_old_backup_on_another_host_with_newer_nextcloud(
    deployment: Deployment, backup: Backup, other_host: Deployment, tmp_path: Path
) -> None:
    """A backup without roles and sizes is restored on another host, whose Nextcloud is a patch release newer.

    The image then upgrades Nextcloud, and secrets that did not exist at the time of the backup are added. The service
    client-janitor is left out, because a backup without its secret has no client for it.
    """
    older = Path(shutil.copytree(backup.folder, tmp_path / "older"))
    secrets = ("secrets/client_janitor_secret", "secrets/nextcloud_admin_password")
    for name in ("about", "keycloak.roles.sql", "nextcloud.roles.sql", *secrets):
        (older / name).unlink()
    sum_up(older)
    shutil.copy(older / "env", other_host.folder / ".env")
    ports = {"KEYCLOAK_PORT": str(free_port()), "NEXTCLOUD_PORT": str(free_port())}
    name = f"{deployment.env['COMPOSE_PROJECT_NAME']}-other"
    address = {"COMPOSE_PROJECT_NAME": name, "BIND_ADDRESS": f"{deployment.address.removesuffix('.1')}.2"}
    write_env(other_host, other_host.env | ports | address | {"NEXTCLOUD_IMAGE": newer_nextcloud(other_host)})
    deployment.compose("stop")
    try:
        printed = other_host.run(other_host.script("restore.sh"), older)
        with known(other_host):
            assert keys(other_host) == backup.keys
            assert "Before.md" in await files(other_host)
        version = other_host.compose("exec", "-T", "nextcloud", "cat", "/var/www/html/version.php")
        running = other_host.compose("ps", "--services").split()
        dropped = other_host.run(other_host.script("restore.sh"), "--drop-previous")
    finally:
        deployment.compose("up", "--detach", "--wait")

    assert "were shut out" not in printed
    assert "0,1,3)" in version
    assert other_host.env["CLIENT_JANITORS"] == "0"
    assert "client-janitor" not in running
    assert "CLIENT_JANITORS=0" in printed
    assert "there are no other data" in dropped
    assert (other_host.secrets / "nextcloud_admin_password").read_text()


def newer_nextcloud(deployment: Deployment) -> str:
    """Return an image of a Nextcloud that calls itself a patch newer than the deployment's."""
    image = deployment.env["NEXTCLOUD_IMAGE"]
    if deployment.has_standin:
        version = deployment.folder / "standin" / "version.php"
        version.write_text(version.read_text().replace("0,1,2)", "0,1,3)"))
        return image
    recipe = f"FROM {image}\nRUN sed -i 's/0,1,2)/0,1,3)/' /usr/src/nextcloud/version.php\n"
    newer = f"{image}-newer"
    subprocess.run(["docker", "build", "--tag", newer, "-"], input=recipe, text=True, check=True, capture_output=True)
    return newer


def replace_docker(folder: Path, pattern: str, before: str) -> Path:
    """Return a folder with a `docker` that does something before the commands that match, and then what was asked."""
    folder.mkdir()
    shim = folder / "docker"
    shim.write_text(f'#!/bin/sh\ncase "$*" in {pattern}) {before} ;; esac\nexec {shutil.which("docker")} "$@"\n')
    shim.chmod(0o755)
    return folder


def interrupt(
    deployment: Deployment,
    number: signal.Signals | None,
    line: str,
    script: str,
    *arguments: str | Path,
    path: Path | None = None,
) -> tuple[str, int]:
    """Run a script until it prints a line, send it a signal, and return what it printed and its status.

    A kill hits all that it has started as well. Without a number, something else ends it: `path` holds commands of the
    test's own.
    """
    environment = deployment.environment
    if path is not None:
        environment["PATH"] = f"{path}{os.pathsep}{environment['PATH']}"
    command = ["env", "--default-signal", deployment.script(script), *arguments]  # this process may ignore some
    with subprocess.Popen(
        command,
        cwd=deployment.folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        printed = ""
        for printing in process.stdout:
            printed += printing
            if number is not None and line in printing:
                break
        if number is signal.SIGKILL:
            os.killpg(process.pid, number)
        elif number is not None:
            process.send_signal(number)
        printed += process.stdout.read()
        return printed, process.wait()


def sum_up(folder: Path) -> None:
    """Write a backup's sums anew."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != "SHA256SUMS"]
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  ./{path.relative_to(folder)}\n" for path in paths]
    (folder / "SHA256SUMS").write_text("".join(sums))


def tell(folder: Path, **values: str) -> None:
    """Change what a backup says of itself."""
    about = dict(line.split("=", 1) for line in (folder / "about").read_text().splitlines())
    (folder / "about").write_text("".join(f"{name}={value}\n" for name, value in (about | values).items()))
    sum_up(folder)


def give_role_odd_password(deployment: Deployment) -> None:
    """Give the role of Nextcloud's own in its database a password with every odd character."""
    role = occ(deployment, "config:system:get", "dbuser").strip()
    password = ODD_PASSWORD.replace("'", "''")
    # in this order, for occ itself connects to the database
    occ(deployment, "config:system:set", "dbpassword", "--value", ODD_PASSWORD)
    query(deployment, f"ALTER ROLE \"{role}\" PASSWORD '{password}'")
    assert role.startswith("oc_admin")


async def refresh(deployment: Deployment, backup: Backup) -> str:
    """Return an access token by the refresh token from before the backup."""
    refreshed = await token_request(
        deployment.keycloak,
        {"grant_type": "refresh_token", "refresh_token": backup.refresh_token, "client_id": CLIENT_ID},
    )
    assert refreshed.status_code == 200, refreshed.text
    token: str = refreshed.json()["access_token"]
    return token


async def write(deployment: Deployment, token: str, path: str) -> None:
    """Have carol write a file."""
    arguments = {"path": path, "content": f"{path} was written"}
    answer = result(await call_tool(deployment.url, "nc_webdav_write_file", token=token, **arguments))
    assert not answer.get("isError"), answer


async def files(deployment: Deployment) -> set[str]:
    """Return which of the test's files carol has, by a client that signs in."""
    async with connected(deployment.url, McpUser(**CAROL)) as mcp:
        listing = text_of(await mcp.call_tool("nc_webdav_list_directory", {}))
    return {name for name in ("Before.md", "After.md", "Later.md") if name in listing}


def query(deployment: Deployment, statement: str) -> str:
    """Run a statement in Nextcloud's database, and return what it selects."""
    psql = ("psql", "--username", "nextcloud", "--no-align", "--tuples-only", "--quiet", "--command", statement)
    return deployment.compose("exec", "-T", "nextcloud-db", *psql, "nextcloud")


def occ(deployment: Deployment, *arguments: str) -> str:
    """Run occ, and return what it prints."""
    command = ("php", "occ", "--no-interaction", *arguments)
    return deployment.compose("exec", "-T", "-u", "www-data", "nextcloud", *command)


def in_maintenance(deployment: Deployment) -> bool:
    """Say whether Nextcloud is in maintenance mode."""
    return "currently enabled" in occ(deployment, "maintenance:mode")


def app_passwords(deployment: Deployment) -> str:
    """Return how many app passwords a check of restored data has left."""
    return query(deployment, "SELECT count(*) FROM oc_authtoken WHERE name = 'Check after a restore'")


def keys(deployment: Deployment) -> set[str]:
    """Return the ids of the realm's keys."""
    jwks = httpx.get(f"{deployment.keycloak.issuer}/protocol/openid-connect/certs", trust_env=False).json()
    return {key["kid"] for key in jwks["keys"]}


def beside(deployment: Deployment) -> str:
    """Return the containers that run beside the live deployment."""
    project = f"{deployment.env['COMPOSE_PROJECT_NAME']}-restore"
    return deployment.run("docker", "ps", "--all", "--quiet", "--filter", f"label=com.docker.compose.project={project}")
