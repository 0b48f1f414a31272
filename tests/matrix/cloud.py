"""One Nextcloud of a run: its versions, its restart, and the version of user_oidc that it has."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

from defusedxml.ElementTree import parse

from tests.matrix.plan import MatrixError, Target, version_key

APPS: Final = ("notes", "deck", "tables", "cookbook", "activity", "notifications", "files_lock")
"""The apps whose versions the page lists, where they are enabled."""

_DATABASES: Final = {"sqlite3": "SQLite", "pgsql": "PostgreSQL", "mysql": "MariaDB or MySQL"}
_SERVER_VERSION: Final = {"pgsql": "SHOW server_version", "mysql": "SELECT VERSION()"}
_SECONDS: Final = 600
_NOTHING_TO_UPGRADE: Final = 3
"""The exit status of `occ upgrade` if the database is up to date."""


class Cloud:
    """A Nextcloud that the run may restart, and whose user_oidc it may replace.

    Args:
        target: its entry in the file.
    """

    def __init__(self, target: Target) -> None:
        self._target = target

    def run(self, key: str, *arguments: str, allowed: tuple[int, ...] = (0,)) -> str:
        """Run one of the commands of the file, and return what it prints.

        Raises:
            MatrixError: the command is missing, takes too long, or ends with another status than `allowed`.
        """
        command = [*self._target.commands[key], *arguments]
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise MatrixError(
                f"{self._target.name}: `{key}` does not run ({error}): correct it in the file."
            ) from error
        if done.returncode not in allowed:
            said = (done.stdout + done.stderr).strip()
            shown = " ".join([key, *arguments])
            raise MatrixError(f"{self._target.name}: `{shown}` ended with status {done.returncode}: {said}")
        return done.stdout.strip()

    def run_if_given(self, key: str) -> None:
        """Run `start`, `stop` or `restart`, if the file has it."""
        if key in self._target.commands:
            self.run(key)

    def occ(self, *arguments: str, allowed: tuple[int, ...] = (0,)) -> str:
        """Run occ."""
        return self.run("occ", "--no-interaction", *arguments, allowed=allowed)

    def version(self) -> str:
        """Return the version of Nextcloud, such as 34.0.1."""
        status: dict[str, Any] = json.loads(self.occ("status", "--output=json"))
        return str(status["versionstring"])

    def describe(self) -> dict[str, Any]:
        """Return the versions and parts of this Nextcloud, by the keys of compatibility.json."""
        enabled: dict[str, str] = json.loads(self.occ("app:list", "--enabled", "--output=json"))["enabled"]
        return {
            "nextcloud": self.version(),
            "user_oidc": enabled.get("user_oidc", ""),
            "apps": {app: enabled[app] for app in APPS if app in enabled},
            "php": self._php(),
            "database": self._database(),
            "memory_cache": self._memory_cache(),
        }

    def _php(self) -> str:
        if "php" not in self._target.commands:
            return ""
        found = re.search(r"\d+\.\d+\.\d+", self.run("php"))
        return found.group() if found else ""

    def _database(self) -> str:
        kind = self.occ("config:system:get", "dbtype")
        name = _DATABASES.get(kind, kind)
        if kind not in _SERVER_VERSION or "sql" not in self._target.commands:
            return name
        return f"{name} {self.run('sql', _SERVER_VERSION[kind]).split()[0]}"

    def _memory_cache(self) -> str:
        keys = ("memcache.local", "memcache.distributed", "memcache.locking")
        classes = [self.occ("config:system:get", key, "--default-value=") for key in keys]
        return ", ".join(dict.fromkeys(each.rpartition("\\")[2] for each in classes if each)) or "none"

    def install_user_oidc(self, folder: Path) -> None:
        """Replace the app by the version in a folder, and restart Nextcloud; the database stays as it is.

        Raises:
            MatrixError: Nextcloud does not enable it, or reports another version afterwards.
        """
        app = self._target.user_oidc_app
        assert app is not None
        version = info(folder)[0]
        installed = self.occ("config:app:get", "user_oidc", "installed_version", "--default-value=0")
        self.occ("app:disable", "user_oidc", allowed=(0, 1))
        shutil.rmtree(app, ignore_errors=True)
        shutil.copytree(folder, app)
        if version_key(installed) > version_key(version):  # Nextcloud does not let an app become older
            self.occ("config:app:set", "user_oidc", "installed_version", f"--value={version}")
        self.occ("app:enable", "user_oidc")
        self.occ("upgrade", allowed=(0, _NOTHING_TO_UPGRADE))
        self.run_if_given("restart")
        found = self.describe()["user_oidc"]
        if found != version:
            raise MatrixError(f"{self._target.name} has user_oidc {found or 'disabled'} after {version} was installed.")

    def refuses(self, folder: Path) -> str:
        """Return why a version of user_oidc does not fit by its info.xml, or an empty text."""
        _, oldest, newest = info(folder)
        major = int(self.version().partition(".")[0])
        return "" if oldest <= major <= newest else f"its info.xml allows Nextcloud {oldest} to {newest}"


def info(folder: Path) -> tuple[str, int, int]:
    """Return the version of an app, and the oldest and newest major version of Nextcloud that its info.xml allows."""
    root = parse(folder / "appinfo" / "info.xml").getroot()
    assert root is not None
    range_ = root.find("dependencies/nextcloud")
    limits = {} if range_ is None else range_.attrib
    return root.findtext("version", ""), int(limits.get("min-version", 0)), int(limits.get("max-version", 999))
