"""How tools, resources and prompts are declared.

A module of `tools` declares three names:

    APP: Final = "notes"                    # the key by which Nextcloud's capabilities announce the app
    TOOLS = (reads(nc_notes_get_note, "Read a note"), …)
    RESOURCES = (                           # left away where there are none
        Resource("notes://settings", notes_settings, "Settings of Notes"),
        Resource("nc://Notes/{note_id}", nc_notes_get_note, "A note", complete={"note_id": note_ids}),
    )

and everything in them has its scopes in `auth.scopes`. The function of a resource is written like that of a tool, and
may be one: what the URI fills in are its arguments. It returns a model, which is sent as JSON, or a `Content`. A
function in `complete` proposes values for a variable: it takes `value`, what has been typed so far, the variables
that come before it if it needs them, and `AsUser`; it returns strings, the best first.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from inspect import getdoc
from typing import Annotated, Any

from mcp_types import CallToolResult, ToolAnnotations
from pydantic import BaseModel, BeforeValidator, Field

from nextcloud_mcp.boundary.arguments import with_commas
from nextcloud_mcp.boundary.call import Call
from nextcloud_mcp.boundary.function import Function
from nextcloud_mcp.boundary.results import Results
from nextcloud_mcp.boundary.schemas import input_schema

CommaList = Annotated[str, BeforeValidator(with_commas), Field(max_length=100_000)]
"""A text that lists things with commas between, or a list of texts; in code, a list has at most 1,000 parts."""

Texts = Annotated[list[str], Field(max_length=1_000)]
"""A list of texts."""


class Tool:
    """A tool: its function, and what clients are told of it."""

    def __init__(self, function: Callable[..., Any], title: str, annotations: ToolAnnotations) -> None:
        """Declare `function` as a tool that is called by its name.

        Args:
            function: what the tool does; its docstring is the description.
            title: for people.
            annotations: what it may change.
        """
        self.name = function.__name__
        self.title = title
        self.description = " ".join((getdoc(function) or "").split())
        self.annotations = annotations
        self._function = Function(function, self.name, empty_is_default=bool(annotations.read_only_hint))
        self._results = Results(function)
        self.arguments = self._function.arguments
        self.parameters = input_schema(self.arguments.schema())
        self.output_schema = self._results.schema

    async def run(self, arguments: Mapping[str, Any], call: Call) -> CallToolResult:
        """Call the function and return what it returns, as MCP has it.

        Raises:
            NextcloudMCPError: the arguments do not fit, or what the function raises.
        """
        return self._results.of(await self._function.run(arguments, call))


def reads(function: Callable[..., Any], title: str) -> Tool:
    """Declare a tool that changes nothing."""
    return Tool(function, title, ToolAnnotations(read_only_hint=True, open_world_hint=False))


def writes(function: Callable[..., Any], title: str, *, destructive: bool, idempotent: bool) -> Tool:
    """Declare a tool that changes something; `destructive` if what was there before can be gone afterwards."""
    annotations = ToolAnnotations(
        read_only_hint=False, destructive_hint=destructive, idempotent_hint=idempotent, open_world_hint=False
    )
    return Tool(function, title, annotations)


@dataclass(frozen=True)
class Resource:
    """A resource: its URI or URI template (RFC 6570), the function that reads it, and what completes the URI."""

    uri: str
    function: Callable[..., Awaitable[Any]]
    title: str
    mime_type: str = "application/json"
    complete: Mapping[str, Callable[..., Awaitable[list[str]]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Prompt:
    """A prompt: what writes the order, its title, and the tools that the order speaks of."""

    function: Callable[..., str]
    title: str
    tools: frozenset[str]


@dataclass(frozen=True)
class Content:
    """What a resource holds, where that is no JSON; `mime_type` may differ from the declared one."""

    data: str | bytes
    mime_type: str


class Result(BaseModel):
    """The fields that every result has besides its own."""

    success: bool = True
    timestamp: datetime = Field(default_factory=lambda: datetime.now(UTC))
