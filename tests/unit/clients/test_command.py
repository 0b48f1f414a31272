"""`nextcloud-mcp clients`: wrong settings, and what a service logs."""

import argparse
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from nextcloud_mcp.cli import main
from nextcloud_mcp.clients import command
from nextcloud_mcp.clients.pruning import Survey
from nextcloud_mcp.clients.selection import Client, Limits

DISCOVERY = {"OIDC_DISCOVERY_URL": "http://localhost:1/realms/nextcloud-mcp/.well-known/openid-configuration"}
SECRET = {"CLIENT_JANITOR_SECRET": "s3cret"}


@pytest.fixture(autouse=True)
def logging_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command sets up logging for its whole process, which here is that of all tests."""
    monkeypatch.setattr(command, "configure_logging", lambda _: None)


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        pytest.param(SECRET, "OIDC_DISCOVERY_URL", id="no address"),
        pytest.param(SECRET | {"OIDC_DISCOVERY_URL": "https://id.example.org"}, "OIDC_DISCOVERY_URL", id="no realm"),
        pytest.param(DISCOVERY, "CLIENT_JANITOR_SECRET", id="no secret"),
        pytest.param(DISCOVERY | {"KEYCLOAK_ADMIN": "admin"}, "CLIENT_JANITOR_SECRET", id="no password"),
        pytest.param(
            DISCOVERY | SECRET | {"CLIENT_JANITOR_SECRET_FILE": "/x"}, "CLIENT_JANITOR_SECRET", id="secret twice"
        ),
        pytest.param(DISCOVERY | {"CLIENT_JANITOR_SECRET_FILE": "/no/file"}, "CLIENT_JANITOR_SECRET", id="no file"),
    ],
)
def test_wrong_setting_is_named(environ: dict[str, str], named: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 2, and one line that names the setting and no secret."""
    assert main(["clients", "list"], environ) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"nextcloud-mcp: {named}")
    assert error.count("\n") == 1
    assert "s3cret" not in error


@pytest.mark.parametrize("number", ["0", "-1", "1.5", "soon"])
def test_invalid_number_is_named(number: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 2, and a line with the option, the value, and what it must be."""
    with pytest.raises(SystemExit) as exit_:
        main(["clients", "prune", f"--unused-for={number}"], DISCOVERY | SECRET)
    assert exit_.value.code == 2
    expected = f"argument --unused-for: '{number}' is not a whole number of 1 or more"
    assert capsys.readouterr().err.splitlines()[-1].endswith(expected)


@pytest.mark.parametrize("arguments", [["prune", "--every", "0"], ["list", "--delete"], []])
def test_wrong_command_line_is_refused(arguments: list[str]) -> None:
    """Status 2, by argparse; `list` can't delete."""
    with pytest.raises(SystemExit) as exit_:
        main(["clients", *arguments], DISCOVERY | SECRET)
    assert exit_.value.code == 2


def test_keycloak_that_does_not_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 1, one sentence with the next step, and no heartbeat."""
    heartbeat = tmp_path / "pruned"
    assert main(["clients", "prune", "--heartbeat", str(heartbeat)], DISCOVERY | SECRET) == 1
    error = capsys.readouterr().err
    assert "no answer" in error
    assert "s3cret" not in error
    assert not heartbeat.exists()


class FakeRealm:
    """Clients that nobody has used, of which some have just registered."""

    def __init__(self) -> None:
        self.deleted: list[str] = []

    def delete_unless_in_use(self, client_id: str) -> bool:
        """Record the client."""
        self.deleted.append(client_id)
        return True


def survey_of(old: int, young: int, maximum: int) -> Survey:
    """Return clients that were never used."""
    clients = [
        Client(f"{n}", "Somebody's name", 0, age, None, None, age)
        for n, age in enumerate([0.0] * old + [9_999.0] * young)
    ]
    return Survey(10_000.0, clients, 12, maximum)


@pytest.mark.parametrize(
    ("found", "events"),
    [
        pytest.param(survey_of(0, 3, 100), [], id="nothing to do"),
        pytest.param(survey_of(5, 3, 100), ["clients.pruned"], id="pruned"),
        pytest.param(survey_of(0, 80, 100), ["clients.full"], id="full"),
        pytest.param(survey_of(10, 80, 100), ["clients.pruned", "clients.full"], id="pruned and still full"),
    ],
)
def test_service_logs_counts_alone(monkeypatch: pytest.MonkeyPatch, found: Survey, events: list[str]) -> None:
    """A run logs what it deleted, and a warning near the maximum; never a client's name."""
    realm: Any = FakeRealm()
    monkeypatch.setattr(command, "survey", lambda _: found)
    with capture_logs() as logs:
        command.run_once(realm, Limits(), argparse.Namespace(delete=True))
    assert [event["event"] for event in logs] == events
    assert "Somebody" not in str(logs)
    assert all(event["maximum"] == 100 for event in logs)
