"""Inject the parameters that clients do not pass into the function of a tool or resource."""

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
from nextcloud_mcp.nextcloud.account_cache import AccountCache
from nextcloud_mcp.nextcloud.client import Nextcloud


@dataclass(frozen=True)
class Services:
    """The objects with the server's lifetime that all calls share; they store no token."""

    http: httpx.AsyncClient
    accounts: AccountCache
    credentials: Credentials
    mode: Literal["exchange", "pass-through"]
    offer: Offer
    addresses: tuple[str, ...] = ()
    """The URLs of this Nextcloud that this server and people use."""


@dataclass(frozen=True)
class Call:
    """One use of a tool or resource: its admission and the shared services."""

    admission: Admission
    services: Services

    def nextcloud(self) -> Nextcloud:
        """Return this call's Nextcloud client; raise the error of the exchange if there is no token."""
        return Nextcloud(
            self.services.http, self.services.accounts, account=self.admission.account, token=self.admission.token()
        )


@dataclass(frozen=True)
class Injected:
    """Marks a parameter whose value comes from the call."""

    value_from: Callable[[Call], Any]


AsUser = Annotated[Nextcloud, Injected(Call.nextcloud)]
"""A parameter of this type is a Nextcloud client with the caller's token."""

Admitted = Annotated[Admission, Injected(lambda call: call.admission)]
"""A parameter of this type is the call's admission."""

Shared = Annotated[Services, Injected(lambda call: call.services)]
"""A parameter of this type is the shared services."""


def admission_of(context: ServerRequestContext[Services, Any]) -> Admission | None:
    """Return the admission that `auth.admission` stored in the request's state, or None."""
    admission = getattr(context.request.state, "admission", None) if context.request is not None else None
    return admission if isinstance(admission, Admission) else None


def split_parameters(function: Callable[..., Any]) -> tuple[dict[str, Parameter], dict[str, Injected]]:
    """Return the parameters that callers pass, and the markers of the injected parameters."""
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
    """Return the values of the injected parameters."""
    return {name: each.value_from(call) for name, each in injected.items()}
