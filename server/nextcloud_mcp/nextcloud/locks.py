"""Locks that serialize changes to the same thing, where Nextcloud would refuse all but one of several at once.

They hold in this process alone. Other replicas and programs can still get in between.
"""

from collections.abc import Hashable
from weakref import WeakValueDictionary

import anyio


class KeyedLocks:
    """One lock for each thing. A lock exists for as long as somebody holds it or waits for it."""

    def __init__(self) -> None:
        """Start without locks."""
        self._locks: WeakValueDictionary[tuple[Hashable, ...], anyio.Lock] = WeakValueDictionary()

    def of(self, *thing: Hashable) -> anyio.Lock:
        """Return the lock of a thing."""
        return self._locks.setdefault(thing, anyio.Lock())
