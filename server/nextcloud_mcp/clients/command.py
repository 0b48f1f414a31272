"""The `clients` command: reads its options and environment, and prints or logs what it did.

Secrets come from the environment, because other users of the machine can read a command line.
"""

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import structlog

from nextcloud_mcp.admin_api import Account
from nextcloud_mcp.clients.admin import Realm
from nextcloud_mcp.clients.pruning import UNUSED_DAYS, Survey, delete_unused, survey
from nextcloud_mcp.clients.selection import Limits, as_time
from nextcloud_mcp.errors import ClientsError, SettingsError
from nextcloud_mcp.logs import configure_logging
from nextcloud_mcp.settings import secret_from

JANITOR: Final = "client-janitor"
"""The client of the shipped realm that may delete registered clients."""

EPILOG: Final = """\
environment:
  OIDC_DISCOVERY_URL    the realm's discovery document, as for the server
  CLIENT_JANITOR_SECRET (or CLIENT_JANITOR_SECRET_FILE)
                        the secret of the realm's client client-janitor
  KEYCLOAK_ADMIN, KEYCLOAK_ADMIN_PASSWORD (or KEYCLOAK_ADMIN_PASSWORD_FILE)
                        in place of the secret: an administrator of Keycloak's realm master
"""

_log = structlog.get_logger("nextcloud_mcp.clients")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the commands `list` and `prune` with their options to a parser."""
    commands = parser.add_subparsers(dest="action", required=True)
    _add(commands, "list", "list the clients that registered themselves, and their last use; changes nothing")
    prune = _add(commands, "prune", "delete registered clients that nobody uses; only lists them without --delete")
    prune.add_argument(
        "--delete", action="store_true", help="delete the unused clients, and write the last use to the others"
    )
    prune.add_argument("--every", type=_positive, metavar="SECONDS", help="repeat the run, and log instead of printing")
    prune.add_argument("--heartbeat", type=Path, metavar="FILE", help="touch this file after each run that succeeded")


def _add(commands: Any, name: str, purpose: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=purpose, description=purpose, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print JSON (docs/how-to/keep-registration-open.md)")
    parser.add_argument(
        "--never-used-for",
        type=_positive,
        metavar="SECONDS",
        default=int(Limits().never_used),
        help="delete a client this long after its registration, if nobody has signed in with it; default: %(default)s, "
        "or 600 from 80%% of the maximum on",
    )
    parser.add_argument(
        "--unused-for",
        type=_positive,
        metavar="DAYS",
        default=UNUSED_DAYS,
        help="delete a client this long after its last use; default: %(default)s",
    )
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number of 1 or more")
    return int(text)


def run(arguments: argparse.Namespace, environ: Mapping[str, str] = os.environ) -> int:
    """Run the command; return 0, or 1 if Keycloak refused or is still nearly full.

    Raises:
        SettingsError: the environment has no address or no secret.
    """
    every = getattr(arguments, "every", None)
    configure_logging("INFO" if every else "ERROR")
    account, discovery_url = _account(environ), _discovery_url(environ)
    limits = Limits(float(arguments.never_used_for), arguments.unused_for * 86400.0)
    if every:
        return _serve(discovery_url, account, limits, arguments)
    try:
        realm = Realm(discovery_url, account)
        found = survey(realm)
        deleted = delete_unused(realm, found, limits) if getattr(arguments, "delete", False) else None
    except ClientsError as error:
        print(f"nextcloud-mcp: {error}", file=sys.stderr)  # noqa: T201 - for the person who runs it
        return 1
    _beat(arguments)
    document = found.as_json(limits) | ({} if deleted is None else {"deleted": len(deleted)})
    if arguments.json:
        lines: Sequence[str] = [json.dumps(document, indent=2, ensure_ascii=False)]
    else:
        lines = _lines(arguments, found, limits, deleted)
    print("\n".join(lines))  # noqa: T201 - a command's output
    return 1 if deleted is not None and found.is_nearly_full(len(deleted)) else 0


def _lines(
    arguments: argparse.Namespace, found: Survey, limits: Limits, deleted: frozenset[str] | None
) -> Sequence[str]:
    unused = found.unused(limits)
    of = "" if found.maximum is None else f" of {found.maximum}"
    total = f"{found.count}{of} clients, {len(found.clients)} registered themselves, {len(unused)} unused."
    if arguments.action == "list":
        reasons = {client.id: reason for client, reason in unused}
        rows = [
            f"{client.id}  {client.sessions} sessions, last used {as_time(client.used) or 'never'}"
            f"{', to be deleted' if client.id in reasons else ''}  {client.name!r}"
            for client in found.clients
        ]
        return [*rows, total]
    rows = [f"{client.id}  {reason}: {_outcome(client.id, deleted)}  {client.name!r}" for client, reason in unused]
    return [*rows, total if arguments.delete or not unused else f"{total} Nothing was deleted: pass --delete."]


def _outcome(client_id: str, deleted: frozenset[str] | None) -> str:
    """Return what happened to an unused client; `deleted` is None if nothing was to be deleted."""
    if deleted is None:
        return "would be deleted"
    return "deleted" if client_id in deleted else "kept, because it is in use by now or was gone"


def _serve(discovery_url: str, account: Account, limits: Limits, arguments: argparse.Namespace) -> int:
    """Run until SIGTERM or SIGINT; log each run that deleted something, failed, or left the realm nearly full."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    while not ended.is_set():
        try:
            run_once(Realm(discovery_url, account), limits, arguments)
            _beat(arguments)
        except ClientsError as error:
            _log.error("clients.failed", **error.log_fields)
        ended.wait(arguments.every)
    return 0


def run_once(realm: Realm, limits: Limits, arguments: argparse.Namespace) -> None:
    """Prune once, and log what was deleted, and whether the realm is still nearly full."""
    found = survey(realm)
    unused = len(found.unused(limits))
    counts = {"clients": found.count, "registered": len(found.clients), "maximum": found.maximum, "unused": unused}
    deleted = len(delete_unused(realm, found, limits)) if arguments.delete else 0
    if deleted:
        _log.info("clients.pruned", deleted=deleted, **counts)
    if found.is_nearly_full(deleted):
        _log.warning("clients.full", deleted=deleted, **counts)


def _beat(arguments: argparse.Namespace) -> None:
    if heartbeat := getattr(arguments, "heartbeat", None):
        heartbeat.touch()


def _discovery_url(environ: Mapping[str, str]) -> str:
    url = environ.get("OIDC_DISCOVERY_URL", "")
    if not url:
        raise SettingsError("OIDC_DISCOVERY_URL", "is not set, and has no default")
    if "/realms/" not in url:
        raise SettingsError(
            "OIDC_DISCOVERY_URL", "is not the discovery URL of a Keycloak realm: it must contain /realms/"
        )
    return url


def _account(environ: Mapping[str, str]) -> Account:
    """Return the janitor if it has a secret, else the administrator."""
    if secret := secret_from(environ, "CLIENT_JANITOR_SECRET"):
        return Account(JANITOR, secret, is_client=True)
    password = secret_from(environ, "KEYCLOAK_ADMIN_PASSWORD")
    if environ.get("KEYCLOAK_ADMIN") and password:
        return Account(environ["KEYCLOAK_ADMIN"], password, is_client=False)
    raise SettingsError("CLIENT_JANITOR_SECRET", "is not set (nor KEYCLOAK_ADMIN and KEYCLOAK_ADMIN_PASSWORD)")
