"""The MCP conformance suite, in each protocol version that it and the server support, and for the realm.

Checks that cannot pass without the suite's fixtures are listed with reasons in `expected/`, in the suite's own format.
Any other failed check fails the test, and so does a listed check that passes.
"""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from stack.chain import Chain
from stack.config import Config
from stack.process import LOOPBACK, free_port
from tests.conformance.proxy import signed_in
from tests.conformance.suite import Verdict, expected, install, missing, verdicts
from tests.support.browser import Browser
from tests.support.declared import OFFER
from tests.support.http import patient_client
from tests.support.oauth import ALICE, CLIENT_ID, sign_in

EXPECTED: Final = Path(__file__).with_name("expected")
EVERYTHING: Final = " ".join(["nextcloud-mcp:exchange", *OFFER.scopes()])
TIMEOUT: Final = 90
"""Seconds for one run of the suite; the longest takes about 10."""

TOOLS: Final = {"tools-list": {"tools-list", "wire-schema-valid"}}
HANDSHAKE: Final = {"server-initialize": {"server-initialize"}, "ping": {"ping"}}
REBINDING: Final = {
    "dns-rebinding-protection": {"localhost-host-rebinding-rejected", "localhost-host-valid-accepted"},
}

PROVED: Final = {
    "2025-06-18": TOOLS | HANDSHAKE,
    "2025-11-25": TOOLS | HANDSHAKE | REBINDING,
    "2026-07-28": TOOLS
    | REBINDING
    | {
        "http-header-validation": {
            "sep-2243-server-reject-invalid-headers",
            "sep-2243-server-reject-error-code",
            "sep-2243-server-accepts-whitespace-header-value",
            "sep-2243-header-name-case-insensitive",
        },
        "caching": {"sep-2549-tools-list-caching-hints", "sep-2549-cache-scope-valid"},
        "server-stateless": {
            "sep-2575-server-implements-discover",
            "sep-2575-discover-capabilities-match-handlers",
            "sep-2575-http-server-meta-invalid-400",
            "sep-2575-http-server-unsupported-version-400",
            "sep-2575-http-server-header-mismatch-400",
            "sep-2575-http-server-method-not-found-404",
            "sep-2575-http-server-error-jsonrpc-id",
        },
    },
}
"""The checks that say something of a server with tools alone, by version and scenario: each must have been made."""


@pytest.fixture(scope="session")
def suite(config: Config) -> list[str]:
    """The command that runs the suite."""
    if reason := missing():
        pytest.skip(reason)
    return install(config.cache)


@pytest.mark.parametrize("version", PROVED)
async def test_server_conforms_to_mcp(
    chain: Chain, suite: list[str], tmp_path: Path, subtests: pytest.Subtests, version: str
) -> None:
    """The server passes every check of the protocol version that does not need the suite's fixtures."""
    known = EXPECTED / f"{version}.yaml"
    tokens = await sign_in(chain.keycloak, **ALICE, scope=EVERYTHING)
    async with signed_in(chain.config.exchange_url, tokens["access_token"]) as url:
        options = ["--url", url, "--suite", "all", "--spec-version", version, "--expected-failures", str(known)]
        async with running([*suite, "server", *options, "--output-dir", str(tmp_path)]) as process:
            report = await process.communicate()
    found = verdicts(tmp_path)

    _assert_as_expected(found, expected(known), subtests)
    for scenario, checks in PROVED[version].items():
        with subtests.test(proved=scenario):
            assert found[scenario].passed >= checks
    assert process.returncode == 0, report[0].decode()


@pytest.mark.requirement("mcp-as-discovery", "mcp-code-challenge-methods")
async def test_realm_conforms_as_authorization_server(
    chain: Chain, suite: list[str], tmp_path: Path, subtests: pytest.Subtests
) -> None:
    """The realm passes the checks of its metadata and of a complete sign-in with a code and PKCE."""
    options = ["--url", chain.keycloak.issuer, "--client-id", CLIENT_ID, "--resource", chain.config.exchange_url]
    options += ["--port", str(free_port()), "--spec-version", "2026-07-28"]
    async with running([*suite, "authorization", *options, "--output-dir", str(tmp_path)]) as process:
        assert process.stdout is not None
        async for line in process.stdout:
            if line.startswith(f"{chain.keycloak.issuer}/protocol/openid-connect/auth?".encode()):
                await _follow(line.decode().strip())
        await process.wait()
    found = verdicts(tmp_path)

    _assert_as_expected(found, expected(EXPECTED / "authorization.yaml"), subtests)
    assert found["authorization-code-grant"].passed == {"authorization-code-grant"}
    assert found["authorization-server-metadata-endpoint"].passed == {"authorization-server-metadata"}
    assert process.returncode == 0


@asynccontextmanager
async def running(command: list[str]) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a program for as long as the block lasts, and not for ever."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(TIMEOUT):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _follow(authorization_url: str) -> None:
    """Sign in at the address that the suite asks a person to open, and go where Keycloak leads: back to the suite."""
    callback = await Browser().authorize(authorization_url, **ALICE)
    assert callback.startswith(f"http://{LOOPBACK}:")
    async with patient_client() as http:
        (await http.get(callback)).raise_for_status()


def _assert_as_expected(found: dict[str, Verdict], listed: dict[str, set[str]], subtests: pytest.Subtests) -> None:
    """Hold each scenario against what is listed: nothing more, and nothing that is no longer so."""
    assert listed.keys() <= found.keys()
    for scenario, verdict in found.items():
        with subtests.test(scenario=scenario):
            assert verdict.problems.keys() == listed.get(scenario, set()), verdict.problems
