"""A function with its arguments: how tools, resources and completions are run."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from nextcloud_mcp.boundary.arguments import Arguments
from nextcloud_mcp.boundary.call import Call, inject, split_parameters
from nextcloud_mcp.boundary.lookup import Lookups
from nextcloud_mcp.errors import ForbiddenError, NotFoundError


class Function:
    """Runs a function with what a caller sent, and with what the call fills in."""

    def __init__(
        self,
        function: Callable[..., Awaitable[Any]],
        name: str,
        *,
        reads: bool = False,
        place: str = "",
    ) -> None:
        """Prepare `function`.

        Args:
            function: what is run.
            name: what sentences call it.
            reads: whether it changes nothing: then an empty text means no value, and a number may be a title.
            place: as for `Arguments`.
        """
        parameters, self._injected = split_parameters(function)
        self._function = function
        self._reads = reads
        self._lookups = Lookups({} if place else parameters)  # a URI has ids
        self.arguments = Arguments(name, parameters, named=self._lookups.numbers, empty_is_default=reads, place=place)

    async def run(self, given: Mapping[str, Any], call: Call) -> Any:
        """Return what the function returns.

        Raises:
            InvalidArgumentError: what is given does not fit.
            NotFoundError: there is nothing of a name that is given.
        """
        arguments = await self._lookups.before(self.arguments.read(given), call)
        ids = self._ids(given)
        try:
            return await self._call(arguments, call)
        except (NotFoundError, ForbiddenError) as error:
            arguments = await self._lookups.after(error, arguments, call, ids=ids)
        try:
            return await self._call(arguments, call)
        except NotFoundError as error:  # for a text that is a name, after a number that was one
            arguments = await self._lookups.after(error, arguments, call, ids=ids)
        return await self._call(arguments, call)

    def _ids(self, given: Mapping[str, Any]) -> frozenset[str]:
        """Return the numbers that were not written as text, where something changes: they are ids alone.

        What has such a number for a title must not be changed in the place of what is gone.
        """
        if self._reads:
            return frozenset()
        return frozenset(name for name in self._lookups.numbers if not isinstance(given.get(name), str))

    async def _call(self, arguments: Mapping[str, Any], call: Call) -> Any:
        return await self._function(**arguments, **inject(self._injected, call))
