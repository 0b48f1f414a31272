"""`make digests`: every pulled image has a tag and a digest, and local builds still replace them.

A script replaces Docker, because no registry can be reached here; `Digest:` is the line that the real one prints.
"""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from stack.versions import KEYCLOAK_IMAGE
from tests.containers.digests import FILES, IMAGE, main
from tests.containers.images import ROOT, obtain

NEW = "sha256:" + "1" * 64
NEWER = "sha256:" + "2" * 64

PlayDocker = Callable[[str], None]


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlayDocker:
    """Put a script in Docker's place; `$*` is what it was asked."""

    def play(script: str) -> None:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        (folder / "docker").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "docker").chmod(0o755)
        monkeypatch.setenv("PATH", str(folder), prepend=":")

    return play


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The files that name images, to be changed."""
    root = tmp_path / "project"
    for file in FILES:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, root / file)
    assert main(["--remove"], root) == 0
    return root


def texts(root: Path) -> dict[str, str]:
    """What the files say."""
    return {file: (root / file).read_text() for file in FILES}


def test_every_image_gets_a_digest_after_its_tag(docker: PlayDocker, project: Path) -> None:
    """Each image has the same tag and digest everywhere, nothing else changes, and the reverse restores the files."""
    before = texts(project)
    docker(f'[ "$1" = pull ] && echo "Digest: {NEW}"')

    assert main([], project) == 0
    after = texts(project)
    found = [image for text in after.values() for image in IMAGE.finditer(text)]
    assert {image["digest"] for image in found} == {f"@{NEW}"}
    assert {image["tagged"].split(":")[0] for image in found} >= {"keycloak/keycloak", "nextcloud", "python", "caddy"}
    assert {file: text.replace(f"@{NEW}", "") for file, text in after.items()} == before

    assert main(["--remove"], project) == 0
    assert texts(project) == before


def test_private_registry_with_a_port(docker: PlayDocker, project: Path) -> None:
    """A name may begin with a registry's host and port; the tag follows the last colon."""
    file = project / "server" / "Dockerfile"
    file.write_text("ARG PYTHON_IMAGE=localhost:5000/mirror/python:3.13\n")
    docker(f'case "$2" in localhost:5000/mirror/python:3.13) echo "Digest: {NEWER}";; *) echo "Digest: {NEW}";; esac')

    assert main([], project) == 0
    assert file.read_text() == f"ARG PYTHON_IMAGE=localhost:5000/mirror/python:3.13@{NEWER}\n"


def test_next_run_resolves_the_tag_again(docker: PlayDocker, project: Path) -> None:
    """The next run replaces the digest of a moved tag: it requests the tag, not the old digest."""
    docker(f'echo "Digest: {NEW}"')
    main([], project)
    docker(f'case "$2" in *@*) exit 1;; *) echo "Digest: {NEWER}";; esac')

    assert main([], project) == 0
    assert not any(NEW in text for text in texts(project).values())


@pytest.mark.parametrize("script", ['echo "no route to host" >&2; exit 1', "true"], ids=["unreachable", "no digest"])
def test_failed_pull_changes_no_file(
    docker: PlayDocker, project: Path, capsys: pytest.CaptureFixture[str], script: str
) -> None:
    """If one image cannot be pulled, the error names it and no file changes."""
    before = texts(project)
    docker(f'case "$2" in redis:*) {script};; *) echo "Digest: {NEW}";; esac')

    assert main([], project) == 1
    assert texts(project) == before
    assert "redis:8.2-alpine cannot be pulled: no file was changed" in capsys.readouterr().err


def test_every_image_is_in_a_pinned_file() -> None:
    """Every image that compose pulls is in one of the pinned files."""
    overlays = (ROOT / "deploy" / "production").glob("*.yaml")
    names = [line for file in (ROOT / "compose.yaml", *overlays) for line in file.read_text().splitlines()]
    named = [line.strip() for line in names if re.match(r"\s*(image|PYTHON_IMAGE):", line) and "MCP_IMAGE" not in line]
    pinned = [line.strip() for text in texts(ROOT).values() for line in text.splitlines() if IMAGE.search(line)]

    assert sorted(named) == sorted(line for line in pinned if not line.startswith("ARG"))


def test_shipped_files_agree_on_each_image() -> None:
    """All files have the same digest for an image, or all have none."""
    found = {(image["tagged"], image["digest"]) for text in texts(ROOT).values() for image in IMAGE.finditer(text)}

    assert len(found) == len({tagged for tagged, _ in found})
    assert len({digest is None for _, digest in found}) == 1


@pytest.mark.parametrize(
    ("script", "name", "missing"),
    [
        pytest.param("exit 0", f"{KEYCLOAK_IMAGE}@{NEW}", False, id="it is here"),
        pytest.param('[ "$1" = pull ]', f"{KEYCLOAK_IMAGE}@{NEW}", False, id="it can be pulled"),
        pytest.param(
            f'[ "$1" = image ] && [ "$3" = {KEYCLOAK_IMAGE} ]',
            KEYCLOAK_IMAGE,
            False,
            id="built here before",
        ),
        pytest.param("exit 1", KEYCLOAK_IMAGE, True, id="to be built here"),
    ],
)
def test_local_build_is_found_by_its_tag(docker: PlayDocker, script: str, name: str, *, missing: bool) -> None:
    """Images that are built here do not have the pinned digest, so only the tag identifies them."""
    docker(script)
    names = {"KEYCLOAK_IMAGE": f"{KEYCLOAK_IMAGE}@{NEW}"}

    assert obtain(names, "KEYCLOAK_IMAGE") == (["KEYCLOAK_IMAGE"] if missing else [])
    assert names == {"KEYCLOAK_IMAGE": name}
