"""The commands in the docs work: each fenced `sh` block runs here, or is listed below with a reason.

The second word of a block's opening line says where it runs: `demo` on the running chain, `keycloak` on a Keycloak
without our realm, with `kcadm.sh` signed in. The blocks of a page run in order, in one shell.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import dedent
from typing import Final

import pytest

from stack.chain import Chain
from stack.config import Config
from stack.keycloak import Keycloak, run_keycloak
from stack.process import free_port
from tests.support.kcadm import kcadm_environment

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = sorted({*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/README.md")})
_BLOCK: Final = re.compile(r"^([ ]*)```sh[ ]?(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)

NOT_RUN: Final[Mapping[str, str]] = {
    "make demo": "tests/stack/test_command.py runs it, on ports of its own",
    "make up": "`make test-compose` starts what it starts, with secrets of the tests' own",
    "claude mcp add": "`make clients` runs it",
    "codex mcp add": "`make clients` runs it",
    "gemini mcp add": "`make clients` runs what comes after it",
    "qwen mcp add": "`make clients` runs it",
    "copilot mcp add": "`make clients` runs it",
    "opencode mcp add": "`make clients` runs it",
    "mcporter config add": "`make clients` runs it",
    "code --add-mcp": "a person's program, which opens a browser",
    "npx @modelcontextprotocol/inspector": "a page that a person uses",
    "nextcloud-mcp token": "tests/e2e/test_token_command.py runs it, with a person in a browser",
    "nextcloud/setup.sh": "tests/nextcloud/test_setup.py runs the script, and tests/e2e on a real Nextcloud",
}
"""Blocks that are not run: a part of each, and why."""


def blocks(page: Path, where: str) -> list[str]:
    """Return the commands of a page that run there."""
    found = _BLOCK.findall(page.read_text(encoding="utf-8"))
    return [dedent(commands) for _, tag, commands in found if tag == where]


def pages_with(where: str) -> list[Path]:
    """Return the pages that have such commands."""
    return [page for page in PAGES if blocks(page, where)]


def name(page: Path) -> str:
    """Return a page's path, for the test's name."""
    return str(page.relative_to(ROOT))


def run_page(page: Path, where: str, folder: Path, addresses: Mapping[str, str], **environment: str) -> str:
    """Run a page's blocks in one shell, where they find the repository's files, and return what they print."""
    for part in ("keycloak", "nextcloud"):
        if not (folder / part).exists():
            (folder / part).symlink_to(ROOT / part)
    if not (folder / ".venv").exists():
        (folder / ".venv").symlink_to(Path(sys.executable).parents[1])
    script = "\n".join(["set -eux -o pipefail", *blocks(page, where)])
    for shown, real in addresses.items():
        script = script.replace(shown, real)
    done = subprocess.run(  # noqa: S603 - the pages' own commands
        ["bash", "-c", script],  # noqa: S607 - the reader's own shell
        cwd=folder,
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"} | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "")], ids=name)
def test_skipped_blocks_have_a_reason(page: Path) -> None:
    """Each block without a place to run is in the list of blocks that cannot run here."""
    for commands in blocks(page, ""):
        assert any(part in commands for part in NOT_RUN), commands


@pytest.mark.parametrize("part", NOT_RUN)
def test_every_reason_belongs_to_a_block(part: str) -> None:
    """Each block in the list of exceptions still exists."""
    assert any(part in commands for page in PAGES for commands in blocks(page, ""))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_place_is_known(page: Path) -> None:
    """A misspelled place does not skip a block."""
    tags = {tag for _, tag, _ in _BLOCK.findall(page.read_text(encoding="utf-8"))}
    assert tags <= {"", "demo", "keycloak"}
    assert page.read_text(encoding="utf-8").count("```sh") == len(_BLOCK.findall(page.read_text(encoding="utf-8")))


@pytest.mark.parametrize("page", pages_with("demo"), ids=name)
def test_commands_work_on_the_demo(page: Path, chain: Chain, tmp_path: Path) -> None:
    """The commands of each page work on the running demo."""
    addresses = {
        "http://localhost:8000": chain.config.exchange_url.removesuffix("/mcp"),
        "http://localhost:8001": chain.config.pass_through_url.removesuffix("/mcp"),
        "http://localhost:8080": chain.nextcloud.url,
        "http://localhost:8180": chain.keycloak.url,
        ".stack/": f"{chain.config.state}/",
    }
    assert run_page(page, "demo", tmp_path, addresses)


@pytest.fixture(scope="module")
def bare_keycloak(config: Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keycloak]:
    """A Keycloak as others have it: no realm of ours, and one with people."""
    home = tmp_path_factory.mktemp("keycloak")
    port = free_port()
    with run_keycloak(port=port, home=home, cache=config.cache, log=home / "log", realm_values={}) as keycloak:
        admin = keycloak.admin()
        admin.delete_realm(keycloak.realm)
        admin.create_realm({"realm": "people", "enabled": True})
        yield keycloak


@pytest.fixture(scope="module")
def shell(bare_keycloak: Keycloak, config: Config, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What `kcadm.sh` needs: a JVM, the password it would ask for, and a home for what it remembers."""
    return kcadm_environment(bare_keycloak, config.cache, tmp_path_factory.mktemp("home"))


def test_commands_work_on_an_existing_keycloak(
    bare_keycloak: Keycloak, shell: Mapping[str, str], tmp_path: Path
) -> None:
    """The commands of each page import the realm into an existing Keycloak, and change its keys and secrets."""
    missing = [program for program in ("perl", "jq", "openssl") if shutil.which(program) is None]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not installed, which the pages' reader needs")
    # on the host, and within the container
    addresses = {"http://localhost:8180": bare_keycloak.url, "http://localhost:8080": bare_keycloak.url}
    names = ("existing-keycloak.md", "rotate-keys.md", "rotate-secrets.md")
    importing, rotating_keys, rotating_secrets = (ROOT / "docs" / "how-to" / page for page in names)
    assert {importing, rotating_keys, rotating_secrets} == set(pages_with("keycloak"))

    printed = run_page(importing, "keycloak", tmp_path, addresses, **shell)
    assert printed.split()[0] == "3"
    assert "demo-only" not in (tmp_path / "realm.json").read_text()
    assert '"every-client"' in printed
    admin = bare_keycloak.admin()
    (provider,) = admin.get_idps()
    assert provider["alias"] == "people"
    assert admin.get_users() == []
    pages = [each for each in admin.get_clients() if each["clientId"] in {"journey", "connections"}]
    assert [each["enabled"] for each in pages] == [False, False]
    redirects = [uri for each in pages for uri in each["redirectUris"]]
    assert len(redirects) == 4
    assert all(uri.startswith("https://mcp.example.org/") for uri in redirects)

    before = {key["kid"] for key in admin.get_keys()["keys"]}
    for page in (rotating_keys, rotating_secrets):
        run_page(page, "keycloak", tmp_path, addresses, **shell)
    keys = admin.get_keys()
    assert keys["active"]["RS256"] not in before
    (client,) = (c for c in admin.get_clients() if c["clientId"] == "https://mcp.example.org/mcp")
    assert admin.get_client_secrets(client["id"])["value"] == (tmp_path / "exchange_client_secret").read_text().strip()
