"""The command `nextcloud-mcp`: `serve` runs the server, `doctor` says what is wrong with a deployment."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress

from nextcloud_mcp.app import create_app
from nextcloud_mcp.doctor import command as doctor
from nextcloud_mcp.drain import DrainingServer
from nextcloud_mcp.errors import SettingsError
from nextcloud_mcp.logs import configure_logging
from nextcloud_mcp.metrics import published
from nextcloud_mcp.settings import Settings, load_settings

KEEP_ALIVE_SECONDS = 10
"""How long a connection may idle: longer than HTTP clients let theirs (5 s), so that no request meets its end."""


def main(arguments: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> int:
    """Run a command; returns its exit status: 2 for a wrong setting, which is named in one line."""
    parser = argparse.ArgumentParser(prog="nextcloud-mcp", description="Nextcloud for AI assistants, through Keycloak.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="run the MCP server; its settings are environment variables")
    doctor.add_arguments(commands.add_parser("doctor", help="find what is wrong with a deployment"))
    parsed = parser.parse_args(arguments)
    try:
        if parsed.command == "doctor":
            return doctor.run(parsed, environ)
        serve(load_settings(environ))
    except SettingsError as error:
        print(f"nextcloud-mcp: {error}", file=sys.stderr)  # noqa: T201 - for the person who starts it, not for the log
        return 2
    return 0


def serve(settings: Settings) -> None:
    """Serve until told to stop."""
    configure_logging(settings.log_level)
    metrics = published(settings.host, settings.metrics_port) if settings.metrics_port else nullcontext()
    server = DrainingServer(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        proxy_headers=False,
        server_header=False,
    )
    with metrics, suppress(KeyboardInterrupt):  # uvicorn raises the signal again that it was stopped by
        server.run()
