"""The server's command, which lists the objects that hold tokens in memory when it receives SIGUSR1.

It checks every object that Python's garbage collector can reach. It cannot see freed memory, which is not wiped.
"""

import gc
import json
import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Final

from nextcloud_mcp.cli import main

FINDINGS: Final = "WATCHED_FINDINGS"
"""The environment variable with the path of the output file. Its first line is the process id; each signal adds a line
with a JSON list of the types of the objects that hold a token."""

JWT: Final = re.compile(rb"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.")


def tell(_signal: int, _frame: FrameType | None) -> None:
    """Write the types of the objects that hold a token to the file."""
    say(sorted(holders()))


def say(what: object) -> None:
    """Append a JSON line to the file."""
    with Path(os.environ[FINDINGS]).open("a") as file:
        file.write(json.dumps(what) + "\n")


def holders() -> Iterator[str]:
    """Yield the type name of each object that refers to a string or bytes with a token."""
    gc.collect()
    waiting: list[Any] = gc.get_objects()
    seen = {id(thing) for thing in waiting}
    while waiting:
        holder = waiting.pop()
        for thing in gc.get_referents(holder):
            if isinstance(thing, str | bytes | bytearray):
                if JWT.search(thing.encode(errors="replace") if isinstance(thing, str) else thing):
                    yield type(holder).__qualname__
            elif id(thing) not in seen:  # the collector does not list containers of strings only
                seen.add(id(thing))
                waiting.append(thing)


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, tell)
    say(os.getpid())
    sys.exit(main())
