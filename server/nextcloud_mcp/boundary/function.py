"""Run the functions of tools, resources and completions with their arguments."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from nextcloud_mcp.boundary.arguments import Arguments
from nextcloud_mcp.boundary.call import Call, inject, split_parameters
from nextcloud_mcp.boundary.lookup import Lookups
from nextcloud_mcp.errors import ForbiddenError, NotFoundError


class Function:
    """Runs a function with the caller's arguments and the injected parameters."""

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
            function: the function to run.
            name: its name in errors.
            reads: whether it changes nothing; then an empty text means no value, and a number may be a title.
            place: see `Arguments`.
        """
        parameters, self._injected = split_parameters(function)
        self._function = function
        self._reads = reads
        self._lookups = Lookups({} if place else parameters)  # a URI has ids
        self.arguments = Arguments(name, parameters, named=self._lookups.numbers, empty_is_default=reads, place=place)

    async def run(self, given: Mapping[str, Any], call: Call) -> Any:
        """Return what the function returns.

        Raises:
            InvalidArgumentError: the arguments are invalid.
            NotFoundError: no item has the given name.
        """
        arguments = await self._lookups.before(self.arguments.read(given), call)
        ids = self._explicit_ids(given)
        try:
            return await self._call(arguments, call)
        except (NotFoundError, ForbiddenError) as error:
            arguments = await self._lookups.after(error, arguments, call, ids=ids)
        try:
            return await self._call(arguments, call)
        except NotFoundError as error:  # the number was a title, and a text is a name
            arguments = await self._lookups.after(error, arguments, call, ids=ids)
        return await self._call(arguments, call)

    def _explicit_ids(self, given: Mapping[str, Any]) -> frozenset[str]:
        """Return the number arguments that can only be ids: of a function that writes, those not written as text.

        Otherwise, if an item is gone, the function would change another item that has the number as its title.
        """
        if self._reads:
            return frozenset()
        return frozenset(name for name in self._lookups.numbers if not isinstance(given.get(name), str))

    async def _call(self, arguments: Mapping[str, Any], call: Call) -> Any:
        return await self._function(**arguments, **inject(self._injected, call))
