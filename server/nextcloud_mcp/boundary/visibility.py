"""What a client is shown: what its token allows, of the apps that this Nextcloud has for its person.

The apps are asked when a list is, with a token got as for a call, and remembered for a short while. If they can't be
had, all that the token allows is shown, and the log says so: a list that is too long does less harm than none.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final, Literal

import anyio
import structlog
from mcp.server.context import ServerRequestContext

from nextcloud_mcp.auth.credentials import account_with
from nextcloud_mcp.auth.scopes import Feature, Offer
from nextcloud_mcp.auth.verifier import Principal
from nextcloud_mcp.boundary.call import Call, Services
from nextcloud_mcp.errors import (
    AppMissingError,
    ForbiddenError,
    NextcloudError,
    NextcloudMCPError,
    NextcloudUnavailableError,
    NotFoundError,
)
from nextcloud_mcp.nextcloud import capabilities
from nextcloud_mcp.nextcloud.client import Nextcloud

APPS_TIMEOUT: Final = 5.0
"""Seconds that a list waits for the apps."""

log = structlog.get_logger()


class VisibilityFilter:
    """Decides what a list shows, and says of what it does not show why a call fails."""

    def __init__(self, offer: Offer, app_of: Mapping[str, str]) -> None:
        """Show what is in `offer`.

        Args:
            offer: tools and resources, with their scopes.
            app_of: the app of each of them, as capabilities name it.
        """
        self._offer = offer
        self._app_of = app_of

    async def visible(
        self, context: ServerRequestContext[Services, Any], kind: Literal["tool", "resource"], names: Collection[str]
    ) -> frozenset[str]:
        """Return those of `names` that would not fail for the lack of a scope or an app."""
        if context.request is None:
            return frozenset(names)
        principal: Principal = context.request.state.principal
        apps = await _apps(context.lifespan_context, principal)
        return frozenset(name for name in names if self._works(Feature(kind, name), principal, apps))

    def _works(self, feature: Feature, principal: Principal, apps: frozenset[str] | None) -> bool:
        allowed = not self._offer.missing(feature, principal.scopes)
        return allowed and (apps is None or self._app_of[feature.name] in apps)

    async def explain(self, error: NextcloudError, call: Call) -> NextcloudError:
        """Return what to say of a failed call: its error, unless the reason is that its app is not there."""
        admission, services = call.admission, call.services
        app = self._app_of[admission.feature.name]
        if not isinstance(error, NotFoundError | ForbiddenError):
            return error
        known = services.people.apps(admission.account)
        if known is None or app not in known:  # it may have come since
            try:
                known = await _ask(services, admission.principal, admission.token())
            except NextcloudError:
                return error  # Nextcloud is in trouble, of which the call's own error tells
        return error if app in known else AppMissingError(app)


async def _apps(services: Services, principal: Principal) -> frozenset[str] | None:
    """Return the apps that Nextcloud has for the principal, None if that can't be told now."""
    known = services.people.apps(principal.account)
    if known is not None:
        return known
    with anyio.move_on_after(APPS_TIMEOUT):
        try:
            return await _ask(services, principal, await services.credentials.for_nextcloud(principal))
        except NextcloudMCPError as error:
            _log_unknown(principal, **error.log_fields)
            return None
    _log_unknown(
        principal, code=NextcloudUnavailableError.code, cause=f"Nextcloud did not answer within {APPS_TIMEOUT:g} s"
    )
    return None


async def _ask(services: Services, principal: Principal, token: str) -> frozenset[str]:
    account = account_with(token, principal)
    known = await capabilities.apps(Nextcloud(services.http, services.people, account=account, token=token))
    services.people.remember_apps(account, known)
    return known


def _log_unknown(principal: Principal, **why: Any) -> None:
    log.warning("apps.unknown", **principal.log_fields, **why)
