"""The memory limit of the abuse tests is the shipped one."""

from pathlib import Path

from stack.chain import Chain
from tests.abuse.limited_server import MEBIBYTE, LimitedServer
from tests.support.mcp_http import call_tool, result
from tests.support.oauth import sign_in
from tests.support.run import PEOPLE


async def test_normal_call_needs_less_than_half_of_the_limit(limited: LimitedServer, chain: Chain) -> None:
    """A normal call needs less than half of the memory limit in compose.yaml."""
    tokens = await sign_in(chain.keycloak, **PEOPLE["alice"], scope=f"{limited.scope} files:read")
    answer = await call_tool(limited.url, "nc_whoami", token=tokens["access_token"], host=limited.host)

    assert result(answer)["structuredContent"]["user_id"] == "alice"
    assert limited.peak_bytes < limited.limit_bytes / 2
    assert limited.limit_bytes == 256 * MEBIBYTE


def test_shipped_limits_agree() -> None:
    """The memory limits of the chart and of compose.yaml are the same."""
    assert "memory: 256Mi" in Path("deploy/helm/nextcloud-mcp/values.yaml").read_text()
