"""What a run's tests share: its people, its servers, and tokens for Nextcloud."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.support.oauth import ALICE, BOB

TokenFor = Callable[[str], Awaitable[str]]


PEOPLE = {"alice": ALICE, "bob": BOB}


@dataclass(frozen=True)
class ServerUrls:
    """Where the run's servers are, as the realm knows them.

    Attributes:
        exchange: the MCP server in exchange mode; its resource identifier, and the exchange client's id.
        pass_through: the MCP server in pass-through mode; its resource identifier.
        nextcloud: Nextcloud, a real one or the stand-in.
    """

    exchange: str
    pass_through: str
    nextcloud: str
