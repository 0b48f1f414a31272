"""The versions of `stack/versions.toml` are in all files that name them: `make versions` writes them."""

import re
import shutil
from pathlib import Path

import pytest

from stack.versions import KEYCLOAK_IMAGE, NEXTCLOUD_IMAGE
from tests import versions

DIGEST = "@sha256:" + "1" * 64


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The files that name versions, to be changed."""
    for file in {place.file for place in versions.PLACES}:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(versions.ROOT / file, tmp_path / file)
    return tmp_path


def test_every_place_has_the_version() -> None:
    """Each file names the version; `make versions` changes nothing."""
    assert versions.outdated() == []


def test_no_other_deployed_image_is_named() -> None:
    """No compose file, overlay, chart or page names another image of Keycloak or Nextcloud."""
    files = [versions.ROOT / "compose.yaml", versions.ROOT / "README.md"]
    for folder in ("deploy", "docs", "keycloak", "nextcloud"):
        files += [path for path in (versions.ROOT / folder).rglob("*") if path.suffix in {".yaml", ".md", ".env"}]
    image = re.compile(r"(?<![\w/.-])(?:keycloak/keycloak|nextcloud):\d[\w.-]*")
    named = {found for path in files for found in image.findall(path.read_text())}
    assert named == {KEYCLOAK_IMAGE, NEXTCLOUD_IMAGE}


def test_outdated_files_are_written(project: Path) -> None:
    """A previous version is reported and replaced, together with the digest of its image; nothing else changes."""
    shipped = {path: path.read_text() for path in project.rglob("*") if path.is_file()}
    compose = project / "compose.yaml"
    compose.write_text(
        compose.read_text()
        .replace(NEXTCLOUD_IMAGE, f"nextcloud:33.0.7-apache{DIGEST}")
        .replace(KEYCLOAK_IMAGE, f"{KEYCLOAK_IMAGE}{DIGEST}")
    )
    page = project / "docs" / "reference" / "versions.md"
    page.write_text(re.sub(r"(?m)^\| Keycloak \| [\d.]+", "| Keycloak | 26.5.0", page.read_text()))

    assert len(versions.outdated(project)) == 2
    assert list(versions.write(project)) == ["compose.yaml", "docs/reference/versions.md"]
    assert versions.outdated(project) == []
    shipped[compose] = shipped[compose].replace(KEYCLOAK_IMAGE, f"{KEYCLOAK_IMAGE}{DIGEST}")
    assert {path: path.read_text() for path in shipped} == shipped


def test_missing_place_is_reported(project: Path) -> None:
    """A file that no longer names the version is reported, not passed over."""
    (project / "docs" / "how-to" / "upgrade.md").write_text("# Upgrade\n")
    assert versions.outdated(project) == [f"docs/how-to/upgrade.md has no version instead of {KEYCLOAK_IMAGE}"]
