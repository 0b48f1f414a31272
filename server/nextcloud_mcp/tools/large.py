"""Large answers, and their turn: each lies in memory some ten times over until it is sent, and a container has an end.

What is text in JSON is written into JSON once more for a tool's result, and encoded for the way, all by the SDK.
"""

from typing import Final

import anyio

AT_ONCE: Final = anyio.CapacityLimiter(2)
"""Whoever is about to read a large file takes a place here, and others wait: two of them fit into 256 MiB."""
