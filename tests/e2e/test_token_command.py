"""`nextcloud-mcp token`: a person signs in with a browser, for a token on the command line."""

import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

import anyio
import httpx
import pytest
from anyio.abc import Process
from anyio.streams.text import TextReceiveStream

from stack.chain import Chain
from stack.servers import COMMAND
from tests.doctor.test_healthy import doctor, environment
from tests.e2e.servers import EVERYTHING, Server
from tests.support.administration import somebody_new
from tests.support.browser import Browser
from tests.support.http import TIMEOUT_SECONDS, patient_client
from tests.support.oauth import ALICE, CLIENT_ID, Person, claims

ENVIRONMENT = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}


class SigningIn:
    """The running command, and what it has shown."""

    def __init__(self, process: Process) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        self.process = process
        self._out, self._err = TextReceiveStream(process.stdout), TextReceiveStream(process.stderr)
        self.shown = ""

    async def address(self) -> str:
        """Return the address to open, which the command shows on standard error."""
        with anyio.fail_after(TIMEOUT_SECONDS):
            while "THIS-MACHINE" not in self.shown:
                self.shown += await self._err.receive()
        return next(line.strip() for line in self.shown.splitlines() if line.startswith("  http"))

    async def paste(self, text: str) -> None:
        """Type a line."""
        assert self.process.stdin is not None
        await self.process.stdin.send(text.encode() + b"\n")

    async def end(self) -> tuple[int, str, str]:
        """Wait for the end, and return the exit status, standard output, and all of standard error."""
        with anyio.fail_after(TIMEOUT_SECONDS):
            out = "".join([text async for text in self._out])
            self.shown += "".join([text async for text in self._err])
            return await self.process.wait(), out, self.shown


@asynccontextmanager
async def signing_in(url: str, *options: str) -> AsyncIterator[SigningIn]:
    """Run the command on a machine without a screen."""
    command = [str(COMMAND), "token", url, *options]
    async with await anyio.open_process(command, stdin=subprocess.PIPE, env=ENVIRONMENT) as process:
        try:
            yield SigningIn(process)
        finally:
            if process.returncode is None:
                process.kill()


async def redirected(address: str, browser: Browser | None = None, person: Person = ALICE) -> str:
    """Sign a person in at Keycloak, and return the address to which the browser is sent back."""
    return await (browser or Browser()).authorize(address, **person)


async def page_at(url: str) -> httpx.Response:
    """Return what the command's own port answers."""
    async with patient_client() as http:
        return await http.get(url)


def with_parameter(url: str, name: str, value: str) -> str:
    """Return the URL with another value of a parameter."""
    parts = urlsplit(url)
    query = {key: values[0] for key, values in parse_qs(parts.query).items()} | {name: value}
    return urlunsplit(parts._replace(query=urlencode(query)))


async def test_token_of_a_sign_in_is_for_the_doctor(chain: Chain, server: Server) -> None:
    """Standard output has the access token alone, for this server and all its scopes; the doctor finds no fault."""
    async with signing_in(server.url) as command:
        back = await redirected(await command.address())
        page = await page_at(back)
        status, out, err = await command.end()
    assert (status, out.count("\n")) == (0, 1)
    assert page.status_code == 200
    assert "Signed in" in page.text
    assert page.headers["cache-control"] == "no-store"
    token = claims(out)
    assert token["azp"] == CLIENT_ID
    assert server.url in token["aud"]
    assert {server.scope, *EVERYTHING.split()} <= set(token["scope"].split())
    assert out.strip() not in err
    report = await doctor(environment(chain, server.mode), token=out)
    assert report.returncode == 0, report.stdout.decode()


@pytest.mark.parametrize("server", ["exchange"], indirect=True)
async def test_address_can_be_pasted(server: Server) -> None:
    """A browser on another machine can't reach the port: its address is pasted, after a wrong one was refused."""
    async with signing_in(server.url) as command:
        back = await redirected(await command.address())
        await command.paste(server.url)
        await command.paste(back)
        status, out, err = await command.end()
    assert (status, claims(out)["azp"]) == (0, CLIENT_ID)
    assert err.count("This is not the address of this sign-in") == 1


@pytest.mark.parametrize("server", ["exchange"], indirect=True)
async def test_redirect_of_another_sign_in_is_refused(server: Server) -> None:
    """Another state is refused, and so is a port's other path; the command keeps waiting for its own redirect."""
    async with signing_in(server.url) as command:
        back = await redirected(await command.address())
        foreign = await page_at(with_parameter(back, "state", "forged"))
        icon = await page_at(back.replace("/callback", "/favicon.ico"))
        await page_at(back)
        status, _, _ = await command.end()
    assert (foreign.status_code, icon.status_code, status) == (400, 404, 0)


@pytest.mark.parametrize("server", ["exchange"], indirect=True)
async def test_redirect_of_another_issuer_is_refused(server: Server) -> None:
    """A redirect that names another issuer, or none, is not redeemed (RFC 9207 section 2.4)."""
    async with signing_in(server.url) as command:
        back = await redirected(await command.address())
        await page_at(with_parameter(back, "iss", "https://id.example.com"))
        status, out, err = await command.end()
    assert (status, out) == (1, "")
    assert err.splitlines()[-1].startswith(
        "nextcloud-mcp token: The redirect comes from https://id.example.com and not"
    )


@pytest.mark.parametrize("server", ["exchange"], indirect=True)
async def test_refused_consent_is_one_sentence(chain: Chain, server: Server) -> None:
    """The person says no: the page and the terminal say so, and there is no token."""
    with somebody_new(chain.keycloak.admin()) as (_, person):  # nobody who has consented before
        async with signing_in(server.url) as command:
            back = await redirected(await command.address(), Browser(grant=False), person)
            page = await page_at(back)
            status, out, err = await command.end()
    assert (status, out) == (1, "")
    assert "Not signed in" in page.text
    assert err.splitlines()[-1].endswith("refused the sign-in (access_denied): run the command again, and consent.")


@pytest.mark.parametrize("server", ["exchange"], indirect=True)
async def test_used_code_gives_no_token(server: Server) -> None:
    """Keycloak's refusal at the token endpoint ends the command with its reason."""
    async with signing_in(server.url) as command:
        back = await redirected(await command.address())
        await page_at(with_parameter(back, "code", "used"))
        status, out, err = await command.end()
    assert (status, out) == (1, "")
    assert "issued no token for the sign-in (Code not valid)" in err.splitlines()[-1]


@pytest.mark.parametrize("server", ["exchange"], indirect=True)
async def test_nobody_signs_in(server: Server) -> None:
    """The command gives up after its time limit."""
    async with signing_in(server.url, "--timeout", "0.1") as command:
        status, out, err = await command.end()
    assert (status, out) == (1, "")
    assert err.splitlines()[-1].endswith("Nobody signed in within 0 seconds: run the command again.")
