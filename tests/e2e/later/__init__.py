"""Walks through the apps that the contract does not have: one module per app, as for the journeys.

A module has two names:

`APP`   the app, as its scopes name it;
`walk`  an async function that uses every tool and resource of the app, asserts what the results say, and leaves nothing
        behind.
"""

from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Any, Final

from tests.e2e.journeys import JOURNEYS

LATER: Final[dict[str, ModuleType]] = {
    module.APP: module for module in (import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__))
}
"""The modules by app."""

WALKS: Final[Mapping[str, Callable[[Any], Awaitable[None]]]] = {
    **{app: module.journey for app, module in JOURNEYS.items()},
    **{app: module.walk for app, module in LATER.items()},
}
"""A walk through each app there is, whether or not the contract has it."""
