"""Filter lists: show what the token allows, of the apps that this Nextcloud has for the user.

A list requests the apps with a token that it gets as a call does, and caches them for some minutes. If that fails, it
shows everything that the token allows and logs a warning: a list that is too long is better than none.
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
"""Seconds for which a list waits for the apps."""

log = structlog.get_logger()


class VisibilityFilter:
    """Filters lists, and explains failed calls for which the app is missing."""

    def __init__(self, offer: Offer, app_of: Mapping[str, str]) -> None:
        """Filter what is in `offer`.

        Args:
            offer: tools and resources, with their scopes.
            app_of: the app of each of them, by its name in Nextcloud's capabilities.
        """
        self._offer = offer
        self._app_of = app_of

    async def visible(
        self, context: ServerRequestContext[Services, Any], kind: Literal["tool", "resource"], names: Collection[str]
    ) -> frozenset[str]:
        """Return those of `names` for which the token has the scopes and Nextcloud has the app."""
        if context.request is None:
            return frozenset(names)
        principal: Principal = context.request.state.principal
        apps = await _apps(context.lifespan_context, principal)
        return frozenset(name for name in names if self._is_usable(Feature(kind, name), principal, apps))

    def _is_usable(self, feature: Feature, principal: Principal, apps: frozenset[str] | None) -> bool:
        allowed = not self._offer.missing(feature, principal.scopes)
        return allowed and (apps is None or self._app_of[feature.name] in apps)

    async def explain(self, error: NextcloudError, call: Call) -> NextcloudError:
        """Return `AppMissingError` if that is why a call failed, or else the call's own error."""
        admission, services = call.admission, call.services
        app = self._app_of[admission.feature.name]
        if not isinstance(error, NotFoundError | ForbiddenError):
            return error
        known = services.accounts.apps(admission.account)
        if known is None or app not in known:  # it may have been enabled since
            try:
                known = await _fetch_apps(services, admission.principal, admission.token())
            except NextcloudError:
                return error  # the call's own error is more specific
        return error if app in known else AppMissingError(app)


async def _apps(services: Services, principal: Principal) -> frozenset[str] | None:
    """Return the apps that Nextcloud has for the user; None if they can't be read now."""
    known = services.accounts.apps(principal.account)
    if known is not None:
        return known
    with anyio.move_on_after(APPS_TIMEOUT):
        try:
            return await _fetch_apps(services, principal, await services.credentials.for_nextcloud(principal))
        except NextcloudMCPError as error:
            _log_unknown(principal, **error.log_fields)
            return None
    _log_unknown(
        principal, code=NextcloudUnavailableError.code, cause=f"Nextcloud did not answer within {APPS_TIMEOUT:g} s"
    )
    return None


async def _fetch_apps(services: Services, principal: Principal, token: str) -> frozenset[str]:
    account = account_with(token, principal)
    known = await capabilities.apps(Nextcloud(services.http, services.accounts, account=account, token=token))
    services.accounts.remember_apps(account, known)
    return known


def _log_unknown(principal: Principal, **why: Any) -> None:
    log.warning("apps.unknown", **principal.log_fields, **why)
