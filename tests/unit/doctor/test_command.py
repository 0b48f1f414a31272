"""`nextcloud-mcp doctor` as run in a terminal, without any service to connect to."""

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


def test_every_invalid_setting_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """All are reported at once, one line each; steps that depend on them are skipped."""
    environ = {**PASS_THROUGH, "NEXTCLOUD_HOST": "cloud", "ENABLE_TOKEN_EXCHANGE": "true", "MCP_PORT": "http"}
    assert main(["doctor", "--json"], environ) == 1
    report = json.loads(capsys.readouterr().out)
    first, *others = report["steps"]
    assert first["code"] == "settings.complete"
    causes = [problem["cause"].partition(":")[0] for problem in first["problems"]]
    assert causes == ["NEXTCLOUD_HOST", "ENABLE_TOKEN_EXCHANGE", "MCP_PORT"]
    assert {other["outcome"] for other in others} == {"skipped"}


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["screen", "JSON"])
def test_outages_are_named_without_secrets(
    options: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit status 1 and one line per component, without secret, token or password."""
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{SECRET}-token\n"))
    environ = {**NOBODY, "KEYCLOAK_ADMIN": "admin", "KEYCLOAK_ADMIN_PASSWORD": f"{SECRET}-password"}
    assert main(["doctor", "--token-stdin", *options], environ) == 1
    captured = capsys.readouterr()
    for step in ("network.keycloak", "network.server", "network.nextcloud"):
        assert step in captured.out
    assert SECRET not in captured.out + captured.err


def test_output_in_a_pipe_has_no_colors(capsys: pytest.CaptureFixture[str]) -> None:
    """Colors are used in a terminal only."""
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
def test_invalid_usage_is_exit_2(
    options: list[str],
    environ: dict[str, str],
    line: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One line on standard error, and no request is sent."""
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert main(["doctor", *options], {**NOBODY, **environ}) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", f"nextcloud-mcp: {line}\n")


def test_secret_file_counts_as_secret(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An unreadable file is reported once, and not also as a missing secret."""
    environ = {name: value for name, value in NOBODY.items() if name != "OIDC_CLIENT_SECRET"}
    missing = tmp_path / "secret"
    main(["doctor", "--json"], {**environ, "OIDC_CLIENT_SECRET_FILE": str(missing)})
    first = json.loads(capsys.readouterr().out)["steps"][0]
    assert [problem["cause"] for problem in first["problems"]] == [
        f"OIDC_CLIENT_SECRET_FILE: {missing} can't be read (FileNotFoundError)"
    ]
