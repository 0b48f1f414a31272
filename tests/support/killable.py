"""Runs a function in a child process that can be killed, because a running regular expression cannot be stopped."""

import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Final, TypeVar

Result = TypeVar("Result")

_CHILD: Final = (
    "import pickle, sys\n"
    "function, arguments = pickle.load(sys.stdin.buffer)\n"
    "result = function(*arguments)\n"
    "sys.stdout.buffer.write(b'\\0result\\0' + pickle.dumps(result))\n"
)


def run(function: Callable[..., Result], *arguments: object, seconds: float = 120) -> Result:
    """Return the result of a module-level function; fail if it takes longer than `seconds`."""
    try:
        child = subprocess.run(  # noqa: S603
            [sys.executable, "-c", _CHILD],
            input=pickle.dumps((function, arguments)),
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        told = (error.stderr or b"").decode(errors="replace")
        raise AssertionError(f"{function.__name__} did not end within {seconds} s: {told}") from None
    assert child.returncode == 0, child.stdout.decode(errors="replace") + child.stderr.decode(errors="replace")
    result: Result = pickle.loads(child.stdout.partition(b"\0result\0")[2])  # noqa: S301 - of our own child
    return result
