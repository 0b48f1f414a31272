"""Accept names in place of ids, such as a board's title, and URLs in place of paths.

    BoardId = Annotated[int, Named("board", list_boards, scope="deck:read")]
    FilePath = Annotated[str, Translated(path_at)]

If a number is expected, text that is not a number is looked up before the call. Text arguments, and numbers, are looked
up only after the function has not found the item, because most are right and a lookup costs a request. If no item or
several items have the name, the error lists the items, if the token has the scope to read them.
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
        kind: What has the name: `board`.
        list_things: Lists the items; its second parameter is the arguments, with the preceding names looked up.
        scope: The scope that the token needs for an error to list the items.
        exists: Returns whether an item with an id exists, if the list omits some items.
    """

    kind: str
    list_things: Callable[[Nextcloud, Arguments], Awaitable[Iterable[Thing]]]
    scope: str
    exists: Callable[[Nextcloud, Arguments, int], Awaitable[bool]] | None = None


@dataclass(frozen=True)
class Translated:
    """Marks a text that may have another form, such as a URL for a path; `translate` returns the usual form."""

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
        """Return the arguments with names replaced by ids, and texts translated.

        Raises:
            NotFoundError: no item has the name.
            InvalidArgumentError: several items have the name, or a text cannot be translated.
        """
        found = dict(arguments)
        for name, translated in self._translated.items():
            if isinstance(found.get(name), str):
                found[name] = await translated.translate(call, found[name], found)
        for name, marker in self._named.items():
            if name not in self.numbers or not isinstance(found.get(name), str):
                continue
            if re.fullmatch("[0-9]{1,18}", found[name]):  # from a URL
                found[name] = int(found[name])
            else:
                things = await marker.list_things(call.nextcloud(), found)
                found[name] = int(_find(marker, found[name], things, call))
        return found

    async def after(
        self, error: NotFoundError | ForbiddenError, arguments: Arguments, call: Call, *, ids: AbstractSet[str]
    ) -> dict[str, Any]:
        """Return the arguments for another attempt, after the function has raised `error`.

        Texts are looked up first, and numbers if that changes nothing. After a `ForbiddenError` only numbers are looked
        up: Deck returns it for what does not exist. Arguments in `ids` are ids and never titles.

        Raises:
            NotFoundError, ForbiddenError: `error` itself, if the lookups change nothing; otherwise see `before`.
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
        """Return the arguments with names replaced by ids, up to the first list that Nextcloud does not return."""
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
                break  # the call's own error is more specific
            id_found = _find(marker, given, things, call)
            found[name] = int(id_found) if name in self.numbers else id_found
        return found


async def _is_id(marker: Named, given: str, things: Iterable[Thing], call: Call, arguments: Arguments) -> bool:
    """Return whether a number is the id of an item."""
    if given in {thing.id for thing in things}:
        return True
    return marker.exists is not None and await marker.exists(call.nextcloud(), arguments, int(given))


def _find(marker: Named, given: str, things: Iterable[Thing], call: Call) -> str:
    may_list = marker.scope in call.admission.principal.scopes
    return find_named(given, things, kind=marker.kind, may_list=may_list)
