"""Faults of Redis, the database and the disk while Nextcloud runs: its container becomes unhealthy, and recovers.

The container continues to run, and `status.php` mostly returns 200. Only Nextcloud, its database and Redis are started.
docs/how-to/broken-nextcloud.md describes the symptoms of each fault.
"""

import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.containers.images import describe
from tests.production.deployment import Deployment, prepare_deployment, write_env
from tests.support import composed

SMALL_DISK: Final = Path(__file__).with_name("small_disk.yaml")
RUN_SECONDS: Final = 900.0
"""Within which a run of the background jobs ends, also where they wait for what cannot be reached."""
TURN_SECONDS: Final = 240.0
"""Within which a container's health has turned: three checks and their time limits, on a busy machine."""


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Deployment]:
    """Nextcloud as production has it, with a small disk for people's files."""
    if pytestconfig.getoption("chain") != "compose":
        pytest.skip("it runs in containers, for minutes: `make test-production` does")
    composed.require_engine()
    deployment = prepare_deployment(tmp_path_factory.mktemp("faults"))
    shutil.copy(SMALL_DISK, deployment.folder)
    files = f"{deployment.env['COMPOSE_FILE']}:{SMALL_DISK.name}"
    write_env(deployment, {**deployment.env, "COMPOSE_FILE": files, "NEXTCLOUD_APPS": ""})
    shown = pytestconfig.stash.get(composed.IMAGES, [])
    pytestconfig.stash[composed.IMAGES] = list(dict.fromkeys([*shown, *describe(deployment.env)]))
    try:
        deployment.compose("up", "--detach", "--wait", "nextcloud")
        yield deployment
    finally:
        deployment.remove()


@dataclass(frozen=True)
class Case:
    """A fault, and what is said of it.

    Attributes:
        broken: breaks it for as long as a block lasts.
        doctor: the doctor's step that complains first, and part of the cause; None where it takes a token to see it.
        setup: part of why setup.sh ends; None where occ does not need what is broken.
    """

    broken: Callable[[Deployment], AbstractContextManager[None]]
    doctor: tuple[str, str] | None
    setup: str | None


@contextmanager
def redis_with(deployment: Deployment, setting: str, value: str, otherwise: str) -> Iterator[None]:
    """Give Redis another setting; what is set is put back with the password that it has then."""
    password = (deployment.secrets / "redis_password").read_text()
    now = value if setting == "requirepass" else password
    _redis(deployment, password, setting, value)
    try:
        yield
    finally:
        _redis(deployment, now, setting, otherwise or password)


def _redis(deployment: Deployment, password: str, *setting: str) -> None:
    command = ("exec", "-T", "-e", f"REDISCLI_AUTH={password}", "redis", "redis-cli", "-e", "config", "set", *setting)
    deployment.compose(*command)


@contextmanager
def stopped(deployment: Deployment, service: str) -> Iterator[None]:
    """Stop a service."""
    deployment.compose("stop", service)
    try:
        yield
    finally:
        deployment.compose("start", service)


@contextmanager
def full_disk(deployment: Deployment) -> Iterator[None]:
    """Fill the disk with people's files."""
    fill = "cat /dev/zero > /var/www/html/data/filler || true"
    deployment.compose("exec", "-T", "nextcloud", "sh", "-c", fill)
    try:
        yield
    finally:
        deployment.compose("exec", "-T", "nextcloud", "rm", "/var/www/html/data/filler")


