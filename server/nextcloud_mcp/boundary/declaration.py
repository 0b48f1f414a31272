"""How an app declares its tools, resources and prompts.

The tools are in its `tools.py`. A decorator above each function declares its title, its scopes and what it may change:

    @reads("Read a note", scopes="notes:read")
    async def nc_notes_get_note(note_id: int, nextcloud: AsUser) -> Note: ...

The app itself is declared in its `__init__.py`:

    APP = App("notes", key="notes", tools=tools_in(tools), resources=tools.RESOURCES)

A resource is declared as `Resource("nc://Notes/{note_id}", nc_notes_get_note, "A note", scopes="notes:read")`. Its
function is written like that of a tool, and may be one. The variables of the URI are its arguments. It returns a model,
which is sent as JSON, or a `Content`. A function in `complete` proposes values for a variable. Its parameters are
`value`, the text typed so far, the preceding variables that it needs, and `AsUser`. It returns strings, the best first.
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

from nextcloud_mcp.auth.scopes import Feature, Requirement, no_further_scopes
from nextcloud_mcp.boundary.arguments import with_commas
from nextcloud_mcp.boundary.call import Call
from nextcloud_mcp.boundary.function import Function
from nextcloud_mcp.boundary.results import Results
from nextcloud_mcp.boundary.schemas import input_schema

CommaList = Annotated[str, BeforeValidator(with_commas), Field(max_length=100_000)]
"""A comma-separated text, or a list of texts. The calendar accepts at most 1,000 parts."""

Texts = Annotated[list[str], Field(max_length=1_000)]
"""A list of texts."""


Given = ParamSpec("Given")
Returned = TypeVar("Returned")
Asynchronous = Callable[Given, Awaitable[Returned]]
MoreScopes = Callable[[Mapping[str, Any]], frozenset[str]]


class Tool(Generic[Given, Returned]):
    """A tool: its function, its description for clients, and the scopes that it needs."""

    def __init__(
        self,
        function: Asynchronous[Given, Returned],
        title: str,
        scopes: str,
        more_scopes: MoreScopes,
        annotations: ToolAnnotations,
    ) -> None:
        """Declare `function` as a tool of the same name.

        Args:
            function: the function of the tool; its docstring is the description.
            title: the display name.
            scopes: the scopes that every call needs, separated by spaces (RFC 6749 section 3.3).
            more_scopes: see `auth.scopes.Requirement`.
            annotations: what the tool may change.
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
        """Call the function directly, for the app's own code."""
        return self._call(*args, **kwargs)

    async def run(self, arguments: Mapping[str, Any], call: Call) -> CallToolResult:
        """Call the function with a client's arguments, and return the result in the form of MCP.

        Raises:
            NextcloudMCPError: the arguments are invalid, or the function raises it.
        """
        return self._results.of(await self._function.run(arguments, call))


AnyTool = Tool[Any, Any]


def reads(
    title: str, *, scopes: str, more_scopes: MoreScopes = no_further_scopes
) -> Callable[[Asynchronous[Given, Returned]], Tool[Given, Returned]]:
    """Declare the decorated function as a tool that changes nothing."""
    annotations = ToolAnnotations(read_only_hint=True, open_world_hint=False)
    return lambda function: Tool(function, title, scopes, more_scopes, annotations)


def writes(
    title: str, *, scopes: str, destructive: bool, idempotent: bool, more_scopes: MoreScopes = no_further_scopes
) -> Callable[[Asynchronous[Given, Returned]], Tool[Given, Returned]]:
    """Declare the decorated function as a tool that changes something.

    Args:
        title: see `Tool`.
        scopes: see `Tool`.
        destructive: whether a call may delete or overwrite what exists.
        idempotent: whether a second call with the same arguments changes nothing more.
        more_scopes: see `Tool`.
    """
    annotations = ToolAnnotations(
        read_only_hint=False, destructive_hint=destructive, idempotent_hint=idempotent, open_world_hint=False
    )
    return lambda function: Tool(function, title, scopes, more_scopes, annotations)


@dataclass(frozen=True)
class Resource:
    """A resource: its URI or URI template (RFC 6570), its reading function, and the functions that complete its URI."""

    uri: str
    function: Callable[..., Awaitable[Any]]
    title: str
    scopes: str
    mime_type: str = "application/json"
    complete: Mapping[str, Callable[..., Awaitable[list[str]]]] = field(default_factory=dict)

    @property
    def requirement(self) -> Requirement:
        """The scopes for reading it and for completing its URI."""
        return Requirement(Feature("resource", self.uri), frozenset(self.scopes.split()))


@dataclass(frozen=True)
class App:
    """One app with its tools and resources.

    Attributes:
        name: its name in scopes and for people.
        key: its name in Nextcloud's capabilities.
        tools: in the order in which clients see them.
        resources: in the order in which clients see them.
        probe: a request that changes nothing, such as `GET /index.php/apps/deck/api/v1.1/boards`. With it, the doctor
            checks whether the app's API answers; `{user}` stands for the user id.
    """

    name: str
    key: str
    tools: tuple[AnyTool, ...]
    resources: tuple[Resource, ...] = ()
    probe: str | None = None

    @property
    def requirements(self) -> list[Requirement]:
        """The scopes that each of its tools and resources needs."""
        return [*(tool.requirement for tool in self.tools), *(resource.requirement for resource in self.resources)]


def tools_in(*modules: ModuleType) -> tuple[AnyTool, ...]:
    """Return the tools that the modules declare, in their order."""
    return tuple(each for module in modules for each in vars(module).values() if isinstance(each, Tool))


@dataclass(frozen=True)
class Prompt:
    """A prompt: the function that returns its text, its title, and the tools that the text names."""

    function: Callable[..., str]
    title: str
    tools: frozenset[str]


@dataclass(frozen=True)
class Content:
    """The content of a resource, if it is not JSON; `mime_type` may differ from the declared one."""

    data: str | bytes
    mime_type: str


class Result(BaseModel):
    """The fields that all results have."""

    success: bool = True
    timestamp: datetime = Field(default_factory=lambda: datetime.now(UTC))
