"""Which client scopes a client has by default and which on request, and what a new client gets of the realm.

Keycloak's administration ignores these lists in the update of a client (github.com/keycloak/keycloak/issues/24920), and
adds no scope that is assigned in the other way already (204 for a client, 409 for the realm; measured on 26.7.3). So
each is assigned at an address of its own, and taken from where it is first.
"""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from nextcloud_mcp.doctor.deployment import Deployment
from nextcloud_mcp.doctor.finding import Problem

CLIENT: Final = {"default": "defaultClientScopes", "optional": "optionalClientScopes"}
REALM: Final = {"default": "defaultDefaultClientScopes", "optional": "defaultOptionalClientScopes"}
"""By which name a realm's file has the scopes that are assigned in each way."""


@dataclass(frozen=True)
class Holder:
    """What scopes are assigned to.

    Attributes:
        about: what it is called at the start of a sentence.
        path: what stands before `default-client-scopes` and `optional-client-scopes` in the Admin REST API.
        names: the names of the two lists: `CLIENT` or `REALM`.
    """

    about: str
    path: str
    names: Mapping[str, str]


def problems(
    deployment: Deployment, holder: Holder, wanted: Mapping[str, Any], found: Mapping[str, Any]
) -> Iterator[Problem]:
    """Compare, scope by scope; a list that `wanted` leaves out may say anything."""
    want, have = _ways(holder, wanted), _ways(holder, found)
    stated = {way for way, name in holder.names.items() if name in wanted}
    for scope in sorted(want.keys() | have.keys()):
        to, now = want.get(scope), have.get(scope)
        if to != now and (to or now in stated):
            yield Problem(f"{holder.about} {_differs(scope, to, now)}", _fix(deployment, holder, scope, to, now))


def _ways(holder: Holder, lists: Mapping[str, Any]) -> dict[str, str]:
    """Return in which way each scope is assigned."""
    return {scope: way for way, name in holder.names.items() for scope in lists.get(name, [])}


def _differs(scope: str, to: str | None, now: str | None) -> str:
    if to and now:
        return f"has the scope {scope} as {now} in place of {to}"
    return f"lacks the {to} scope {scope}" if to else f"has the {now} scope {scope} besides"


def _fix(deployment: Deployment, holder: Holder, scope: str, to: str | None, now: str | None) -> str:
    """Return its commands, a line each: away from where it is, and to where it belongs."""
    steps = [("delete", now), ("update", to)]
    return "\n".join(
        f"kcadm.sh {verb} {holder.path}{way}-client-scopes/{_key(deployment, scope)} -r {deployment.realm}"
        for verb, way in steps
        if way
    )


def _key(deployment: Deployment, scope: str) -> str:
    """Return the scope's key; the words of a shell stand for it where the scope is missing and is created first."""
    for each in deployment.live["clientScopes"]:
        if each["name"] == scope:
            return str(each["id"])
    own = shlex.quote(f'$1 == "{scope}" {{print $2}}')
    listed = f"kcadm.sh get client-scopes -r {deployment.realm} --fields name,id --format csv --noquotes"
    return f"$({listed} | awk -F, {own})"
