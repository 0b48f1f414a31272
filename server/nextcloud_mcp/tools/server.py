"""The MCP server proper: the SDK's, with one boundary around every use of a tool or resource.

At the boundary a use is held against its admission, errors become what MCP clients show, and the log gets one event.
"""

import time
from collections.abc import Awaitable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from inspect import signature
from types import ModuleType
from typing import Any, Final, TypeVar

import anyio
import structlog
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import (
    ResourceError,
    ResourceNotFoundError,
    ToolError,
    UnexpectedResourceError,
    UnexpectedToolError,
)
from mcp.server.mcpserver.prompts import Prompt
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    CallToolResult,
    CompleteRequestParams,
    CompleteResult,
    Completion,
    GetPromptResult,
    InputRequiredResult,
    Resource,
    ResourceTemplate,
    ResourceTemplateReference,
    TextContent,
)
from pydantic import AnyUrl, ValidationError
from pydantic_core import from_json, to_json

from nextcloud_mcp.auth.admission import Admission
from nextcloud_mcp.auth.scopes import Feature, Offer
from nextcloud_mcp.errors import (
    InsufficientScopeError,
    InvalidArgumentError,
    NextcloudError,
    NextcloudMCPError,
    NotFoundError,
)
from nextcloud_mcp.metrics import USES
from nextcloud_mcp.tools import (
    calendar,
    contacts,
    cookbook,
    deck,
    notes,
    search,
    sharing,
    tables,
    todo,
    trash,
    upload,
    webdav,
    whoami,
)
from nextcloud_mcp.tools.context import Services, admission_of
from nextcloud_mcp.tools.prompts import PROMPTS
from nextcloud_mcp.tools.resources import Reader
from nextcloud_mcp.tools.shown import Shown

Outcome = TypeVar("Outcome")

MODULES: Final = (
    whoami,
    notes,
    webdav,
    search,
    upload,
    trash,
    sharing,
    calendar,
    todo,
    contacts,
    deck,
    cookbook,
    tables,
)
"""Where tools and resources are declared; `tools.context` says how."""

INSTRUCTIONS: Final = (
    "Works on the signed-in person's own Nextcloud: files, shares, notes, calendars, tasks, contacts, boards, tables "
    "and recipes, as far as it has them and the token allows. Paths start at their root folder. "
    "Changes that could overwrite somebody's work need the ETag from reading first. "
    "nc_whoami tells who is signed in and which tools the granted scopes leave out."
)

_READERS: Final = {each.uri: Reader(each) for module in MODULES for each in getattr(module, "RESOURCES", ())}

log = structlog.get_logger()


