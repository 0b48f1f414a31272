"""What the functions behind tools and resources are given besides their arguments, and how both are declared.

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

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

import httpx
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resolve import Resolve
from mcp.server.mcpserver.tools import Tool
from mcp_types import ToolAnnotations
from pydantic import BaseModel, Field

from nextcloud_mcp.auth.admission import Admission
from nextcloud_mcp.auth.credentials import Credentials
from nextcloud_mcp.auth.scopes import DECK_CALENDAR, Offer
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.users import People

LONG: Final = 1000
"""Bytes of an input schema above which it is written shorter: no tool is to fill more than its share."""


@dataclass(frozen=True)
class Services:
    """What lives as long as the server and serves every call; holds no token."""

    http: httpx.AsyncClient
    people: People
    credentials: Credentials
    mode: Literal["exchange", "pass-through"]
    offer: Offer


def reads(function: Callable[..., Any], title: str) -> Tool:
    """Declare a tool that changes nothing."""
    return _tool(function, title, ToolAnnotations(read_only_hint=True, open_world_hint=False))


def writes(function: Callable[..., Any], title: str, *, destructive: bool, idempotent: bool) -> Tool:
    """Declare a tool that changes something; `destructive` if what was there before can be gone afterwards."""
    annotations = ToolAnnotations(
        read_only_hint=False, destructive_hint=destructive, idempotent_hint=idempotent, open_world_hint=False
    )
    return _tool(function, title, annotations)


def _tool(function: Callable[..., Any], title: str, annotations: ToolAnnotations) -> Tool:
    """Declare a tool with schemas that say nothing twice: a model reads them all before the first question."""
    tool = Tool.from_function(function, title=title, annotations=annotations)
    tool.description = " ".join(tool.description.split())
    tool.parameters = _without_titles(tool.parameters)
    if len(json.dumps(tool.parameters, separators=(",", ":"))) > LONG:
        tool.parameters["properties"] = {name: _shorter(part) for name, part in tool.parameters["properties"].items()}
    if tool.fn_metadata.output_schema is not None:
        tool.fn_metadata.output_schema = _without_titles(tool.fn_metadata.output_schema)
    return tool


def _shorter(schema: dict[str, Any]) -> dict[str, Any]:
    """Write a parameter that may be null in half the words; left away, it is null."""
    types = [option.get("type") for option in schema.get("anyOf", [])]
    if not all(isinstance(name, str) for name in types) or len(types) != 2 or schema.get("default", ...) is not None:  # noqa: PLR2004
        return schema
    return {key: part for key, part in schema.items() if key not in {"anyOf", "default"}} | {"type": types}


def _without_titles(schema: Any) -> Any:
    """Drop the titles that pydantic makes of names; a property called `title` stays."""
    if isinstance(schema, list):
        return [_without_titles(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: {name: _without_titles(inner) for name, inner in part.items()}
        if key in {"properties", "$defs"}
        else _without_titles(part)
        for key, part in schema.items()
        if key != "title"
    }


@dataclass(frozen=True)
class Resource:
    """A resource: its URI or URI template (RFC 6570), the function that reads it, and what completes the URI."""

    uri: str
    function: Callable[..., Awaitable[Any]]
    title: str
    mime_type: str = "application/json"
    complete: Mapping[str, Callable[..., Awaitable[list[str]]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Content:
    """What a resource holds, where that is no JSON; `mime_type` may differ from the declared one."""

    data: str | bytes
    mime_type: str


class Result(BaseModel):
    """The fields that every result has besides its own."""

    success: bool = True
    timestamp: datetime = Field(default_factory=lambda: datetime.now(UTC))


def admission_of(context: Context[Services, Any] | None) -> Admission | None:
    """Return the admission that `auth.admission` left in the request's state, if there is one."""
    request = context.request_context.request if context is not None else None
    admission = getattr(request.state, "admission", None) if request is not None else None
    return admission if isinstance(admission, Admission) else None


def _admission(context: Context[Services, Any]) -> Admission:
    admission = admission_of(context)
    if admission is None:
        raise RuntimeError("a function runs without an admission")
    return admission


def hidden_calendars(admission: Admission) -> str | None:
    """Return what is in the names of calendars that this token must not list: without `deck:read`, those of Deck."""
    return None if "deck:read" in admission.principal.scopes else DECK_CALENDAR


def _as_user(context: Context[Services, Any]) -> Nextcloud:
    """Open this call's conversation with Nextcloud; raises the exchange's error if there is no token."""
    admission = _admission(context)
    services = context.request_context.lifespan_context
    return Nextcloud(services.http, services.people, account=admission.account, token=admission.token())


def _services(context: Context[Services, Any]) -> Services:
    return context.request_context.lifespan_context


AsUser = Annotated[Nextcloud, Resolve(_as_user)]
"""A parameter of this type is Nextcloud as the person who calls; clients do not see it."""

Admitted = Annotated[Admission, Resolve(_admission)]
"""A parameter of this type is the admission under which the function runs; clients do not see it."""

Shared = Annotated[Services, Resolve(_services)]
"""A parameter of this type is what lives as long as the server; clients do not see it."""
