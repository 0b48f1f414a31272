"""The MCP server: the SDK's low-level server, with handlers for tools, resources and completions.

Each use requires an `Admission` for it and is logged and counted once. Errors are converted to the form that MCP
clients show.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from importlib.metadata import version
from typing import Any, Final, TypeVar

import mcp_types as mcp
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError

from nextcloud_mcp.auth.scopes import Feature, Offer
from nextcloud_mcp.boundary.call import Call, Services, admission_of
from nextcloud_mcp.boundary.declaration import AnyTool, App, Prompt
from nextcloud_mcp.boundary.prompts import Writer
from nextcloud_mcp.boundary.record import recorded
from nextcloud_mcp.boundary.resources import Reader
from nextcloud_mcp.boundary.results import failed
from nextcloud_mcp.boundary.visibility import VisibilityFilter
from nextcloud_mcp.errors import (
    InsufficientScopeError,
    InvalidArgumentError,
    NextcloudError,
    NextcloudMCPError,
    NotFoundError,
    quoted,
)

Outcome = TypeVar("Outcome")
Context = ServerRequestContext[Services, Any]
Lifespan = Callable[[Server[Services]], AbstractAsyncContextManager[Services]]

NOTHING_PROPOSED: Final = mcp.CompleteResult(completion=mcp.Completion(values=[], total=0, has_more=False))


class Boundary:
    """The features of one server, and the handlers of its requests."""

    def __init__(self, offer: Offer, apps: Iterable[App], prompts: Iterable[Prompt], *, output_schemas: bool) -> None:
        """Serve what the apps and prompts declare, as far as it is in `offer`."""
        self._offer = offer
        apps = tuple(apps)
        self._visibility = VisibilityFilter(
            offer, {each.feature.name: app.key for app in apps for each in app.requirements}
        )
        self._tools = {each.name: each for app in apps for each in app.tools if offer.has(each.requirement.feature)}
        self._readers = {
            each.uri: Reader(each) for app in apps for each in app.resources if offer.has(each.requirement.feature)
        }
        self.prompts = {
            writer.name: writer for writer in map(Writer, prompts) if writer.prompt.tools <= self._tools.keys()
        }
        self._to_mcp_tool = {
            name: _to_mcp_tool(tool, output_schema=output_schemas) for name, tool in self._tools.items()
        }

    def input_schema(self, name: str) -> Mapping[str, Any] | None:
        """Return the schema of a tool's arguments, with which the SDK checks the headers."""
        return self._tools[name].parameters if name in self._tools else None

    async def list_tools(self, context: Context, _: mcp.PaginatedRequestParams | None) -> mcp.ListToolsResult:
        """Return the tools that the caller can use."""
        visible = await self._visibility.visible(context, "tool", self._to_mcp_tool)
        return mcp.ListToolsResult(tools=[tool for name, tool in self._to_mcp_tool.items() if name in visible])

    async def call_tool(self, context: Context, params: mcp.CallToolRequestParams) -> mcp.CallToolResult:
        """Call a tool; errors are returned in the result."""
        call = _call(context, Feature("tool", params.name))
        if call is None or params.name not in self._tools:
            return failed(
                InvalidArgumentError(
                    "There is no tool {tool}", "call one that tools/list shows", tool=quoted(params.name)
                )
            )
        tool, arguments = self._tools[params.name], params.arguments or {}
        known = {name: arguments[name] for name in tool.parameters["properties"].keys() & arguments.keys()}
        try:
            with recorded(call, known):
                self._check_scopes(call, arguments)
                return await self._explain_missing_app(tool.run(arguments, call), call)
        except NextcloudMCPError as error:
            return failed(error)

    def _check_scopes(self, call: Call, arguments: Mapping[str, Any]) -> None:
        """Raise `InsufficientScopeError` if the arguments that the SDK parsed need a scope that the token lacks."""
        feature = call.admission.feature
        if missing := self._offer.missing(feature, call.admission.principal.scopes, arguments):
            raise InsufficientScopeError(feature.name, granted=(), missing=missing)

    async def _explain_missing_app(self, use: Awaitable[Outcome], call: Call) -> Outcome:
        """Return the outcome of a use; if Nextcloud returns an error, check whether the app is missing."""
        try:
            return await use
        except NextcloudError as error:
            raise await self._visibility.explain(error, call) from None

    async def list_resources(self, context: Context, _: mcp.PaginatedRequestParams | None) -> mcp.ListResourcesResult:
        """Return the resources without variables that the caller can read."""
        visible = await self._visibility.visible(context, "resource", self._readers)
        return mcp.ListResourcesResult(
            resources=[
                mcp.Resource(uri=uri, **reader.described)
                for uri, reader in self._readers.items()
                if uri in visible and not reader.is_template
            ]
        )

    async def list_resource_templates(
        self, context: Context, _: mcp.PaginatedRequestParams | None
    ) -> mcp.ListResourceTemplatesResult:
        """Return the resources with variables that the caller can read."""
        visible = await self._visibility.visible(context, "resource", self._readers)
        return mcp.ListResourceTemplatesResult(
            resource_templates=[
                mcp.ResourceTemplate(uri_template=uri, **reader.described)
                for uri, reader in self._readers.items()
                if uri in visible and reader.is_template
            ]
        )

    async def read_resource(self, context: Context, params: mcp.ReadResourceRequestParams) -> mcp.ReadResourceResult:
        """Read a resource.

        Raises:
            MCPError: the resource can't be read; has the sentence for the caller.
        """
        uri = str(params.uri)
        template, values = self._offer.resource_at(uri) or ("", {})
        call = _call(context, Feature("resource", template))
        if call is None or template not in self._readers:
            raise _to_mcp_error(
                InvalidArgumentError(
                    "There is no resource {uri}",
                    "resources/list and resources/templates/list show what there is",
                    uri=uri[:200],
                ),
                uri=uri,
            )
        try:
            with recorded(call, values):
                return await self._explain_missing_app(self._readers[template].read(uri, values, call), call)
        except NextcloudMCPError as error:
            raise _to_mcp_error(error, uri=uri) from None

    async def complete(self, context: Context, params: mcp.CompleteRequestParams) -> mcp.CompleteResult:
        """Propose values for a variable of a resource's URI; for prompts there are no proposals.

        Raises:
            MCPError: there is no such template or variable, or the function failed; has the sentence for the caller.
        """
        if not isinstance(params.ref, mcp.ResourceTemplateReference):
            return NOTHING_PROPOSED
        template, argument = params.ref.uri, params.argument
        call = _call(context, Feature("completion", template))
        if call is None or template not in self._readers:
            raise _to_mcp_error(
                InvalidArgumentError("There is nothing to complete", "name a template of resources/templates/list")
            )
        known = (params.context and params.context.arguments) or {}
        try:
            with recorded(call, {"value": argument.value}):
                proposed = self._readers[template].complete(argument.name, argument.value, known, call)
                return mcp.CompleteResult(completion=await self._explain_missing_app(proposed, call))
        except NextcloudMCPError as error:
            raise _to_mcp_error(error) from None

    async def list_prompts(self, context: Context, _: mcp.PaginatedRequestParams | None) -> mcp.ListPromptsResult:
        """Return the prompts whose tools the caller can all use."""
        visible = await self._visibility.visible(context, "tool", self._to_mcp_tool)
        return mcp.ListPromptsResult(
            prompts=[writer.listed for writer in self.prompts.values() if writer.prompt.tools <= visible]
        )

    async def get_prompt(self, _: Context, params: mcp.GetPromptRequestParams) -> mcp.GetPromptResult:
        """Return a prompt's text.

        Raises:
            MCPError: there is no such prompt, or its arguments are invalid; has the sentence for the caller.
        """
        if params.name not in self.prompts:
            raise _to_mcp_error(
                InvalidArgumentError(
                    "There is no prompt {prompt}", "prompts/list shows what there is", prompt=quoted(params.name)
                )
            )
        try:
            return self.prompts[params.name].write(dict(params.arguments or {}))
        except InvalidArgumentError as error:
            raise _to_mcp_error(error) from None


