"""End a process whose event loop is blocked, so that its supervisor starts another.

A blocked loop answers neither health checks nor SIGTERM, and compose and Docker only react to the end of a process. The
loop resets a counter every few seconds. A timer counts the seconds; Python calls its handler in the main thread,
between two instructions of the blocking code, and also inside a regular expression. After `MAX_STANDSTILL_SECONDS` the
handler logs the stack, without any value, and ends the process. If code in C prevents the handler, `faulthandler` ends
the process later; its thread does not need the interpreter.

The handler counts its own calls and does not read the clock, because a process that was paused (`docker pause`) must
not end.
"""

import asyncio
import faulthandler
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

import structlog

MAX_STANDSTILL_SECONDS: Final = 30
"""Far longer than callers wait, and than a busy machine delays a loop."""

LAST_RESORT_SECONDS: Final = 60
EXIT_STATUS: Final = os.EX_SOFTWARE

_BEAT_SECONDS: Final = 5.0
_MAX_FRAMES: Final = 15

log = structlog.get_logger()


@contextmanager
def watch_loop() -> Iterator[None]:
    """Watch the running event loop, which must be the main thread's, while the block runs."""
    watchdog = _Watchdog(asyncio.get_running_loop())
    before = signal.signal(signal.SIGALRM, watchdog.count)
    signal.setitimer(signal.ITIMER_REAL, 1, 1)
    watchdog.beat()
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        watchdog.stop()


class _Watchdog:
    """Counts the seconds since the loop last ran."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._next: asyncio.TimerHandle | None = None
        self._seconds = 0

    def beat(self) -> None:
        """Reset the counter and the timeout of `faulthandler`, and schedule the next reset."""
        self._seconds = 0
        faulthandler.dump_traceback_later(LAST_RESORT_SECONDS, exit=True, file=sys.__stderr__ or 2)
        self._next = self._loop.call_later(_BEAT_SECONDS, self.beat)

    def stop(self) -> None:
        """Cancel the next reset and the timeout of `faulthandler`."""
        faulthandler.cancel_dump_traceback_later()
        if self._next is not None:
            self._next.cancel()

    def count(self, _: int, frame: FrameType | None) -> None:
        """Count a second; at `MAX_STANDSTILL_SECONDS`, end the process."""
        self._seconds += 1
        if self._seconds < MAX_STANDSTILL_SECONDS:
            return
        try:
            log.critical("event_loop.stands_still", seconds=self._seconds, stack=_stack(frame))
        finally:
            os._exit(EXIT_STATUS)


def _stack(frame: FrameType | None) -> list[str]:
    """Return the stack of the main thread, the innermost call first."""
    calls: list[str] = []
    while frame is not None and len(calls) < _MAX_FRAMES:
        calls.append(f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_name}")
        frame = frame.f_back
    return calls