class ToolServer(MCPServer[Services]):
    """Runs a tool, reads a resource and completes its URI only under an `Admission` that names it."""

    def __init__(self, offer: Offer, **options: Any) -> None:
        """Serve what is in `offer`; `options` are `MCPServer`'s."""
        prompts = {prompt.function.__name__: prompt for prompt in PROMPTS if prompt.tools <= offer.tools.keys()}
        apps = {name: module.APP for module in MODULES for name in _names(module)}
        self._shown = Shown(offer, apps, {name: prompt.tools for name, prompt in prompts.items()})
        super().__init__(
            **options,
            tools=[tool for module in MODULES for tool in module.TOOLS if offer.has(Feature("tool", tool.name))],
            middleware=[self._announce_what_is_there, self._shown.filter],
        )
        self._offer = offer
        self._text_parameters = {
            tool.name: frozenset(
                parameter
                for parameter, schema in tool.parameters["properties"].items()
                if schema.get("type") == "string"
            )
            for module in MODULES
            for tool in module.TOOLS
        }
        self._parameters = {
            tool.name: frozenset(tool.parameters["properties"]) for module in MODULES for tool in module.TOOLS
        }
        self._prompts = prompts
        self._readers = {uri: reader for uri, reader in _READERS.items() if offer.has(Feature("resource", uri))}
        # MCPServer.completion() would not hand on the request, and with it the admission
        self._lowlevel_server.add_request_handler("completion/complete", CompleteRequestParams, self._complete)
        for prompt in prompts.values():
            self.add_prompt(Prompt.from_function(prompt.function, title=prompt.title))

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Services, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        """Call a tool by name.

        Raises:
            ToolError: with the sentence for the caller.
        """
        admission = admission_of(context)
        if context is None or admission is None or admission.feature != Feature("tool", name):
            raise ToolError(f"There is no tool {name!r}: call one that tools/list shows.")
        if missing := self._offer.missing(admission.feature, admission.principal.scopes, arguments):
            # the admission saw other arguments than the SDK did
            raise ToolError(str(InsufficientScopeError(name, granted=(), missing=missing)))
        try:
            with _one_event(
                admission, context, {key: arguments[key] for key in self._parameters[name] & arguments.keys()}
            ):
                _check_json_in_text(arguments, self._text_parameters[name])
                result = await self._explained(super().call_tool(name, arguments, context), admission, context)
        except NextcloudMCPError as error:
            raise ToolError(str(error)) from None
        return _compact(result) if isinstance(result, CallToolResult) else result

    async def list_resources(self) -> list[Resource]:
        """Return the resources whose URI has no variables."""
        return [Resource(uri=uri, **_described(reader)) for uri, reader in self._readers.items() if "{" not in uri]

    async def list_resource_templates(self) -> list[ResourceTemplate]:
        """Return the resources whose URI has variables."""
        return [
            ResourceTemplate(uri_template=uri, **_described(reader))
            for uri, reader in self._readers.items()
            if "{" in uri
        ]

    async def read_resource(
        self, uri: AnyUrl | str, context: Context[Services, Any] | None = None
    ) -> Iterable[ReadResourceContents]:
        """Read a resource.

        Raises:
            ResourceNotFoundError: there is none at `uri`.
            ResourceError: it can't be read, with the sentence for the caller.
            UnexpectedResourceError: a defect, of which the caller is told nothing.
        """
        template, values = self._offer.resource_at(str(uri)) or ("", {})
        admission = admission_of(context)
        if context is None or admission is None or admission.feature != Feature("resource", template):
            raise ResourceNotFoundError(
                f"There is no resource {uri}: resources/list and resources/templates/list show what there is."
            )
        try:
            with _one_event(admission, context, values):
                return [await self._explained(self._readers[template].read(values, context), admission, context)]
        except (NotFoundError, InvalidArgumentError) as error:
            raise ResourceNotFoundError(str(error)) from None
        except NextcloudMCPError as error:
            raise ResourceError(str(error)) from None
        except UnexpectedToolError as error:
            raise UnexpectedResourceError(f"Error reading resource {uri}") from error.__cause__

    async def _complete(
        self, request: ServerRequestContext[Services, Any], params: CompleteRequestParams
    ) -> CompleteResult:
        """Propose values for a variable of a resource's URI.

        Raises:
            MCPError: there is no such template, or nothing can be proposed; with the sentence for the caller.
        """
        context = Context(request_context=request, mcp_server=self)
        template = params.ref.uri if isinstance(params.ref, ResourceTemplateReference) else ""
        admission = admission_of(context)
        if not template:
            return CompleteResult(
                completion=Completion(values=[], total=0, has_more=False)
            )  # prompts take what people type
        if admission is None or admission.feature != Feature("completion", template):
            raise MCPError(INVALID_PARAMS, "There is nothing to complete: name a template of resources/templates/list.")
        known = (params.context and params.context.arguments) or {}
        try:
            with _one_event(admission, context, {"value": params.argument.value}):
                proposed = self._readers[template].complete(params.argument.name, params.argument.value, known, context)
                return CompleteResult(completion=await self._explained(proposed, admission, context))
        except NextcloudMCPError as error:
            raise MCPError(INTERNAL_ERROR, str(error)) from None
        except UnexpectedToolError:
            raise MCPError(INTERNAL_ERROR, f"Error completing {template}") from None

    async def _explained(
        self, use: Awaitable[Outcome], admission: Admission, context: Context[Services, Any]
    ) -> Outcome:
        """Wait for the outcome of a use; where that is an error of Nextcloud's, find out whether its app is there.

        Raises:
            NextcloudError: the app is not there, or what was raised.
        """
        try:
            return await use
        except UnexpectedToolError as error:
            if not isinstance(error.__cause__, NextcloudError):
                raise
            services = context.request_context.lifespan_context
            raise await self._shown.explain(error.__cause__, services, admission) from None

    async def get_prompt(
        self, name: str, arguments: dict[str, Any] | None = None, context: Context[Services, Any] | None = None
    ) -> GetPromptResult | InputRequiredResult:
        """Return a prompt's text.

        Raises:
            MCPError: there is no such prompt, or an argument is missing; with the sentence for the caller.
        """
        if name not in self._prompts:
            raise MCPError(INVALID_PARAMS, f"There is no prompt {name!r}: prompts/list shows what there is.")
        try:
            return await super().get_prompt(name, arguments, context)
        except ValueError:
            taken = ", ".join(signature(self._prompts[name].function).parameters)
            raise MCPError(INVALID_PARAMS, f"{name} takes these arguments, as text: {taken}.") from None

    async def _announce_what_is_there(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Announce and serve no prompts where settings leave none; the SDK answers for those in any case."""
        if not self._prompts and ctx.method.startswith("prompts/"):
            raise MCPError(METHOD_NOT_FOUND, "Method not found", ctx.method)
        result = await call_next(ctx)
        if not self._prompts and isinstance(result, dict) and "capabilities" in result:
            return result | {"capabilities": {k: v for k, v in result["capabilities"].items() if k != "prompts"}}
        return result


def _check_json_in_text(arguments: Mapping[str, Any], text_parameters: frozenset[str]) -> None:
    """Refuse JSON in a text that has half a surrogate pair: the SDK parses texts where something else is expected.

    Raises:
        InvalidArgumentError: an argument has such a text.
    """
    for name in arguments.keys() - text_parameters:
        value = arguments[name]
        if isinstance(value, str) and "\\u" in value:
            try:
                from_json(value)
            except ValueError:
                raise InvalidArgumentError(
                    "An argument is a text that is not valid JSON: pass the value itself."
                ) from None


def _names(module: ModuleType) -> list[str]:
    """Return the names of a module's tools and the URI templates of its resources."""
    return [tool.name for tool in module.TOOLS] + [resource.uri for resource in getattr(module, "RESOURCES", ())]


def _described(reader: Reader) -> dict[str, Any]:
    """Return what a list says of a resource besides its URI."""
    resource = reader.resource
    return {
        "name": resource.function.__name__,
        "title": resource.title,
        "description": resource.function.__doc__,
        "mime_type": resource.mime_type,
    }


def _compact(result: CallToolResult) -> CallToolResult:
    """Take out the indentation with which the SDK repeats structured content as text, for clients that read that."""
    if not isinstance(result.structured_content, dict) or isinstance(result.structured_content.get("result"), str):
        return result
    blocks = [
        block.model_copy(update={"text": to_json(from_json(block.text)).decode()})
        if isinstance(block, TextContent) and block.text.startswith(("{\n", "[\n"))
        else block
        for block in result.content
    ]
    return result.model_copy(update={"content": blocks})


@contextmanager
def _one_event(admission: Admission, context: Context[Services, Any], arguments: Mapping[str, Any]) -> Iterator[None]:
    """Log and count what became of one use of a feature: of the arguments, their lengths alone.

    Raises:
        NextcloudMCPError: what was raised on purpose, bare of what the SDK wraps it in.
    """
    feature = admission.feature
    event = log.bind(**feature.label)
    started = time.perf_counter()
    outcome = "crashed"
    try:
        yield
        outcome = "done"
    except (UnexpectedToolError, NextcloudMCPError) as error:
        cause = error.__cause__ if isinstance(error, UnexpectedToolError) else error
        if not isinstance(cause, NextcloudMCPError):  # a defect, of which the caller is told nothing
            event.error(feature.event("crashed"), exc_info=cause, **_who(admission, context))
            raise
        outcome = cause.code
        reason = {"reason": cause.reason} if cause.reason else {}
        fields = _who(admission, context) | {"lengths": _lengths(arguments)}
        event.warning(feature.event("failed"), code=cause.code, **reason, **fields)
        raise cause from None
    except ToolError as error:  # what the SDK says of arguments that do not fit
        outcome = InvalidArgumentError.code
        fields = _who(admission, context) | {"lengths": _lengths(arguments)}
        event.warning(feature.event("failed"), code=outcome, rejected=_rejected(error), **fields)
        raise
    except anyio.get_cancelled_exc_class():  # the client hung up, and so do we at Nextcloud
        outcome = "cancelled"
        event.info(feature.event("cancelled"), ms=_milliseconds_since(started), **_who(admission, context))
        raise
    finally:
        USES.labels(*feature, outcome).inc()
    event.info(feature.event("done"), ms=_milliseconds_since(started), **_who(admission, context))


def _who(admission: Admission, context: Context[Services, Any]) -> dict[str, Any]:
    """Return who it was, by the ids of Keycloak, and of Nextcloud if that was asked in the last minutes."""
    user = context.request_context.lifespan_context.people.user_id(admission.account)
    return admission.principal.log_fields | ({"user": user} if user is not None else {})


def _rejected(error: ToolError) -> list[str]:
    """Return the names of the arguments that do not fit the tool's schema."""
    cause = error.__cause__
    found = cause.errors(include_input=False, include_url=False) if isinstance(cause, ValidationError) else []
    return sorted({str(each["loc"][0]) for each in found if each["loc"]})


def _lengths(arguments: Mapping[str, Any]) -> dict[str, int]:
    """Return the length of each argument that has one: characters of text, items of a list, keys of an object."""
    return {name: len(value) for name, value in arguments.items() if isinstance(value, str | list | dict)}


def _milliseconds_since(started: float) -> int:
    return round((time.perf_counter() - started) * 1000)


def create_server(offer: Offer | None = None, **options: Any) -> ToolServer:
    """Return the server with what is in `offer`, or everything; `options` are `MCPServer`'s."""
    return ToolServer(
        offer or Offer(),
        name="nextcloud-mcp",
        title="Nextcloud",
        version=version("nextcloud-mcp"),
        instructions=INSTRUCTIONS,
        subscriptions=False,  # nothing here changes unasked, and such a stream would outlive its token
        **options,
    )
