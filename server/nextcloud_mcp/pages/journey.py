"""The values of the page `/journey`: the servers of both modes, and what can be tried."""

from typing import Any, Final

from nextcloud_mcp.auth.scopes import Offer, app_of
from nextcloud_mcp.settings import MAX_CACHE_SECONDS, Settings

GRANTABLE: Final = ("notes:read", "files:read", "calendar:read")
"""The scopes of apps that the realm's client `journey` may ask for; the page asks for the first that is offered."""

_BOTH: Final = frozenset({"exchange", "pass-through"})

CHECKS: Final = {
    "iss": {"server": _BOTH, "nextcloud": _BOTH},
    "aud": {"server": _BOTH, "nextcloud": _BOTH},
    "azp": {"server": _BOTH, "nextcloud": frozenset()},
    "sub": {"server": frozenset(), "nextcloud": frozenset()},
    "preferred_username": {"server": frozenset(), "nextcloud": frozenset()},
    "sid": {"server": frozenset({"exchange"}), "nextcloud": frozenset()},
    "scope": {"server": frozenset(), "nextcloud": frozenset()},  # nc_whoami needs none: a try shows it
    "typ": {"server": _BOTH, "nextcloud": frozenset()},
    "exp": {"server": _BOTH, "nextcloud": _BOTH},
}
"""The modes in which a claim is checked, by who checks it: this server (and Keycloak, at the exchange), and Nextcloud.

For Nextcloud, as in user_oidc 8.10.1, `SelfEncodedValidator`."""


def journey_values(settings: Settings, offer: Offer) -> dict[str, Any]:
    """Return what the template shows.

    The page asks for one scope of an app, and tries a tool that needs another. The other server is expected to have the
    scope of the shipped realm.
    """
    granted = next((scope for scope in GRANTABLE if scope in offer.scopes()), "")
    urls: dict[str, tuple[str, str]] = {settings.mode: (settings.server_url, settings.server_scope)}
    if settings.other_server_url is not None:
        other = "pass-through" if settings.mode == "exchange" else "exchange"
        urls[other] = (settings.other_server_url, f"nextcloud-mcp:{other}")
    tool = refused_tool(offer, granted)
    experiments = ["received", "sent", "signed-out"]
    experiments += ["other"] if settings.other_server_url else []
    experiments += ["scope"] if tool else []
    return {
        "modes": [
            {"mode": mode, "url": url, "scope": f"{scope} {granted}".strip()}
            for mode, (url, scope) in sorted(urls.items())
        ],
        "checks": CHECKS,
        "tool": tool,
        "experiments": experiments,
        "cache_seconds": cache_seconds(settings),
    }


def cache_seconds(settings: Settings) -> int:
    """Return for how many seconds the server in exchange mode uses an exchanged token again, as far as this one knows.

    The setting of the other server is not known, so a server in pass-through mode returns the longest.
    """
    return settings.exchange_cache_seconds if settings.mode == "exchange" else MAX_CACHE_SECONDS


def refused_tool(offer: Offer, granted: str) -> str | None:
    """Return a tool that needs more than the scope `granted`: of the same app if there is one, or None."""
    tools = sorted(name for name, scopes in offer.tools.items() if scopes - {granted})
    same_app = (name for name in tools if {app_of(scope) for scope in offer.tools[name]} == {app_of(granted)})
    return next(same_app, next(iter(tools), None))
