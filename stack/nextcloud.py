"""Nextcloud for the stack: an existing one, set up to trust the realm, or the stand-in."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx

from stack.config import NEXTCLOUD_CLIENT_SECRET, Config
from stack.errors import StackError
from stack.keycloak import Keycloak
from stack.process import run_process

ROOT = Path(__file__).parents[1]
SETUP = ROOT / "nextcloud" / "setup.sh"
SETUP_SECONDS = 300
TIMEOUT_SECONDS = 10


@dataclass(frozen=True)
class Nextcloud:
    """A running Nextcloud, real or the stand-in."""

    url: str
    kind: Literal["nextcloud", "stand-in"]
    note: str = ""
    """What the user at the terminal still has to do."""


@contextmanager
def run_nextcloud(config: Config, keycloak: Keycloak) -> Iterator[Nextcloud]:
    """Use the Nextcloud in the configuration, or run the stand-in for as long as the block lasts.

    Raises:
        StackError: the stand-in did not start, or the set-up of Nextcloud failed.
    """
    if config.nextcloud_url is None:
        with _run_standin(config, keycloak) as standin:
            yield standin
    else:
        yield _given(config, config.nextcloud_url, keycloak)


@contextmanager
def _run_standin(config: Config, keycloak: Keycloak) -> Iterator[Nextcloud]:
    url = config.public_nextcloud_url
    command = [sys.executable, "-m", "stack.standin", "--port", str(config.nextcloud_port)]
    command += ["--data", str(config.state / "stand-in"), "--discovery-url", keycloak.discovery_url]
    command += ["--release", str(config.standin_release)]
    with run_process(
        "The stand-in for Nextcloud",
        command,
        log=config.state / "nextcloud.log",
        ready=lambda: is_ready(f"{url}/status.php"),
        cwd=ROOT,
    ):
        yield Nextcloud(url, "stand-in")


def require_nextcloud(config: Config) -> None:
    """Check that the Nextcloud in the configuration answers, and is not in maintenance mode.

    Raises:
        StackError: it does not, or it is.
    """
    if config.nextcloud_url is None:
        return
    url = f"{config.nextcloud_url}/status.php"
    try:
        response = httpx.get(url, trust_env=False, timeout=TIMEOUT_SECONDS)
    except httpx.HTTPError as error:
        raise StackError(f"Nextcloud does not answer at {url}: start it, or correct NEXTCLOUD_URL.") from error
    if response.is_server_error:
        raise StackError(f"Nextcloud answers {url} with HTTP {response.status_code}: see its log, data/nextcloud.log.")
    try:
        is_in_maintenance = response.is_success and response.json()["maintenance"]
    except (ValueError, KeyError, TypeError):
        is_in_maintenance = None
    if not response.is_success or is_in_maintenance is None:
        raise StackError(f"{url} is not that of a Nextcloud (HTTP {response.status_code}): correct NEXTCLOUD_URL.")
    if is_in_maintenance:
        raise StackError("Nextcloud is in maintenance mode: run `occ maintenance:mode --off`.")


def _given(config: Config, url: str, keycloak: Keycloak) -> Nextcloud:
    if config.nextcloud_occ is None:
        return Nextcloud(
            url,
            "nextcloud",
            note="Make this Nextcloud trust the realm, now and whenever Keycloak's data was dropped:\n"
            f"    OIDC_DISCOVERY_URL={keycloak.discovery_url} \\\n"
            f"    NEXTCLOUD_OIDC_CLIENT_SECRET={NEXTCLOUD_CLIENT_SECRET} \\\n"
            f"    NEXTCLOUD_LINK_LOCAL_ACCOUNTS={_link_local_accounts()} \\\n"
            "    OCC='php occ' nextcloud/setup.sh",
        )
    _set_up(config, config.nextcloud_occ, keycloak)
    return Nextcloud(url, "nextcloud")


def _set_up(config: Config, occ: str, keycloak: Keycloak) -> None:
    """Run nextcloud/setup.sh as a deployment does, so that the tests cover it."""
    log = config.state / "nextcloud-setup.log"
    try:
        done = subprocess.run(
            ["sh", str(SETUP)],  # noqa: S607 - the system's shell
            env=os.environ
            | {
                "OCC": occ,
                "OIDC_DISCOVERY_URL": keycloak.discovery_url,
                "NEXTCLOUD_OIDC_CLIENT_SECRET": NEXTCLOUD_CLIENT_SECRET,
                "NEXTCLOUD_PUBLIC_URL": config.public_nextcloud_url,
                "NEXTCLOUD_LINK_LOCAL_ACCOUNTS": _link_local_accounts(),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SETUP_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise StackError(f"Nextcloud's set-up took over {SETUP_SECONDS} s: does {shlex.quote(occ)} work?") from error
    log.write_text(done.stdout + done.stderr)
    if done.returncode != 0:
        raise StackError(f"Nextcloud's set-up failed (see {log}):\n{done.stdout}{done.stderr}".rstrip())


def _link_local_accounts() -> str:
    """Return whether realm users may use local accounts of the same name: "false" unless the environment sets it."""
    return os.environ.get("NEXTCLOUD_LINK_LOCAL_ACCOUNTS") or "false"


def is_ready(url: str) -> bool:
    """Return whether a GET request succeeds."""
    try:
        return httpx.get(url, trust_env=False, timeout=TIMEOUT_SECONDS).is_success
    except httpx.HTTPError:
        return False
