"""How many rows a call leaves in Nextcloud's tables that bearer requests can fill.

user_oidc may store a session token for each request (`oc_authtoken`), and may write the account again, whose card in
the system address book then gets a new entry in `oc_addressbookchanges`. The tests only measure.
"""

import os
import shlex
import subprocess
from collections.abc import Callable
from typing import Final

import pytest

from stack.chain import Chain
from tests.e2e.servers import Server
from tests.matrix.suites import SQL
from tests.support.mcp_client import McpUser, connected, registered_by_hand, use
from tests.support.oauth import ALICE

CALLS: Final = 10
TABLES: Final = ("oc_authtoken", "oc_addressbookchanges")


def rows(table: str) -> int:
    """Return the number of rows of a table."""
    command = [*shlex.split(os.environ[SQL]), f"SELECT COUNT(*) FROM {table}"]  # noqa: S608 - a table of `TABLES`
    return int(subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout)


async def test_rows_per_call(server: Server, chain: Chain, record_property: Callable[[str, object], None]) -> None:
    """A call that sends one request to Nextcloud is repeated, and the new rows are divided by the calls."""
    record_property("keycloak", chain.keycloak.admin().get_server_info()["systemInfo"]["version"])
    if os.environ[SQL] == "none":
        pytest.skip("the file of the run has no `sql`")
    async with connected(server.url, McpUser(**ALICE), registered_by_hand()) as mcp:
        await use(mcp, "nc_webdav_list_directory")  # the first call also asks for the account and the capabilities
        before = [rows(table) for table in TABLES]
        for _ in range(CALLS):
            await use(mcp, "nc_webdav_list_directory")
        after = [rows(table) for table in TABLES]
    for table, first, last in zip(TABLES, before, after, strict=True):
        record_property(table, f"{(last - first) / CALLS:g}")
