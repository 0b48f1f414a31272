"""What the doctor's tests share."""

import pytest

from nextcloud_mcp.doctor import command


@pytest.fixture(autouse=True)
def logging_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command sets up logging for its whole process, which here is that of all tests."""
    monkeypatch.setattr(command, "configure_logging", lambda _: None)
