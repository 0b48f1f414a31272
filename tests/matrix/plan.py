"""The file that names the Nextclouds of a run; `matrix.example.toml` explains each key."""

import shlex
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_COMMANDS: Final = ("occ", "restart", "start", "stop", "sql", "php")
_TEXTS: Final = ("name", "url", "user_oidc_app", "user_oidc_versions", "full_with")
_REQUIRED: Final = ("name", "url", "occ")


class MatrixError(Exception):
    """The run cannot go on; the message has the cause and the next step."""


@dataclass(frozen=True)
class Target:
    """A Nextcloud of the file.

    Attributes:
        commands: the given commands by key, each split into words.
        user_oidc_app: the folder of the installed app, or None.
        user_oidc_versions: the folder with a folder for each version, or None.
        full_with: the version of user_oidc for the suites that run once; empty for the last one.
    """

    name: str
    url: str
    commands: Mapping[str, tuple[str, ...]]
    user_oidc_app: Path | None
    user_oidc_versions: Path | None
    full_with: str

    def folders(self) -> list[Path]:
        """Return the folders of the versions of user_oidc in ascending order; none if the installed one is used."""
        if self.user_oidc_app is None or self.user_oidc_versions is None:
            return []
        folders = [each for each in self.user_oidc_versions.iterdir() if (each / "appinfo" / "info.xml").exists()]
        return sorted(folders, key=lambda each: version_key(each.name))


@dataclass(frozen=True)
class NotRun:
    """A Nextcloud that the page lists as not run."""

    nextcloud: str
    reason: str
    link: str = ""


@dataclass(frozen=True)
class Plan:
    """The content of the file."""

    targets: tuple[Target, ...]
    not_run: tuple[NotRun, ...]


def version_key(version: str) -> tuple[int, ...]:
    """Return what versions are sorted by: the numbers in them."""
    return tuple(int(part) for part in version.replace("-", ".").split(".") if part.isdigit())


def read_plan(path: Path) -> Plan:
    """Read the file.

    Raises:
        MatrixError: the file is missing, is not TOML, lacks a key, or has an unknown one.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise MatrixError(f"{path}: {error}: copy tests/matrix/matrix.example.toml and adapt it.") from error
    targets = tuple(_targets(path, content.get("nextcloud", [])))
    if not targets:
        raise MatrixError(f"{path} names no Nextcloud: add a [[nextcloud]] as in tests/matrix/matrix.example.toml.")
    return Plan(targets, tuple(NotRun(**each) for each in content.get("not_run", [])))


def _targets(path: Path, entries: list[dict[str, Any]]) -> Iterator[Target]:
    for entry in entries:
        missing = [key for key in _REQUIRED if not entry.get(key)]
        unknown = entry.keys() - {*_COMMANDS, *_TEXTS}
        if missing or unknown:
            what = f"lacks {', '.join(missing)}" if missing else f"has the unknown keys {', '.join(sorted(unknown))}"
            raise MatrixError(f"{path}: a [[nextcloud]] {what}: see tests/matrix/matrix.example.toml.")
        yield Target(
            name=entry["name"],
            url=entry["url"].rstrip("/"),
            commands={key: tuple(shlex.split(entry[key])) for key in _COMMANDS if entry.get(key)},
            user_oidc_app=_path(entry.get("user_oidc_app")),
            user_oidc_versions=_path(entry.get("user_oidc_versions")),
            full_with=entry.get("full_with", ""),
        )


def _path(text: str | None) -> Path | None:
    return Path(text).expanduser() if text else None
