"""How many values a JSON text has, before it is parsed: each takes up to fifty bytes for one of its text."""

import re
from itertools import islice
from typing import Final

MAX_PARTS: Final = 100_000
"""Strings, brackets, commas and colons of a body; no tool needs a tenth of that."""

_PART: Final = re.compile(rb'(?s)"(?:[^"\\]++|\\.)*+"?|[\[{,:]')
"""A string is one part, whatever is in it. One that does not end is taken whole, so that the time stays linear."""


def has_too_many_values(text: bytes) -> bool:
    """Return whether a JSON text has more than `MAX_PARTS`."""
    return next(islice(_PART.finditer(text), MAX_PARTS, None), None) is not None
