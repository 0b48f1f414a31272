"""What a function behind a tool or a resource is given besides its arguments: parameters that clients do not see."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import Parameter, signature
from typing import Annotated, Any, Literal

import httpx
from mcp.server.context import ServerRequestContext

from nextcloud_mcp.auth.admission import Admission
from nextcloud_mcp.auth.credentials import Credentials
from nextcloud_mcp.auth.scopes import Offer
from nextcloud_mcp.boundary.markers import marker_in
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.users import People


@dataclass(frozen=True)
class Services:
    """What lives as long as the server and serves every call; holds no token."""

    http: httpx.AsyncClient
    people: People
    credentials: Credentials
    mode: Literal["exchange", "pass-through"]
    offer: Offer
    addresses: tuple[str, ...] = ()
    """The URLs under which people know this Nextcloud, and this server does."""


@dataclass(frozen=True)
class Call:
    """One use of a tool or a resource: the admission under which it runs, and what serves it."""

    admission: Admission
    services: Services

    def nextcloud(self) -> Nextcloud:
        """Open this call's conversation with Nextcloud; raises the exchange's error if there is no token."""
        return Nextcloud(
            self.services.http, self.services.people, account=self.admission.account, token=self.admission.token()
        )


@dataclass(frozen=True)
class Injected:
    """Marks a parameter that is filled in from the call."""

    value_from: Callable[[Call], Any]


AsUser = Annotated[Nextcloud, Injected(Call.nextcloud)]
"""A parameter of this type is Nextcloud as the person who calls."""

Admitted = Annotated[Admission, Injected(lambda call: call.admission)]
"""A parameter of this type is the admission under which the function runs."""

Shared = Annotated[Services, Injected(lambda call: call.services)]
"""A parameter of this type is what lives as long as the server."""


def admission_of(context: ServerRequestContext[Services, Any]) -> Admission | None:
    """Return the admission that `auth.admission` left in the request's state, if there is one."""
    admission = getattr(context.request.state, "admission", None) if context.request is not None else None
    return admission if isinstance(admission, Admission) else None


def split_parameters(function: Callable[..., Any]) -> tuple[dict[str, Parameter], dict[str, Injected]]:
    """Return the parameters of a function that callers fill in, and how the others are filled in."""
    arguments: dict[str, Parameter] = {}
    injected: dict[str, Injected] = {}
    for name, parameter in signature(function, eval_str=True).parameters.items():
        marker = marker_in(parameter.annotation, Injected)
        if marker is None:
            arguments[name] = parameter
        else:
            injected[name] = marker
    return arguments, injected


def inject(injected: Mapping[str, Injected], call: Call) -> dict[str, Any]:
    """Return the values of the parameters that a call fills in."""
    return {name: each.value_from(call) for name, each in injected.items()}
