"""The MCP servers of the stack: the installed command, one server in each mode."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from stack.config import EXCHANGE_CLIENT_SECRET, JANITOR_CLIENT_SECRET, Config
from stack.keycloak import THEMES, Keycloak
from stack.nextcloud import Nextcloud, is_ready
from stack.process import run_process

COMMAND = Path(sys.executable).with_name("nextcloud-mcp")


def server_settings(config: Config, keycloak: Keycloak, nextcloud: Nextcloud) -> dict[str, dict[str, str]]:
    """Return the settings of the server in each mode, by the name of the mode."""
    shared = {"NEXTCLOUD_HOST": nextcloud.url, "OIDC_DISCOVERY_URL": keycloak.discovery_url}
    shared |= {"MCP_JOURNEY": "true", "MCP_CONNECTIONS": "true"}
    exchange = {"ENABLE_TOKEN_EXCHANGE": "true", "OIDC_CLIENT_SECRET": EXCHANGE_CLIENT_SECRET}
    return {
        "exchange": shared
        | exchange
        | {"NEXTCLOUD_MCP_SERVER_URL": config.exchange_url, "MCP_OTHER_SERVER_URL": config.pass_through_url},
        "pass-through": shared
        | {"NEXTCLOUD_MCP_SERVER_URL": config.pass_through_url, "MCP_OTHER_SERVER_URL": config.exchange_url},
    }


@contextmanager
def run_servers(config: Config, keycloak: Keycloak, nextcloud: Nextcloud) -> Iterator[None]:
    """Run both servers for as long as the block lasts.

    Raises:
        StackError: a server did not become ready.
    """
    settings = server_settings(config, keycloak, nextcloud)
    exchange, pass_through = settings["exchange"], settings["pass-through"]
    with (
        run_server("exchange", config.exchange_url, config.exchange_port, exchange, logs=config.state),
        run_server("pass-through", config.pass_through_url, config.pass_through_port, pass_through, logs=config.state),
    ):
        yield


@contextmanager
def run_server(
    name: str,
    url: str,
    port: int,
    settings: dict[str, str],
    *,
    logs: Path,
    command: Sequence[str | Path] = (COMMAND,),
) -> Iterator[str]:
    """Run one server for as long as the block lasts, and yield the URL of its endpoint on this machine.

    Args:
        name: the server's name in errors and in the name of its log file.
        url: the server's public URL; the `Host` of a request must match it.
        port: the loopback port to listen on.
        settings: other settings, by environment variable.
        logs: the folder for the log.
        command: the command to run instead of the installed one.

    Raises:
        StackError: the server did not become ready.
    """
    with run_process(
        f"The MCP server ({name})",
        [*command, "serve"],
        log=logs / f"server-{name}.log",
        ready=lambda: is_ready(f"http://localhost:{port}/health/ready"),
        env=environment()
        | {"MCP_CALLS_PER_MINUTE": "100000", "NEXTCLOUD_MCP_SERVER_URL": url, "MCP_PORT": str(port)}
        | settings,
    ):
        yield f"http://localhost:{port}{urlsplit(url).path}"


@contextmanager
def run_janitor(config: Config, keycloak: Keycloak) -> Iterator[None]:
    """Delete unused registered clients now and every five minutes, for as long as the block lasts.

    Raises:
        StackError: the first run did not succeed.
    """
    heartbeat = config.state / "pruned"
    heartbeat.unlink(missing_ok=True)
    with run_process(
        "The janitor of registered clients",
        [COMMAND, "clients", "prune", "--delete", "--every", "300", "--heartbeat", heartbeat],
        log=config.state / "client-janitor.log",
        ready=heartbeat.exists,
        env=environment()
        | {"OIDC_DISCOVERY_URL": keycloak.discovery_url, "CLIENT_JANITOR_SECRET": JANITOR_CLIENT_SECRET},
    ):
        yield


def environment() -> dict[str, str]:
    """Return the environment without variables that would configure this server unintentionally."""
    prefixes = ("CLIENT_JANITOR_", "OIDC_", "MCP_", "NEXTCLOUD_", "TOKEN_EXCHANGE_", "ENABLE_TOKEN_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}
    if logo := environment.get("ORGANISATION_LOGO"):  # for Keycloak it is the name of a file of the theme
        environment["ORGANISATION_LOGO"] = str(THEMES / "nextcloud-mcp" / "login" / "resources" / "img" / logo)
    return environment
