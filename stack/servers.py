"""The MCP servers of the stack: the installed command, once in each mode."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stack.config import EXCHANGE_CLIENT_SECRET, Config
from stack.keycloak import Keycloak
from stack.nextcloud import Nextcloud, is_ready
from stack.process import run_process

COMMAND = Path(sys.executable).with_name("nextcloud-mcp")


@contextmanager
def run_servers(config: Config, keycloak: Keycloak, nextcloud: Nextcloud) -> Iterator[None]:
    """Run both servers for as long as the block lasts.

    Raises:
        StackError: a server did not become ready.
    """
    exchange = {"ENABLE_TOKEN_EXCHANGE": "true", "OIDC_CLIENT_SECRET": EXCHANGE_CLIENT_SECRET}
    shared = {"NEXTCLOUD_HOST": nextcloud.url, "OIDC_DISCOVERY_URL": keycloak.discovery_url}
    with (
        _run_server(config, "exchange", config.exchange_url, config.exchange_port, shared | exchange),
        _run_server(config, "pass-through", config.pass_through_url, config.pass_through_port, shared),
    ):
        yield


@contextmanager
def _run_server(config: Config, mode: str, url: str, port: int, settings: dict[str, str]) -> Iterator[None]:
    with run_process(
        f"The MCP server in {mode} mode",
        [COMMAND, "serve"],
        log=config.state / f"server-{mode}.log",
        ready=lambda: is_ready(f"{url.removesuffix('/mcp')}/health/ready"),
        env=_environment() | {"NEXTCLOUD_MCP_SERVER_URL": url, "MCP_PORT": str(port)} | settings,
    ):
        yield


def _environment() -> dict[str, str]:
    """The caller's environment without what would set this server behind our back."""
    prefixes = ("OIDC_", "MCP_", "NEXTCLOUD_", "TOKEN_EXCHANGE_", "ENABLE_TOKEN_")
    return {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}
