"""How an app declares what it offers: tools, resources and prompts.

Its tools stand in its `tools.py`, each with its title, its scopes and what it may change above its function:

    @reads("Read a note", scopes="notes:read")
    async def nc_notes_get_note(note_id: int, nextcloud: AsUser) -> Note: ...

and its `__init__.py` says what belongs to the app:

    APP = App("notes", key="notes", tools=tools_in(tools), resources=tools.RESOURCES)

A resource is declared as `Resource("nc://Notes/{note_id}", nc_notes_get_note, "A note", scopes="notes:read")`. Its
function is written like that of a tool, and may be one: what the URI fills in are its arguments. It returns a model,
which is sent as JSON, or a `Content`. A function in `complete` proposes values for a variable: it takes `value`, what
has been typed so far, the variables that come before it if it needs them, and `AsUser`; it returns strings, the best
first.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import update_wrapper
from inspect import getdoc
from types import ModuleType
from typing import Annotated, Any, Generic, ParamSpec, TypeVar

from mcp_types import CallToolResult, ToolAnnotations
from pydantic import BaseModel, BeforeValidator, Field

from nextcloud_mcp.auth.scopes import Feature, Requirement, nothing_more
from nextcloud_mcp.boundary.arguments import with_commas
from nextcloud_mcp.boundary.call import Call
from nextcloud_mcp.boundary.function import Function
from nextcloud_mcp.boundary.results import Results
from nextcloud_mcp.boundary.schemas import input_schema

CommaList = Annotated[str, BeforeValidator(with_commas), Field(max_length=100_000)]
"""A text that lists things with commas between, or a list of texts; in code, a list has at most 1,000 parts."""

Texts = Annotated[list[str], Field(max_length=1_000)]
"""A list of texts."""


Given = ParamSpec("Given")
Returned = TypeVar("Returned")
Asynchronous = Callable[Given, Awaitable[Returned]]
MoreScopes = Callable[[Mapping[str, Any]], frozenset[str]]


class Tool(Generic[Given, Returned]):
    """A tool: its function, what clients are told of it, and which scopes it needs."""

    def __init__(
        self,
        function: Asynchronous[Given, Returned],
        title: str,
        scopes: str,
        more_scopes: MoreScopes,
        annotations: ToolAnnotations,
    ) -> None:
        """Declare `function` as a tool that is called by its name.

        Args:
            function: what the tool does; its docstring is the description.
            title: for people.
            scopes: needed by every call, with spaces between (RFC 6749 section 3.3).
            more_scopes: as `auth.scopes.Requirement` has it.
            annotations: what it may change.
        """
        update_wrapper(self, function)
        self.name = function.__name__
        self.title = title
        self.description = " ".join((getdoc(function) or "").split())
        self.annotations = annotations
        self.requirement = Requirement(Feature("tool", self.name), frozenset(scopes.split()), more_scopes)
        self._call = function
        self._function = Function(function, self.name, reads=bool(annotations.read_only_hint))
        self._results = Results(function)
        self.arguments = self._function.arguments
        self.parameters = input_schema(self.arguments.schema())
        self.output_schema = self._results.schema

    def __call__(self, *args: Given.args, **kwargs: Given.kwargs) -> Awaitable[Returned]:
        """Call the function itself, as the code of its app does."""
        return self._call(*args, **kwargs)

    async def run(self, arguments: Mapping[str, Any], call: Call) -> CallToolResult:
        """Call the function with what a client sent and return what it returns, as MCP has it.

        Raises:
            NextcloudMCPError: the arguments do not fit, or what the function raises.
        """
        return self._results.of(await self._function.run(arguments, call))


AnyTool = Tool[Any, Any]


def reads(
    title: str, *, scopes: str, more_scopes: MoreScopes = nothing_more
) -> Callable[[Asynchronous[Given, Returned]], Tool[Given, Returned]]:
    """Declare the function below as a tool that changes nothing."""
    annotations = ToolAnnotations(read_only_hint=True, open_world_hint=False)
    return lambda function: Tool(function, title, scopes, more_scopes, annotations)


def writes(
    title: str, *, scopes: str, destructive: bool, idempotent: bool, more_scopes: MoreScopes = nothing_more
) -> Callable[[Asynchronous[Given, Returned]], Tool[Given, Returned]]:
    """Declare the function below as a tool that changes something.

    Args:
        title: as for `Tool`, like `scopes` and `more_scopes`.
        scopes: see there.
        destructive: whether what was there before can be gone afterwards.
        idempotent: whether a second call with the same arguments changes nothing more.
        more_scopes: see there.
    """
    annotations = ToolAnnotations(
        read_only_hint=False, destructive_hint=destructive, idempotent_hint=idempotent, open_world_hint=False
    )
    return lambda function: Tool(function, title, scopes, more_scopes, annotations)


@dataclass(frozen=True)
class Resource:
    """A resource: its URI or URI template (RFC 6570), the function that reads it, and what completes the URI."""

    uri: str
    function: Callable[..., Awaitable[Any]]
    title: str
    scopes: str
    mime_type: str = "application/json"
    complete: Mapping[str, Callable[..., Awaitable[list[str]]]] = field(default_factory=dict)

    @property
    def requirement(self) -> Requirement:
        """What reading it needs, and completing its URI."""
        return Requirement(Feature("resource", self.uri), frozenset(self.scopes.split()))


@dataclass(frozen=True)
class App:
    """One app, and all that it offers.

    Attributes:
        name: what its scopes and people call it.
        key: what Nextcloud's capabilities call it.
        tools: in the order in which clients see them.
        resources: likewise.
        probe: a request that changes nothing, by which the doctor finds out whether its API answers, such as
            `GET /index.php/apps/deck/api/v1.1/boards`; `{user}` in it is the person's id.
    """

    name: str
    key: str
    tools: tuple[AnyTool, ...]
    resources: tuple[Resource, ...] = ()
    probe: str | None = None

    @property
    def requirements(self) -> list[Requirement]:
        """What the use of each of them needs."""
        return [*(tool.requirement for tool in self.tools), *(resource.requirement for resource in self.resources)]


def tools_in(*modules: ModuleType) -> tuple[AnyTool, ...]:
    """Return the tools that modules declare, in their order."""
    return tuple(each for module in modules for each in vars(module).values() if isinstance(each, Tool))


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
