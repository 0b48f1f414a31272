"""What no log of the whole run may have, at any level: looked for after every other test (tests/conftest.py)."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from stack.chain import Chain
from stack.config import EXCHANGE_CLIENT_SECRET, NEXTCLOUD_CLIENT_SECRET, USERS
from tests.e2e.conftest import EVERYTHING
from tests.support.mcp_http import call_tool, result
from tests.support.oauth import ALICE, sign_in

SECRETS: Final[Mapping[str, re.Pattern[bytes]]] = {
    "a token": re.compile(rb"eyJ[\w-]{8,}\.eyJ[\w-]{8,}"),
    "credentials of a request": re.compile(rb"(?i)\b(bearer|basic) [\w+/.=-]{20,}"),
    "a password": re.compile(rb"[a-z]+-demo-password"),
    "a client's secret": re.compile(rb"demo-only-[a-z-]+-secret"),
    "a private key": re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY"),
    "an authorization code": re.compile(rb"[?&]code=[\w.-]{20,}"),
    "the content of a file": re.compile(rb"content-of-"),
}
"""By what each is known: tests begin what they write with `content-of-`, and the demo's secrets say what they are."""


NEXTCLOUD_SIGN_IN: Final = re.compile(rb'"GET /apps/user_oidc/code\?\S+ HTTP/1\.1" ')
"""What Apache, in Nextcloud's own image, logs of a sign-in at Nextcloud's web pages. The code has been used by then
(RFC 6749 section 4.1.2), and is worth nothing without that client's secret."""


def found(log: Path, secret: re.Pattern[bytes]) -> list[str]:
    """Return where in a log the secret is; not what it is."""
    lines = log.read_bytes().splitlines()
    return [
        f"{log.name}:{number}"
        for number, line in enumerate(lines, start=1)
        if secret.search(line) and not NEXTCLOUD_SIGN_IN.search(line)
    ]


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


async def test_no_secret_in_any_log_of_the_run(chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Servers at level DEBUG, Keycloak, Nextcloud and its set-up: none wrote a secret, whatever the tests did."""
    await work(chain)
    logs = list(tmp_path_factory.getbasetemp().rglob("*.log"))

    names = {log.name for log in logs if log.parent == chain.config.state and log.stat().st_size}
    assert {"keycloak.log", "server-exchange.log", "server-pass-through.log"} < names
    assert {what: [place for log in logs for place in found(log, secret)] for what, secret in SECRETS.items()} == {
        what: [] for what in SECRETS
    }


async def test_what_is_looked_for_can_be_found(chain: Chain, tmp_path: Path) -> None:
    """In a log with the very secrets of the run, each is found, by the line."""
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
