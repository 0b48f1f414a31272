"""No log contains a secret. The logs of a whole run are searched when its chain ends (tests/conftest.py)."""

from pathlib import Path

import pytest

from stack.chain import Chain
from stack.config import EXCHANGE_CLIENT_SECRET, NEXTCLOUD_CLIENT_SECRET, USERS
from tests.e2e.servers import EVERYTHING
from tests.support.mcp_http import call_tool, result
from tests.support.oauth import ALICE, sign_in
from tests.support.secrets_in_logs import SECRETS, check_logs, found


async def work(chain: Chain) -> str:
    """Write and read what must stay secret through both servers, and return the last token used."""
    token = ""
    for mode, url in (("exchange", chain.config.exchange_url), ("pass-through", chain.config.pass_through_url)):
        tokens = await sign_in(chain.keycloak, **ALICE, scope=f"nextcloud-mcp:{mode} {EVERYTHING}")
        token = tokens["access_token"]
        name, content = f"secrets-in-logs-{mode}.txt", f"content-of-{mode}"
        file = {"path": name, "content": content}
        note = {"title": name, "content": content, "category": ""}
        written = result(await call_tool(url, "nc_webdav_write_file", token=token, **file))
        again = result(await call_tool(url, "nc_webdav_write_file", token=token, **file))
        read = result(await call_tool(url, "nc_webdav_read_file", token=token, path=name))
        created = result(await call_tool(url, "nc_notes_create_note", token=token, **note))
        misused = result(await call_tool(url, "nc_notes_create_note", token=token, content=content))
        await call_tool(url, "nc_notes_delete_note", token=token, note_id=created["structuredContent"]["id"])
        await call_tool(url, "nc_webdav_delete_resource", token=token, path=name)
        assert read["structuredContent"]["content"] == content
        assert [bool(answer.get("isError")) for answer in (written, again, misused)] == [False, True, True]
    return token


async def test_no_secret_in_any_log(chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The servers at level DEBUG, Keycloak, Nextcloud and its set-up script have logged no secret so far."""
    await work(chain)
    logs = list(tmp_path_factory.getbasetemp().rglob("*.log"))

    names = {log.name for log in logs if log.parent == chain.config.state and log.stat().st_size}
    assert {"keycloak.log", "server-exchange.log", "server-pass-through.log"} <= names
    check_logs(logs)


async def test_secrets_are_found_in_a_log_that_has_them(chain: Chain, tmp_path: Path) -> None:
    """Control: each secret of the run is found in a log that contains it, with its line."""
    token = await work(chain)
    planted = {
        "a token": token,
        "credentials of a request": f"{{'authorization': 'Bearer {token.rpartition('.')[2]}'}}",
        "a password": USERS["bob"],
        "a client's secret": f"{EXCHANGE_CLIENT_SECRET} {NEXTCLOUD_CLIENT_SECRET}",
        "a private key": "-----BEGIN RSA PRIVATE KEY-----",
        "an authorization code": "GET /callback?state=x&code=3f0e1c7a-6a0b-4d1e.b7aa.5d2a HTTP/1.1",
        "the content of a file": '{"event": "tool.done", "result": "content-of-exchange"}',
    }
    log = tmp_path / "planted.txt"  # by another name, for else the test above would find it
    log.write_text("".join(f"an innocent line\n{line}\n" for line in planted.values()))

    places = {what: found(log, SECRETS[what])[0] for what in SECRETS}
    assert places == {what: f"planted.txt:{2 * number}" for number, what in enumerate(planted, start=1)}
