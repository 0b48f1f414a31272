"""`python -m stack up|down|status`: the chain for a person at a terminal."""

import argparse
import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from stack.chain import Chain, run_chain
from stack.config import USERS, Config, config_from
from stack.errors import StackError
from stack.first_calls import make_first_calls
from stack.nextcloud import is_ready
from stack.servers import run_janitor

BANNER = """
Ready in {seconds:.0f} s.

  MCP server, exchange       {exchange}   (recommended)
  MCP server, pass-through   {pass_through}
  Nextcloud                  {nextcloud}   ({kind})
  Keycloak                   {keycloak}   (admin / {admin_password})
  People                     {people}
  What their tokens are      {exchange}/journey

Add the server to an MCP client; it needs nothing but the URL, and opens the browser to sign in:

  Claude Code     claude mcp add --transport http nextcloud {exchange}
  VS Code         code --add-mcp '{vscode}'
  MCP Inspector   npx @modelcontextprotocol/inspector, transport "Streamable HTTP", URL {exchange}

Logs are in {state}, the addresses for programs in {state}/endpoints.json. Ctrl-C ends all of it.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: 1 after an error, which is printed to standard error."""
    parser = argparse.ArgumentParser(prog="python -m stack", description=__doc__)
    parser.add_argument("command", choices=("up", "down", "status"))
    command = parser.parse_args(arguments).command
    try:
        config = config_from(os.environ)
        return {"up": up, "down": down, "status": status}[command](config)
    except StackError as error:
        print(f"stack: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nEnded.", file=sys.stderr)
        return 0


def up(config: Config) -> int:
    """Start all parts, and run until a signal comes or a part ends by itself."""
    signal.signal(signal.SIGTERM, _interrupt)
    started = time.monotonic()
    print("Starting Keycloak, Nextcloud and two MCP servers …", flush=True)
    with _only_one(config.state), run_chain(config) as chain, run_janitor(config, chain.keycloak):
        make_first_calls(chain)
        print(_banner(chain, time.monotonic() - started), flush=True)
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)  # until a child ends, or a signal comes
        raise StackError(f"A part of the stack ended by itself; the logs in {config.state} say why.")


def down(config: Config) -> int:
    """Stop the stack that runs in another terminal, and wait until it has ended."""
    pid = _running(config.state)
    if pid is None:
        print("The stack does not run.")
        return 0
    os.kill(pid, signal.SIGTERM)
    with _locked(config.state, wait=True):
        print("Ended.")
    return 0


def status(config: Config) -> int:
    """Print which parts are ready, and return 1 if one is not."""
    path = config.state / "endpoints.json"
    if _running(config.state) is None or not path.exists():
        print("The stack does not run: start it with `make demo`.")
        return 1
    endpoints = json.loads(path.read_text())
    parts = {
        "Keycloak": f"{endpoints['issuer']}/.well-known/openid-configuration",
        f"Nextcloud ({endpoints['nextcloud']['kind']})": f"{endpoints['nextcloud']['url']}/status.php",
        "MCP server, exchange": _health(endpoints["servers"]["exchange"]),
        "MCP server, pass-through": _health(endpoints["servers"]["pass_through"]),
    }
    answers = {name: is_ready(url) for name, url in parts.items()}
    for name, answer in answers.items():
        print(f"  {'ready' if answer else 'NOT READY':10} {name:26} {parts[name]}")
    return 0 if all(answers.values()) else 1


def _health(server: str) -> str:
    return f"{server.removesuffix('/mcp')}/health/ready"


def _banner(chain: Chain, seconds: float) -> str:
    exchange = chain.config.exchange_url
    banner = BANNER.format(
        seconds=seconds,
        exchange=exchange,
        pass_through=chain.config.pass_through_url,
        nextcloud=chain.nextcloud.url,
        kind=chain.nextcloud.kind if chain.nextcloud.kind == "stand-in" else "the given one",
        keycloak=chain.keycloak.url,
        admin_password=chain.keycloak.admin_password,
        people=", ".join(f"{name} / {password}" for name, password in USERS.items()),
        vscode=json.dumps({"name": "nextcloud", "type": "http", "url": exchange}),
        state=_shown(chain.config.state),
    )
    return f"{banner}\n{chain.nextcloud.note}\n" if chain.nextcloud.note else banner


def _shown(path: Path) -> Path:
    """Return a path relative to the current folder if it is inside it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@contextmanager
def _only_one(state: Path) -> Iterator[None]:
    """Hold the lock of the running stack; the kernel releases it when this process ends, even by a crash."""
    with _locked(state, wait=False) as lock:
        lock.write_text(str(os.getpid()))
        yield


@contextmanager
def _locked(state: Path, *, wait: bool) -> Iterator[Path]:
    state.mkdir(parents=True, exist_ok=True)
    path = state / "pid"
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise StackError(f"A stack runs already (process {path.read_text()}): end it with `make down`.") from error
        yield path


def _running(state: Path) -> int | None:
    """Return the process id of the stack that holds the lock in `state`, or None."""
    path = state / "pid"
    if not path.exists():
        return None
    try:
        with _locked(state, wait=False):
            return None
    except StackError:
        return int(path.read_text())


if __name__ == "__main__":
    sys.exit(main())
