"""`nextcloud-mcp doctor`, as at a terminal, with nothing to talk to."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from nextcloud_mcp.cli import main
from tests.support.server import EXCHANGE, PASS_THROUGH

SECRET: Final = "do-not-show-me"
NOBODY: Final[Mapping[str, str]] = {
    **EXCHANGE,
    "OIDC_CLIENT_SECRET": SECRET,
    "NEXTCLOUD_HOST": "http://127.0.0.1:1",
    "NEXTCLOUD_MCP_SERVER_URL": "http://127.0.0.1:1/mcp",
    "OIDC_DISCOVERY_URL": "http://127.0.0.1:1/realms/r/.well-known/openid-configuration",
}
"""A deployment that is down."""


def test_every_wrong_setting_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """All at once, each with its own line; what rests on them is not checked."""
    environ = {**PASS_THROUGH, "NEXTCLOUD_HOST": "cloud", "ENABLE_TOKEN_EXCHANGE": "true", "MCP_PORT": "http"}
    assert main(["doctor", "--json"], environ) == 1
    report = json.loads(capsys.readouterr().out)
    first, *others = report["steps"]
    assert first["code"] == "settings.complete"
    causes = [problem["cause"].partition(":")[0] for problem in first["problems"]]
    assert causes == ["NEXTCLOUD_HOST", "ENABLE_TOKEN_EXCHANGE", "MCP_PORT"]
    assert {other["outcome"] for other in others} == {"skipped"}


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["screen", "JSON"])
def test_what_is_down_is_named_and_nothing_secret_shown(
    options: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit status 1, a line for each part, and neither the secret, the token nor the password."""
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{SECRET}-token\n"))
    environ = {**NOBODY, "KEYCLOAK_ADMIN": "admin", "KEYCLOAK_ADMIN_PASSWORD": f"{SECRET}-password"}
    assert main(["doctor", "--token-stdin", *options], environ) == 1
    captured = capsys.readouterr()
    for step in ("network.keycloak", "network.server", "network.nextcloud"):
        assert step in captured.out
    assert SECRET not in captured.out + captured.err


def test_the_screen_is_plain_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    """In a pipe there are no colours."""
    main(["doctor"], NOBODY)
    assert "\033" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "environ", "line"),
    [
        pytest.param(["--token-stdin"], {}, "--token-stdin: there is no token on standard input.", id="no token"),
        pytest.param(["--occ", "php 'occ"], {}, "--occ: No closing quotation.", id="a quote left open"),
        pytest.param(
            [],
            {"KEYCLOAK_ADMIN_PASSWORD": SECRET, "KEYCLOAK_ADMIN_PASSWORD_FILE": "/run/secrets/x"},
            "KEYCLOAK_ADMIN_PASSWORD: KEYCLOAK_ADMIN_PASSWORD_FILE is set too; keep one of them.",
            id="two passwords",
        ),
        pytest.param(
            [],
            {"KEYCLOAK_ADMIN": "admin", "KEYCLOAK_ADMIN_PASSWORD_FILE": "/nowhere"},
            "KEYCLOAK_ADMIN_PASSWORD_FILE: /nowhere can't be read (FileNotFoundError).",
            id="no password file",
        ),
    ],
)
def test_what_makes_no_sense_is_exit_2(
    options: list[str],
    environ: dict[str, str],
    line: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One line on standard error, and nothing is asked."""
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert main(["doctor", *options], {**NOBODY, **environ}) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", f"nextcloud-mcp: {line}\n")


def test_the_secret_file_counts_as_the_secret(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One that can't be read is named once, and not reported as missing besides."""
    environ = {name: value for name, value in NOBODY.items() if name != "OIDC_CLIENT_SECRET"}
    missing = tmp_path / "secret"
    main(["doctor", "--json"], {**environ, "OIDC_CLIENT_SECRET_FILE": str(missing)})
    first = json.loads(capsys.readouterr().out)["steps"][0]
    assert [problem["cause"] for problem in first["problems"]] == [
        f"OIDC_CLIENT_SECRET_FILE: {missing} can't be read (FileNotFoundError)"
    ]
