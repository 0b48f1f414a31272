"""Check the default and optional client scopes of a client and of the realm, which gives its own to new clients.

The Admin REST API ignores these lists when it updates a client (github.com/keycloak/keycloak/issues/24920). It also
does not move a scope between the default and the optional list (it answers 204 for a client, 409 for the realm;
measured on 26.7.3). A fix therefore removes the scope from one list and then adds it to the other, by the endpoint of
each scope.
"""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from nextcloud_mcp.doctor.deployment import Deployment
from nextcloud_mcp.doctor.finding import Problem

CLIENT: Final = {"default": "defaultClientScopes", "optional": "optionalClientScopes"}
REALM: Final = {"default": "defaultDefaultClientScopes", "optional": "defaultOptionalClientScopes"}
"""The names of the scope lists in a realm file, by assignment type."""


@dataclass(frozen=True)
class ScopeOwner:
    """A client or a realm that client scopes are assigned to.

    Attributes:
        about: its name, worded for the start of a sentence.
        path: the Admin REST API path before `default-client-scopes` and `optional-client-scopes`.
        names: the names of the two lists: `CLIENT` or `REALM`.
    """

    about: str
    path: str
    names: Mapping[str, str]


def problems(
    deployment: Deployment, holder: ScopeOwner, wanted: Mapping[str, Any], found: Mapping[str, Any]
) -> Iterator[Problem]:
    """Compare the assigned scopes; a list that is missing from `wanted` may contain any scope."""
    want, have = _ways(holder, wanted), _ways(holder, found)
    stated = {way for way, name in holder.names.items() if name in wanted}
    for scope in sorted(want.keys() | have.keys()):
        to, now = want.get(scope), have.get(scope)
        if to != now and (to or now in stated):
            yield Problem(f"{holder.about} {_differs(scope, to, now)}", _fix(deployment, holder, scope, to, now))


def _ways(holder: ScopeOwner, lists: Mapping[str, Any]) -> dict[str, str]:
    """Return the assignment type (`default` or `optional`) of each scope."""
    return {scope: way for way, name in holder.names.items() for scope in lists.get(name, [])}


def _differs(scope: str, to: str | None, now: str | None) -> str:
    if to and now:
        return f"has the scope {scope} as {now} in place of {to}"
    return f"lacks the {to} scope {scope}" if to else f"has the {now} scope {scope} besides"


def _fix(deployment: Deployment, holder: ScopeOwner, scope: str, to: str | None, now: str | None) -> str:
    """Return the commands, one a line, that remove the scope from its present list and add it to the right one."""
    steps = [("delete", now), ("update", to)]
    return "\n".join(
        f"kcadm.sh {verb} {holder.path}{way}-client-scopes/{_key(deployment, scope)} -r {deployment.realm}"
        for verb, way in steps
        if way
    )


def _key(deployment: Deployment, scope: str) -> str:
    """Return the scope's id, or a shell command substitution that looks it up if the scope does not exist yet."""
    for each in deployment.live["clientScopes"]:
        if each["name"] == scope:
            return str(each["id"])
    own = shlex.quote(f'$1 == "{scope}" {{print $2}}')
    listed = f"kcadm.sh get client-scopes -r {deployment.realm} --fields name,id --format csv --noquotes"
    return f"$({listed} | awk -F, {own})"
