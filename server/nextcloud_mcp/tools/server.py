"""The MCP server proper: the SDK's, with one boundary around every tool call.

At the boundary a call is held against its admission, errors become tool results, and the log gets one event.
"""

import time
from importlib.metadata import version
from typing import Any, Final

import anyio
import structlog
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from mcp.shared.exceptions import MCPError
from mcp_types import METHOD_NOT_FOUND, CallToolResult, InputRequiredResult

from nextcloud_mcp.auth.scopes import missing_scopes
from nextcloud_mcp.errors import NextcloudMCPError
from nextcloud_mcp.tools import contacts, notes, search, webdav, whoami
from nextcloud_mcp.tools.context import Resources, admission_of

INSTRUCTIONS: Final = (
    "Works on the signed-in person's own Nextcloud: files and notes. Paths start at their root folder. "
    "Changes that could overwrite somebody's work need the ETag from reading first. "
    "nc_whoami tells who is signed in and which tools the granted scopes leave out."
)

log = structlog.get_logger()


class ToolServer(MCPServer[Resources]):
    """Runs a tool only under an `Admission` that names it."""

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Resources, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        """Call a tool by name.

        Raises:
            ToolError: with the sentence for the caller.
        """
        admission = admission_of(context)
        if admission is None or admission.tool != name:
            raise ToolError(f"There is no tool {name!r}: call one that tools/list shows.")
        event = log.bind(tool=name, client=admission.principal.client_id, subject=admission.principal.subject)
        started = time.perf_counter()
        try:
            result = await super().call_tool(name, arguments, context)
        except UnexpectedToolError as error:
            if not isinstance(error.__cause__, NextcloudMCPError):
                raise  # a defect: the SDK logs it with its traceback and tells the caller nothing of it
            event.warning("tool.failed", code=error.__cause__.code, reason=str(error.__cause__))
            raise ToolError(str(error.__cause__)) from None
        except anyio.get_cancelled_exc_class():  # the client hung up, and so do we at Nextcloud
            event.info("tool.cancelled", ms=_milliseconds_since(started))
            raise
        event.info("tool.done", ms=_milliseconds_since(started))
        return result


def _milliseconds_since(started: float) -> int:
    return round((time.perf_counter() - started) * 1000)


async def _tools_alone(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Announce and serve tools alone: of prompts and resources, for which the SDK answers as well, there are none."""
    if ctx.method.startswith(("prompts/", "resources/")):
        raise MCPError(METHOD_NOT_FOUND, "Method not found", ctx.method)
    result = await call_next(ctx)
    if isinstance(result, dict) and "capabilities" in result:
        return result | {"capabilities": {"tools": result["capabilities"]["tools"]}}
    return result


async def _show_what_the_token_allows(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Leave out of `tools/list` what a call would be refused; nc_whoami, which is always there, names those."""
    result = await call_next(ctx)
    if ctx.method != "tools/list" or not isinstance(result, dict) or ctx.request is None:
        return result
    granted = ctx.request.state.principal.scopes
    return result | {"tools": [tool for tool in result["tools"] if not missing_scopes(tool["name"], granted)]}


def create_server(**options: Any) -> ToolServer:
    """Return the server with all tools; `options` are `MCPServer`'s."""
    server = ToolServer(
        name="nextcloud-mcp",
        title="Nextcloud",
        version=version("nextcloud-mcp"),
        instructions=INSTRUCTIONS,
        middleware=[_tools_alone, _show_what_the_token_allows],
        subscriptions=False,  # nothing here changes unasked, and such a stream would outlive its token
        **options,
    )
    for tool in (*whoami.TOOLS, *notes.TOOLS, *webdav.TOOLS, *search.TOOLS, *contacts.TOOLS):
        server.add_tool(tool.function, title=tool.title, annotations=tool.annotations)
    return server
