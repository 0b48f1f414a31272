"""The `doctor` command: reads its options and environment, and prints a report.

Secrets come from the environment or from standard input, because other users of the machine can read a command line.
"""

import argparse
import asyncio
import json
import os
import shlex
import sys
from collections.abc import Mapping
from typing import Final

from nextcloud_mcp.doctor.deployment import Options
from nextcloud_mcp.doctor.screen import Screen
from nextcloud_mcp.doctor.walk import examine
from nextcloud_mcp.errors import SettingsError
from nextcloud_mcp.logs import configure_logging
from nextcloud_mcp.settings import secret_from

DESCRIPTION: Final = """\
Walks the chain as a client would, and says for each step what it saw and what fixes it. It is given the environment
of the server. Status 0: nothing failed; 1: something did; 2: this command line makes no sense.
"""
EPILOG: Final = """\
environment, besides the server's:
  KEYCLOAK_ADMIN, KEYCLOAK_ADMIN_PASSWORD (or KEYCLOAK_ADMIN_PASSWORD_FILE)
                        an administrator of Keycloak's realm master: compares the live realm with the shipped one
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options to a parser."""
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--json", action="store_true", help="print JSON (docs/reference/doctor.md)")
    parser.add_argument(
        "--token-stdin", action="store_true", help="read somebody's access token for the server from standard input"
    )
    parser.add_argument("--occ", metavar="COMMAND", default="", help="what runs Nextcloud's occ, such as 'php occ'")
    parser.add_argument("--provider", metavar="NAME", help="what user_oidc calls the realm; found by its address")
    parser.add_argument("--realm", metavar="FILE", help="the realm that was imported, if not the shipped one")
    parser.add_argument(
        "--no-registration", action="store_true", help="register no client, not even one that is deleted at once"
    )


def run(arguments: argparse.Namespace, environ: Mapping[str, str] = os.environ) -> int:
    """Run all steps, print the report, and return the exit status: 0 if no step failed, else 1.

    Raises:
        SettingsError: an option or the administrator's password cannot be read.
    """
    configure_logging("ERROR")
    report = asyncio.run(examine(environ, _options(arguments, environ)))
    if arguments.json:
        print(json.dumps(report.as_json(), indent=2, ensure_ascii=False))  # noqa: T201 - a command's output
    else:
        colour = sys.stdout.isatty() and not environ.get("NO_COLOR")
        print("\n".join(Screen(colour=colour).lines(report)))  # noqa: T201 - the same
    return 0 if report.healthy else 1


def _options(arguments: argparse.Namespace, environ: Mapping[str, str]) -> Options:
    try:
        occ = tuple(shlex.split(arguments.occ))
    except ValueError as error:
        raise SettingsError("--occ", str(error)) from error
    return Options(
        token=_token() if arguments.token_stdin else None,
        occ=occ,
        provider=arguments.provider,
        registration=not arguments.no_registration,
        realm_file=arguments.realm,
        admin=_admin(environ),
    )


def _token() -> str:
    token = sys.stdin.read().strip().removeprefix("Bearer ")
    if not token:
        raise SettingsError("--token-stdin", "there is no token on standard input")
    return token


def _admin(environ: Mapping[str, str]) -> tuple[str, str] | None:
    name, password = environ.get("KEYCLOAK_ADMIN"), secret_from(environ, "KEYCLOAK_ADMIN_PASSWORD")
    return (name, password) if name and password else None
