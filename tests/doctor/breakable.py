"""A chain for fault injection: the server, Keycloak and Nextcloud, each behind a proxy that can change responses."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from keycloak import KeycloakAdmin

from nextcloud_mcp.doctor.deployment import Options
from nextcloud_mcp.doctor.finding import Outcome
from nextcloud_mcp.doctor.report import Report, Result
from nextcloud_mcp.doctor.walk import examine
from stack.chain import Chain
from stack.config import EXCHANGE_CLIENT_SECRET
from stack.process import free_port
from stack.servers import run_server
from tests.support.fault_proxy import FaultProxy, run_fault_proxy
from tests.support.oauth import ALICE, sign_in
from tests.support.threads import in_thread

SCOPE = "nextcloud-mcp:exchange files:read notes:read"


@dataclass(frozen=True)
class BreakableChain:
    """The chain under the doctor's eyes.

    Attributes:
        chain: the real parts.
        keycloak: the proxy in front of Keycloak.
        server: the proxy in front of the server, which is its public address.
        nextcloud: the proxy in front of Nextcloud.
        admin: Keycloak's administration API, without the proxy.
    """

    chain: Chain
    keycloak: FaultProxy
    server: FaultProxy
    nextcloud: FaultProxy
    admin: KeycloakAdmin

    @property
    def exchange_client(self) -> str:
        """The client id of the exchange server."""
        return self.chain.config.exchange_url

    @property
    def environ(self) -> dict[str, str]:
        """The server's settings."""
        return {
            "NEXTCLOUD_HOST": self.nextcloud.url,
            "NEXTCLOUD_MCP_SERVER_URL": f"{self.server.url}/mcp",
            "OIDC_DISCOVERY_URL": self.chain.keycloak.discovery_url.replace(self.chain.keycloak.url, self.keycloak.url),
            "OIDC_CLIENT_ID": self.exchange_client,
            "OIDC_CLIENT_SECRET": EXCHANGE_CLIENT_SECRET,
            "ENABLE_TOKEN_EXCHANGE": "true",
        }

    async def token(self, scope: str = SCOPE) -> str:
        """Sign alice in."""
        tokens = await sign_in(self.chain.keycloak, **ALICE, scope=scope)
        return str(tokens["access_token"])

    async def examined(self, environ: Mapping[str, str], options: Options) -> Report:
        """Have it looked at, with settings that differ from the server's."""
        return await examine({**self.environ, **environ}, options)


async def examined_by_its_administrator(chain: Chain) -> Report:
    """Have a chain looked at as it is, with all that Keycloak's administrator sees, and nobody registered."""
    environ = {
        "NEXTCLOUD_HOST": chain.nextcloud.url,
        "NEXTCLOUD_MCP_SERVER_URL": chain.config.exchange_url,
        "OIDC_DISCOVERY_URL": chain.keycloak.discovery_url,
        "OIDC_CLIENT_SECRET": EXCHANGE_CLIENT_SECRET,
        "ENABLE_TOKEN_EXCHANGE": "true",
    }
    admin = (chain.keycloak.admin_user, chain.keycloak.admin_password)
    return await examine(environ, Options(admin=admin, registration=False))


def first_complaint(report: Report) -> Result:
    """Return the first step that is not in order: what a person reads first."""
    bad = {Outcome.FAILED, Outcome.WARNING}
    return next(result for result in report.results if result.finding.outcome in bad)


def complaints(report: Report) -> list[str]:
    """Return the problems of a report, in a line each."""
    return [f"{result.step.code}: {problem.cause}" for result in report.results for problem in result.finding.problems]


@asynccontextmanager
async def run_breakable_chain(chain: Chain) -> AsyncIterator[BreakableChain]:
    """Run it for as long as the block lasts, in exchange mode."""
    async with AsyncExitStack() as stack:
        keycloak = await stack.enter_async_context(run_fault_proxy(chain.keycloak.url))
        nextcloud = await stack.enter_async_context(run_fault_proxy(chain.nextcloud.url))
        port = free_port()
        server = await stack.enter_async_context(run_fault_proxy(f"http://localhost:{port}"))
        target = BreakableChain(chain, keycloak, server, nextcloud, chain.keycloak.admin())
        url = target.environ["NEXTCLOUD_MCP_SERVER_URL"]
        running = run_server("breakable", url, port, target.environ, logs=chain.config.state)
        await stack.enter_async_context(in_thread(running))
        yield target
