"""Ends a process whose event loop stands still, so that whoever runs it starts another.

A loop that stands still answers nobody, neither health checks nor SIGTERM, and compose and Docker only watch for the
end of a process. The loop says every few seconds that it turns. A timer counts the seconds since; Python calls its
handler in the main thread, between two instructions of whatever keeps the loop, and inside a regular expression, too.
The handler logs where the loop stands, without any value, and ends the process. Where code in C lets no handler run,
`faulthandler` ends the process later; its thread does not need the interpreter.

The handler counts its own calls, not the clock, for a process that was stopped and continued (`docker pause`) has done
nothing wrong.
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
"""Long after the last caller has lost patience, and far from what a busy machine does to a loop."""

LAST_RESORT_SECONDS: Final = 60
EXIT_STATUS: Final = os.EX_SOFTWARE

_BEAT_SECONDS: Final = 5.0
_MAX_FRAMES: Final = 15

log = structlog.get_logger()


@contextmanager
def watch_loop() -> Iterator[None]:
    """Watch the running event loop, which must be the main thread's, for as long as the block lasts."""
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
    """Counts the seconds since the loop last turned."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._next: asyncio.TimerHandle | None = None
        self._seconds = 0

    def beat(self) -> None:
        """Begin to count again, and come back soon."""
        self._seconds = 0
        faulthandler.dump_traceback_later(LAST_RESORT_SECONDS, exit=True, file=sys.__stderr__ or 2)
        self._next = self._loop.call_later(_BEAT_SECONDS, self.beat)

    def stop(self) -> None:
        """Let the loop end."""
        faulthandler.cancel_dump_traceback_later()
        if self._next is not None:
            self._next.cancel()

    def count(self, _: int, frame: FrameType | None) -> None:
        """Count a second; after too many, end the process."""
        self._seconds += 1
        if self._seconds < MAX_STANDSTILL_SECONDS:
            return
        try:
            log.critical("event_loop.stands_still", seconds=self._seconds, stack=_stack(frame))
        finally:
            os._exit(EXIT_STATUS)


def _stack(frame: FrameType | None) -> list[str]:
    """Return where the main thread is, the innermost call first."""
    calls: list[str] = []
    while frame is not None and len(calls) < _MAX_FRAMES:
        calls.append(f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_name}")
        frame = frame.f_back
    return calls
