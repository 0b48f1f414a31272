"""What a tool function is given besides its arguments, and how a tool is declared."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import httpx
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resolve import Resolve
from mcp_types import ToolAnnotations
from pydantic import BaseModel, Field

from nextcloud_mcp.auth.admission import Admission
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.users import Users


@dataclass(frozen=True)
class Resources:
    """What lives as long as the server and serves every call; holds no credential."""

    http: httpx.AsyncClient
    users: Users
    mode: Literal["exchange", "pass-through"]


@dataclass(frozen=True)
class Tool:
    """A tool: its function, and what the SDK can't read from that."""

    function: Callable[..., Any]
    title: str
    annotations: ToolAnnotations


def reads(function: Callable[..., Any], title: str) -> Tool:
    """Declare a tool that changes nothing."""
    return Tool(function, title, ToolAnnotations(read_only_hint=True, open_world_hint=False))


def writes(function: Callable[..., Any], title: str, *, destructive: bool, idempotent: bool) -> Tool:
    """Declare a tool that changes something; `destructive` if what was there before can be gone afterwards."""
    annotations = ToolAnnotations(
        read_only_hint=False, destructive_hint=destructive, idempotent_hint=idempotent, open_world_hint=False
    )
    return Tool(function, title, annotations)


class Result(BaseModel):
    """The fields that every result has besides its own."""

    success: bool = True
    timestamp: datetime = Field(default_factory=lambda: datetime.now(UTC))


def admission_of(context: Context[Resources, Any] | None) -> Admission | None:
    """Return the admission that `auth.admission` left in the request's state, if there is one."""
    request = context.request_context.request if context is not None else None
    admission = getattr(request.state, "admission", None) if request is not None else None
    return admission if isinstance(admission, Admission) else None


def _admission(context: Context[Resources, Any]) -> Admission:
    admission = admission_of(context)
    if admission is None:
        raise RuntimeError("a tool runs without an admission")
    return admission


def _as_user(context: Context[Resources, Any]) -> Nextcloud:
    """Open this call's conversation with Nextcloud; raises the exchange's error if there is no token."""
    admission = _admission(context)
    resources = context.request_context.lifespan_context
    return Nextcloud(resources.http, resources.users, account=admission.principal.account, token=admission.token())


def _resources(context: Context[Resources, Any]) -> Resources:
    return context.request_context.lifespan_context


AsUser = Annotated[Nextcloud, Resolve(_as_user)]
"""A parameter of this type is Nextcloud as the person who calls; clients do not see it."""

Admitted = Annotated[Admission, Resolve(_admission)]
"""A parameter of this type is the admission under which the tool runs; clients do not see it."""

Shared = Annotated[Resources, Resolve(_resources)]
"""A parameter of this type is what lives as long as the server; clients do not see it."""
