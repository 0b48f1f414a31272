"""Build tool results: structured content, and the same as JSON text for clients that read only text."""

from collections.abc import Callable
from inspect import signature
from typing import Annotated, Any, Final, get_args, get_origin

from mcp_types import CallToolResult, TextContent
from pydantic import TypeAdapter
from pydantic_core import to_json

from nextcloud_mcp.boundary.schemas import without_titles
from nextcloud_mcp.errors import NextcloudMCPError


class Results:
    """Converts what one function returns: an object, or a `CallToolResult`.

    The return type of the latter is annotated with the type of its structured content.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        returned = signature(function, eval_str=True).return_annotation
        content = get_args(returned)[1] if get_origin(returned) is Annotated else returned
        self._adapter: TypeAdapter[Any] = TypeAdapter(content)
        self.schema: dict[str, Any] = without_titles(self._adapter.json_schema())

    def of(self, returned: Any) -> CallToolResult:
        """Return the tool result for the function's return value."""
        if isinstance(returned, CallToolResult):
            return returned
        structured = self._adapter.dump_python(returned, mode="json", by_alias=True)
        text = TextContent(type="text", text=to_json(structured).decode())
        return CallToolResult(content=[text], structured_content=structured)


ERROR_KEY: Final = "nextcloud-mcp/error"
"""The key of an error's parts in `_meta` of a result.

The parts are not structured content: clients on the TypeScript SDK validate that against the tool's output schema even
if `isError` is set, and reject the result.
"""


def failed(error: NextcloudMCPError) -> CallToolResult:
    """Return the tool result for an error: its sentence as text, and its parts for programs."""
    return CallToolResult(
        content=[TextContent(type="text", text=str(error))], is_error=True, _meta={ERROR_KEY: error.parts}
    )
