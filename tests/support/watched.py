"""The server's command, which tells of the tokens in its memory whenever it gets SIGUSR1.

It looks at all that Python's garbage collector can reach: every object that any code could still get hold of.
What was freed is not wiped, and can't be seen here.
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
"""The variable that names the file for what there is to say: in the first line the process's id, and then for each
signal a JSON list of the types of objects that hold a token."""

JWT: Final = re.compile(rb"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.")


def tell(_signal: int, _frame: FrameType | None) -> None:
    """Write down what holds a token."""
    say(sorted(holders()))


def say(what: object) -> None:
    """Add a line to the file."""
    with Path(os.environ[FINDINGS]).open("a") as file:
        file.write(json.dumps(what) + "\n")


def holders() -> Iterator[str]:
    """Return the type of each object that refers to a text with a token in it."""
    gc.collect()
    waiting: list[Any] = gc.get_objects()
    seen = {id(thing) for thing in waiting}
    while waiting:
        holder = waiting.pop()
        for thing in gc.get_referents(holder):
            if isinstance(thing, str | bytes | bytearray):
                if JWT.search(thing.encode(errors="replace") if isinstance(thing, str) else thing):
                    yield type(holder).__qualname__
            elif id(thing) not in seen:  # containers of texts alone are none that the collector lists by itself
                seen.add(id(thing))
                waiting.append(thing)


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, tell)
    say(os.getpid())
    sys.exit(main())
