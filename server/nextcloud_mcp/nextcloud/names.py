"""Compare text without regard to case and Unicode form, and find items by their names.

A letter such as "ü" has two spellings in Unicode: one character (NFC), or a letter and a mark (NFD), as macOS writes
file names. Both look alike, so a search for one finds the other (Unicode Standard Annex #15).
"""

from collections.abc import Iterable
from typing import Final, NamedTuple
from unicodedata import normalize

from nextcloud_mcp.errors import MAX_QUOTED, InvalidArgumentError, NotFoundError, quoted

MAX_LISTED: Final = 20
"""Names that an error lists."""


class Thing(NamedTuple):
    """An item: its id in the API and its display name."""

    id: str
    name: str


def folded(text: str) -> str:
    """Return a text for comparisons that ignore case and Unicode form (Unicode 3.13, definition D145)."""
    return normalize("NFC", normalize("NFD", text).casefold())


def composed(text: str) -> str:
    """Return a text in NFC, the form in which Nextcloud stores file names."""
    return normalize("NFC", text)


def spellings(text: str) -> list[str]:
    """Return the NFC and NFD forms of a text, for servers that compare bytes."""
    return list(dict.fromkeys((composed(text), normalize("NFD", text))))


def find_named(given: str, things: Iterable[Thing], *, kind: str, may_list: bool = True) -> str:
    """Return the id of the thing that is called `given`, by its id or name; case and spelling matter only if they must.

    Args:
        given: the id or name from the caller.
        things: the items to search.
        kind: the noun for error messages, such as `board`.
        may_list: whether an error may list the items.

    Raises:
        NotFoundError: no item has this id or name.
        InvalidArgumentError: more than one item has this name.
    """
    known = list(things)
    for candidates in (
        {each.id for each in known if given == each.id},
        {each.id for each in known if given == each.name},
        {each.id for each in known if _plain(given) in {_plain(each.id), _plain(each.name)}},
    ):
        if len(candidates) == 1:
            return candidates.pop()
        if candidates:
            ids = _listed(each for each in known if each.id in candidates) if may_list else "their ids"
            raise InvalidArgumentError(
                "More than one {kind} is called {given}", "pass one of {ids}", kind=kind, given=quoted(given), ids=ids
            )
    if not may_list:
        advice = f"pass the id of a {kind}"
    else:
        advice = f"choose from {_listed(known)}" if known else f"no {kind} exists here"
    raise NotFoundError("No {kind} {given}", "{advice}", kind=kind, given=quoted(given), advice=advice)


def _plain(text: str) -> str:
    return " ".join(folded(text).split())


def _listed(things: Iterable[Thing]) -> str:
    """Return ids, each with its name in brackets if the name differs."""
    shown = [each.id if each.id == each.name else f"{each.id} ({each.name[:MAX_QUOTED]})" for each in things]
    more = len(shown) - MAX_LISTED
    return ", ".join(shown[:MAX_LISTED]) + (f" and {more} more" if more > 0 else "")
