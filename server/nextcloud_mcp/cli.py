"""The command `nextcloud-mcp`: `serve` runs the server, `doctor` finds what is wrong, `token` signs a person in.

`clients` lists the clients that registered themselves, and deletes the unused ones.
"""

import argparse
import asyncio
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress

from nextcloud_mcp.app import create_app
from nextcloud_mcp.clients import command as clients
from nextcloud_mcp.doctor import command as doctor
from nextcloud_mcp.drain import DrainingServer
from nextcloud_mcp.errors import SettingsError
from nextcloud_mcp.logs import configure_logging
from nextcloud_mcp.metrics import metrics_app
from nextcloud_mcp.protocol import LimitedProtocol, serve_on_socket
from nextcloud_mcp.settings import Settings, load_settings
from nextcloud_mcp.sign_in import command as token
from nextcloud_mcp.watchdog import watch_loop

KEEP_ALIVE_SECONDS = 10
"""How long a connection may idle: longer than in HTTP clients (5 s), so that clients close it first."""


def main(arguments: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> int:
    """Run a command and return its exit status: 2 for a wrong setting, which one line on standard error names."""
    parser = argparse.ArgumentParser(prog="nextcloud-mcp", description="Nextcloud for AI assistants, through Keycloak.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="run the MCP server; its settings are environment variables")
    doctor.add_arguments(commands.add_parser("doctor", help="find what is wrong with a deployment"))
    token.add_arguments(commands.add_parser("token", help="sign in with the browser, and print an access token"))
    clients.add_arguments(commands.add_parser("clients", help="list registered clients, and delete the unused ones"))
    parsed = parser.parse_args(arguments)
    try:
        if parsed.command == "doctor":
            return doctor.run(parsed, environ)
        if parsed.command == "token":
            return token.run(parsed, environ)
        if parsed.command == "clients":
            return clients.run(parsed, environ)
        serve(load_settings(environ))
    except SettingsError as error:
        print(f"nextcloud-mcp: {error}", file=sys.stderr)  # noqa: T201 - for the person who starts it, not for the log
        return 2
    return 0


def serve(settings: Settings) -> None:
    """Serve until a signal stops the process.

    Raises:
        SettingsError: a setting is wrong, or the port of the metrics can't be bound.
    """
    configure_logging(settings.log_level)
    metrics = _bind_metrics(settings.host, settings.metrics_port) if settings.metrics_port else None
    server = DrainingServer(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        http=LimitedProtocol,
        ws="none",
        log_config=None,
        access_log=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        proxy_headers=False,
        server_header=False,
    )
    with suppress(KeyboardInterrupt), asyncio.Runner() as runner:  # uvicorn raises the signal again
        runner.run(_serve(server, metrics))


async def _serve(server: DrainingServer, metrics: socket.socket | None) -> None:
    async with AsyncExitStack() as stack:
        stack.enter_context(watch_loop())
        if metrics is not None:
            await stack.enter_async_context(serve_on_socket(metrics_app, metrics))
        await server.serve()


def _bind_metrics(host: str, port: int) -> socket.socket:
    """Return a socket that is bound to this address.

    Raises:
        SettingsError: the address can't be bound.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise SettingsError("MCP_METRICS_PORT", f"{host}:{port} can't be listened on ({error.strerror})") from error
    return listener