def create_server(
    offer: Offer,
    apps: Iterable[App],
    prompts: Iterable[Prompt],
    *,
    output_schemas: bool,
    lifespan: Lifespan,
    title: str,
    instructions: str,
) -> Server[Services]:
    """Return the server; its capabilities follow from its handlers."""
    boundary = Boundary(offer, apps, prompts, output_schemas=output_schemas)
    return Server(
        "nextcloud-mcp",
        version=version("nextcloud-mcp"),
        title=title,
        instructions=instructions,
        lifespan=lifespan,
        get_tool_input_schema=boundary.input_schema,
        on_list_tools=boundary.list_tools,
        on_call_tool=boundary.call_tool,
        on_list_resources=boundary.list_resources,
        on_list_resource_templates=boundary.list_resource_templates,
        on_read_resource=boundary.read_resource,
        on_completion=boundary.complete,
        on_list_prompts=boundary.list_prompts if boundary.prompts else None,
        on_get_prompt=boundary.get_prompt if boundary.prompts else None,
    )


def _call(context: Context, feature: Feature) -> Call | None:
    """Return the call if its admission is for this feature, or None."""
    admission = admission_of(context)
    is_admitted = admission is not None and admission.feature == feature
    return Call(admission, context.lifespan_context) if admission is not None and is_admitted else None


def _to_mcp_tool(tool: AnyTool, *, output_schema: bool) -> mcp.Tool:
    return mcp.Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=tool.parameters,
        output_schema=tool.output_schema if output_schema else None,
        annotations=tool.annotations,
    )


def _to_mcp_error(error: NextcloudMCPError, **named: str) -> MCPError:
    return MCPError(_code(error), str(error), {**named, "error": error.parts})


def _code(error: NextcloudMCPError) -> int:
    """Return the JSON-RPC code of an error, which depends on whether the caller can fix it."""
    return mcp.INVALID_PARAMS if isinstance(error, NotFoundError | InvalidArgumentError) else mcp.INTERNAL_ERROR
