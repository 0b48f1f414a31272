"""Arguments that callers write as people call things: a board's title for its id, an address for a path.

    BoardId = Annotated[int, Named("board", list_boards, scope="deck:read")]
    FilePath = Annotated[str, Translated(path_at)]

A number is looked up where it is written as other text. A text, and a number written in digits, is looked up only after
the function has found nothing under it, for most are right, and looking costs a request. What is not among the things,
or is there more than once, is refused with a list of them, for callers whose token may read it.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from inspect import Parameter
from typing import Any

from nextcloud_mcp.boundary.arguments import value_types
from nextcloud_mcp.boundary.call import Call
from nextcloud_mcp.boundary.markers import marker_in
from nextcloud_mcp.errors import ForbiddenError, NextcloudError, NotFoundError
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.names import Thing, find_named

Arguments = Mapping[str, Any]


@dataclass(frozen=True)
class Named:
    """Marks an argument that may be a name.

    Attributes:
        kind: What is named: `board`.
        list_things: Lists what there is; is given the arguments too, of which those before it are looked up already.
        scope: The scope that a token must have to be shown that list.
        exists: Tells whether there is something with an id, where the list leaves some out.
    """

    kind: str
    list_things: Callable[[Nextcloud, Arguments], Awaitable[Iterable[Thing]]]
    scope: str
    exists: Callable[[Nextcloud, Arguments, int], Awaitable[bool]] | None = None


@dataclass(frozen=True)
class Translated:
    """Marks a text that may be written in another way, such as a path as an address: what returns the usual one."""

    translate: Callable[[Call, str, Arguments], Awaitable[str]]


class Lookups:
    """Looks up the arguments of one function."""

    def __init__(self, parameters: Mapping[str, Parameter]) -> None:
        annotations = {name: parameter.annotation for name, parameter in parameters.items()}
        named = {name: marker_in(annotation, Named) for name, annotation in annotations.items()}
        translated = {name: marker_in(annotation, Translated) for name, annotation in annotations.items()}
        self._named = {name: marker for name, marker in named.items() if marker is not None}
        self._translated = {name: marker for name, marker in translated.items() if marker is not None}
        self.numbers = frozenset(name for name in self._named if int in value_types(annotations[name]))

    async def before(self, arguments: Arguments, call: Call) -> dict[str, Any]:
        """Return the arguments with numbers in the place of names, and translated.

        Raises:
            NotFoundError: there is nothing of that name.
            InvalidArgumentError: there is more than one, or a text cannot be translated.
        """
        found = dict(arguments)
        for name, translated in self._translated.items():
            if isinstance(found.get(name), str):
                found[name] = await translated.translate(call, found[name], found)
        for name, marker in self._named.items():
            if name not in self.numbers or not isinstance(found.get(name), str):
                continue
            if re.fullmatch("[0-9]{1,18}", found[name]):  # from an address
                found[name] = int(found[name])
            else:
                things = await marker.list_things(call.nextcloud(), found)
                found[name] = int(_find(marker, found[name], things, call))
        return found

    async def after(
        self, error: NotFoundError | ForbiddenError, arguments: Arguments, call: Call, *, ids: AbstractSet[str]
    ) -> dict[str, Any]:
        """Return the arguments to try again with, after the function has raised `error`.

        Texts come first. Numbers are looked up where no text was the name of something, also where Nextcloud forbids
        the call, which is how Deck answers for what is not there. Those in `ids` are ids and never titles.

        Raises:
            NotFoundError, ForbiddenError: `error`, if all that may be a name is there; else as `before`.
        """
        texts = self._named.keys() - self.numbers if isinstance(error, NotFoundError) else frozenset()
        found = await self._found(texts, arguments, call)
        if found == arguments:
            found = await self._found(self.numbers, arguments, call)
        found |= {name: arguments[name] for name in ids & found.keys()}
        if found == arguments:
            raise error
        return found

    async def _found(self, names: AbstractSet[str], arguments: Arguments, call: Call) -> dict[str, Any]:
        """Return the arguments with ids in the place of names, as far as Nextcloud lists what there is."""
        found = dict(arguments)
        for name, marker in self._named.items():
            if name not in names or found.get(name) in {None, ""}:
                continue
            given = str(found[name])
            try:
                things = list(await marker.list_things(call.nextcloud(), found))
                if name in self.numbers and await _is_id(marker, given, things, call, found):
                    continue
            except NextcloudError:
                break  # the error of the call says more of what was asked for
            id_found = _find(marker, given, things, call)
            found[name] = int(id_found) if name in self.numbers else id_found
        return found


async def _is_id(marker: Named, given: str, things: Iterable[Thing], call: Call, arguments: Arguments) -> bool:
    """Return whether a number is the id of something."""
    if given in {thing.id for thing in things}:
        return True
    return marker.exists is not None and await marker.exists(call.nextcloud(), arguments, int(given))


def _find(marker: Named, given: str, things: Iterable[Thing], call: Call) -> str:
    may_list = marker.scope in call.admission.principal.scopes
    return find_named(given, things, kind=marker.kind, may_list=may_list)
