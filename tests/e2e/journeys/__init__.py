"""Walks through each app with a client written for the seed project's tools: one module per app.

A module has three names:

`APP`      the app, as the contract calls it;
`GLANCE`   one reading tool with arguments, for a short look;
`journey`  an async function that walks through every tool and resource of the app with an `OldClient`, asserts what
           the results say, and leaves nothing behind.
"""

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Final

JOURNEYS: Final[dict[str, ModuleType]] = {
    module.APP: module for module in (import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__))
}
"""The modules by app."""
