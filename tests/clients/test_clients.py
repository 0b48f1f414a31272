"""Each client registers, signs in, lists the tools, and calls one where it can without a model."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from stack.chain import Chain
from tests.clients.chromium import Chromium
from tests.clients.desk import ClientError, Desk
from tests.clients.drivers import DRIVERS, TOOL
from tests.clients.packages import VERSIONS, InstallError, install
from tests.clients.recorder import Recorder
from tests.clients.results import Result, save
from tests.support.chromium import EXECUTABLE

NEEDS_A_MODEL: Final = frozenset({"claude-code", "codex", "gemini", "opencode", "qwen", "copilot"})
"""Clients that call a tool only if a model asks for it."""


def registered(chain: Chain) -> dict[str, str]:
    """Return the names of the realm's clients, by id."""
    return {client["clientId"]: client.get("name", "") for client in chain.keycloak.admin().get_clients()}


def _registration(desk: Desk, names: list[str]) -> str:
    """Return for the table under which names the client registered, or that it used the one registered by hand."""
    used = {request.get("client_id") for request in desk.browser.requests}
    return ", ".join(dict.fromkeys(names)) or ("by hand: `mcp-client`" if "mcp-client" in used else "")


def _end_of(desk: Desk) -> str:
    """Say for the table how far a client came that does not connect."""
    if not desk.browser.last_page:
        return "it opened no sign-in page"
    return f"its sign-in ended at `{desk.browser.last_page}`"


@pytest.mark.parametrize("name", DRIVERS)
def test_client_connects(
    name: str,
    mode: str,
    url: str,
    clients_chain: Chain,
    recorder: Recorder,
    home: Path,
) -> None:
    """The URL and the documented settings are enough for this client."""
    if EXECUTABLE is None:
        pytest.skip("the sign-in needs Chromium: install Debian's package `chromium`")
    try:
        client = install(name)
    except InstallError as error:
        pytest.skip(f"{name} does not install here: {error}")
    before = registered(clients_chain)
    desk = Desk(client, url, clients_chain.keycloak.issuer, home, recorder, Chromium())
    failure = ""
    try:
        DRIVERS[name](desk)
    except ClientError as error:
        failure = str(error)
        print(f"\n{name}, {mode}: {failure}")  # at once with `-s`; the whole run takes long
    new = [label for client_id, label in registered(clients_chain).items() if client_id not in before]
    result = Result(
        client=name,
        mode=mode,
        version=VERSIONS[name]["version"],
        date=datetime.now(UTC).date().isoformat(),
        registered=_registration(desk, new),
        signed_in=recorder.admitted,
        listed=recorder.tools,
        called=None if name in NEEDS_A_MODEL else TOOL in recorder.calls,
        remarks="; ".join([*desk.remarks, *([_end_of(desk)] if failure else [])]),
    )
    save([result])  # at once, so that an interrupted run keeps what it has

    assert not failure, f"{failure}\n{recorder.exchanges[-5:]}\n{desk.browser.requests}"
    assert result.registered
    assert result.signed_in
    assert result.listed
    assert result.called is not False
