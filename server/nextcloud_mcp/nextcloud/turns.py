"""Who changes the same thing at the same time takes turns, where Nextcloud would refuse all but one.

There are other replicas and programs, too: what Nextcloud refuses is repeated besides.
"""

from collections.abc import Hashable
from weakref import WeakValueDictionary

import anyio


class Turns:
    """A lock for each thing, which exists for as long as somebody holds it or waits for it."""

    def __init__(self) -> None:
        """Nobody waits."""
        self._locks: WeakValueDictionary[tuple[Hashable, ...], anyio.Lock] = WeakValueDictionary()

    def of(self, *thing: Hashable) -> anyio.Lock:
        """Return the lock of a thing."""
        return self._locks.setdefault(thing, anyio.Lock())
