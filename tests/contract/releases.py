"""Expectations that differ between the releases of Nextcloud, by its major version.

Each release has the apps of its time: Nextcloud 32 has Notes 5, Deck 1.16 and Tables 1, Nextcloud 34 has Notes 6, Deck
1.18 and Tables 2.
"""

from collections.abc import Mapping
from typing import Final, TypeVar

Expected = TypeVar("Expected")

OLDER: Final = 32
NEWER: Final = 34


def of_release(release: int, expected: Mapping[int, Expected]) -> Expected:
    """Return what is expected of a release: the entry of the newest release that is not newer."""
    return expected[max(known for known in expected if known <= release)]
