"""`make versions`: write the versions of `stack/versions.toml` into the files that cannot read it.

Dates and results of past runs are not changed: they say what was run.
"""

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stack.versions import KEYCLOAK_IMAGE, KEYCLOAK_VERSION, NEXTCLOUD_IMAGE

ROOT: Final = Path(__file__).parents[1]
DIGEST: Final = r"(?P<digest>@sha256:[0-9a-f]{64})?"
KEYCLOAK_SERIES: Final = ".".join(KEYCLOAK_VERSION.split(".")[:2])
"""Major and minor version; the realm needs features of the minor version."""


@dataclass(frozen=True)
class Place:
    """A place that names a version.

    Attributes:
        file: the path in the project.
        pattern: matches the place; the group `value` is the version or image, the group `digest` an image's digest.
        value: what the place must name.
    """

    file: str
    pattern: str
    value: str


PLACES: Final = (
    Place("compose.yaml", rf"\$\{{KEYCLOAK_IMAGE:-(?P<value>[^@}}]+){DIGEST}", KEYCLOAK_IMAGE),
    Place("compose.yaml", rf"\$\{{NEXTCLOUD_IMAGE:-(?P<value>[^@}}]+){DIGEST}", NEXTCLOUD_IMAGE),
    Place("deploy/production/compose.yaml", rf"\$\{{NEXTCLOUD_IMAGE:-(?P<value>[^@}}]+){DIGEST}", NEXTCLOUD_IMAGE),
    Place("deploy/production/example.env", r"(?m)^# NEXTCLOUD_IMAGE=(?P<value>\S+)$", NEXTCLOUD_IMAGE),
    Place("docs/how-to/upgrade.md", r"`(?P<value>keycloak/keycloak:[\w.]+)@sha256:…`", KEYCLOAK_IMAGE),
    Place("docs/how-to/run-with-compose.md", r"`(?P<value>nextcloud:[\w.-]+)`", NEXTCLOUD_IMAGE),
    Place("docs/how-to/existing-keycloak.md", r"You need Keycloak (?P<value>[\d.]+\d)", KEYCLOAK_SERIES),
    Place("docs/reference/versions.md", r"`(?P<value>nextcloud:[\w.-]+)`", NEXTCLOUD_IMAGE),
    Place("docs/reference/versions.md", r"(?m)^\| Keycloak \| (?P<value>[\d.]+\d)", KEYCLOAK_VERSION),
    Place("keycloak/README.md", r"runs on a stock Keycloak (?P<value>[\d.]+\d)", KEYCLOAK_SERIES),
    Place("tests/containers/digests.py", r"(?P<value>keycloak/keycloak:[\w.]+)@sha256:…", KEYCLOAK_IMAGE),
)


def outdated(root: Path = ROOT) -> list[str]:
    """Return a line for each place that is missing or names another version."""
    lines = []
    for place in PLACES:
        found = [match["value"] for match in re.finditer(place.pattern, (root / place.file).read_text())]
        if not found or set(found) != {place.value}:
            lines.append(f"{place.file} has {', '.join(found) or 'no version'} instead of {place.value}")
    return lines


def write(root: Path = ROOT) -> Iterator[str]:
    """Write all versions, and yield the files that changed; an image of another version loses its digest."""
    for file in sorted({place.file for place in PLACES}):
        before = (root / file).read_text()
        after = before
        for place in PLACES:
            if place.file == file:
                after = re.sub(place.pattern, _with(place.value), after)
        if after != before:
            (root / file).write_text(after)
            yield file


def _with(value: str) -> Callable[[re.Match[str]], str]:
    """Return a replacement for a match of a place's pattern."""

    def replace(match: re.Match[str]) -> str:
        if match["value"] == value:
            return match[0]
        text = match.string
        digest_end = match.end("digest") if "digest" in match.re.groupindex and match["digest"] else match.end("value")
        return text[match.start() : match.start("value")] + value + text[digest_end : match.end()]

    return replace


if __name__ == "__main__":
    for name in write():
        print(f"  {name}")  # noqa: T201 - a command's output
    sys.exit(bool(outdated()))