FAULTS: Final = {
    "redis-in-protected-mode": Case(
        lambda deployment: redis_with(deployment, "requirepass", "", ""),
        ("nextcloud.ocs", "answers status.php, but nothing that needs a session"),
        "Nextcloud does not reach its Redis",
    ),
    "redis-full": Case(
        lambda deployment: redis_with(deployment, "maxmemory", "1", "192mb"),
        ("nextcloud.ocs", "does not answer (it takes too long)"),
        None,
    ),
    "database-stopped": Case(
        lambda deployment: stopped(deployment, "nextcloud-db"),
        ("nextcloud.status", "answers status.php with HTTP 500"),
        "Nextcloud does not start: php occ status said",
    ),
    "disk-full": Case(full_disk, None, None),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault_makes_nextcloud_unhealthy_until_it_ends(deployment: Deployment, name: str) -> None:
    """Nextcloud is unhealthy, and the doctor and setup.sh name the cause; after the fault it becomes healthy."""
    case = FAULTS[name]
    if deployment.has_standin and name != "disk-full":
        pytest.skip("the stand-in for Nextcloud uses neither Redis nor the database")
    await_health(deployment, "nextcloud", "healthy")
    with case.broken(deployment):
        await_health(deployment, "nextcloud", "unhealthy")
        if case.doctor:
            code, cause = case.doctor
            assert cause in cause_of(deployment, code)
        if case.setup:
            command = ("docker", "compose", "exec", "-T", "-u", "www-data", "nextcloud", "sh", "/setup.sh")
            set_up = deployment.attempt(*command)
            assert set_up.returncode != 0, set_up.stdout
            assert case.setup in set_up.stderr
    await_health(deployment, "nextcloud", "healthy")


def test_read_only_database_makes_nextcloud_unhealthy(deployment: Deployment) -> None:
    """Nextcloud is unhealthy if its database is read-only, as after a failover."""
    if deployment.has_standin:
        pytest.skip("the stand-in for Nextcloud does not use the database")
    await_health(deployment, "nextcloud-db", "healthy")
    psql = ("exec", "-T", "nextcloud-db", "psql", "--username", "nextcloud", "--command")
    reload = ("--command", "SELECT pg_reload_conf()", "nextcloud")
    deployment.compose(*psql, "ALTER SYSTEM SET default_transaction_read_only = on", *reload)
    try:
        await_health(deployment, "nextcloud-db", "unhealthy")
    finally:
        writable = "SET default_transaction_read_only = off"
        reset = "ALTER SYSTEM RESET default_transaction_read_only"
        deployment.compose(*psql, writable, "--command", reset, *reload)
    await_health(deployment, "nextcloud-db", "healthy")


def test_stopped_background_jobs_are_unhealthy(deployment: Deployment) -> None:
    """The container of the background jobs is unhealthy one hour after their last run."""
    deployment.compose("up", "--detach", "--wait", "nextcloud-cron")
    await_run(deployment)
    deployment.compose("exec", "-T", "nextcloud-cron", "touch", "--date", "2 hours ago", "/tmp/ran")  # noqa: S108
    await_health(deployment, "nextcloud-cron", "unhealthy")


def test_failing_background_jobs_are_unhealthy(deployment: Deployment) -> None:
    """The container of the background jobs is unhealthy until a run succeeds, and then recovers."""
    deployment.compose("exec", "-T", "nextcloud", "mv", "/var/www/html/cron.php", "/var/www/html/cron.away")
    try:
        deployment.compose("up", "--detach", "nextcloud-cron")
        deployment.compose("restart", "nextcloud-cron")
        await_health(deployment, "nextcloud-cron", "unhealthy")
    finally:
        deployment.compose("exec", "-T", "nextcloud", "mv", "/var/www/html/cron.away", "/var/www/html/cron.php")
    await_run(deployment)
    await_health(deployment, "nextcloud-cron", "healthy")


def await_run(deployment: Deployment) -> None:
    """Wait until a run of the background jobs has ended well, after which five minutes pass until the next."""
    deadline = time.monotonic() + RUN_SECONDS
    while time.monotonic() < deadline:
        if re.search(r"sleep 300\s*$", deployment.compose("top", "nextcloud-cron"), re.MULTILINE):
            return
        time.sleep(1)
    pytest.fail(f"no run of the background jobs ended within {RUN_SECONDS:.0f} s")


def cause_of(deployment: Deployment, code: str) -> str:
    """Return what the doctor says of one step, as a cause of its fault."""
    doctor = ("mcp-exchange", "doctor", "--json", "--no-registration")
    run = ("docker", "compose", "run", "--rm", "-T", "--no-deps", *doctor)
    steps = {step["code"]: step for step in json.loads(deployment.attempt(*run).stdout)["steps"]}
    return " ".join(problem["cause"] for problem in steps[code]["problems"])


def await_health(deployment: Deployment, service: str, wanted: str) -> None:
    """Wait until compose calls a service so."""
    container = deployment.compose("ps", "--all", "--quiet", service).strip()
    deadline = time.monotonic() + TURN_SECONDS
    state: dict[str, object] = {}
    while time.monotonic() < deadline:
        state = json.loads(deployment.run("docker", "inspect", "--format", "{{json .State.Health}}", container))
        if state["Status"] == wanted:
            return
        time.sleep(1)
    pytest.fail(f"{service} is not {wanted} after {TURN_SECONDS:.0f} s: {state}")
