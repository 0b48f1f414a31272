"""How a resource is read and its URI completed (MCP, "Resources" and "Completion").

The functions run as tools do, by the SDK's own machinery for those: it fills in what a function asks for, checks
what the URI fills in against its parameters, and keeps the text of a crash to itself. The SDK's resources could not
do that: one without variables is told nothing of the request that it answers.
"""

from collections.abc import Mapping
from typing import Any

from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.tools import Tool
from mcp_types import Completion
from pydantic import ValidationError
from pydantic_core import to_json

from nextcloud_mcp.errors import InvalidArgumentError
from nextcloud_mcp.tools.context import Content, Resource

MAX_PROPOSALS = 100
"""Values of one completion, as MCP has it ("Completion Results")."""


class Reader:
    """Reads one resource, or the resources of one template."""

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        self._function = Tool.from_function(resource.function, structured_output=False)
        self._completions = {
            variable: Tool.from_function(function, structured_output=False)
            for variable, function in resource.complete.items()
        }

    async def read(self, values: Mapping[str, str], context: Context[Any, Any]) -> ReadResourceContents:
        """Read the resource whose URI fills in `values`.

        Raises:
            InvalidArgumentError: one of them is impossible.
            UnexpectedToolError: anything else; its cause is what the function raised.
        """
        found = await _run(self._function, values, context)
        if isinstance(found, Content):
            return ReadResourceContents(found.data, found.mime_type)
        return ReadResourceContents(to_json(found).decode(), self.resource.mime_type)

    async def complete(
        self, variable: str, value: str, known: Mapping[str, str], context: Context[Any, Any]
    ) -> Completion:
        """Propose values for a variable; `known` are those before it.

        Raises:
            InvalidArgumentError: `known` lacks what the proposals depend on, or has something impossible.
            UnexpectedToolError: anything else; its cause is what the function raised.
        """
        if variable not in self._completions:
            return Completion(values=[], total=0, has_more=False)
        found = await _run(self._completions[variable], {**known, "value": value}, context)
        return Completion(values=found[:MAX_PROPOSALS], total=len(found), has_more=len(found) > MAX_PROPOSALS)


async def _run(function: Tool, arguments: Mapping[str, str], context: Context[Any, Any]) -> Any:
    try:
        return await function.run(dict(arguments), context)
    except ToolError as error:
        if not isinstance(error.__cause__, ValidationError):
            raise
        first = error.__cause__.errors(include_input=False, include_url=False)[0]
        raise InvalidArgumentError(f"{first['loc'][0]} is not possible so in this URI: {first['msg']}.") from None
