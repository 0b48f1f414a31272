"""The realm clients of the server's pages `/journey` and `/connections`, which a deployment may do without.

The file lists redirect URIs for two servers, and a deployment may have one, so fewer are in order. No other program may
receive the codes of these clients; a loopback redirect URI gives them to any program on the person's computer.
"""

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any, Final

from nextcloud_mcp.doctor.deployment import Deployment, is_loopback
from nextcloud_mcp.doctor.finding import Problem, readable

PAGES: Final = frozenset({"journey", "connections"})
"""The client ids, which are also the names of the settings that turn the pages on."""


def is_optional(deployment: Deployment, client_id: str) -> bool:
    """Return whether the client may be missing: it belongs to a page that is off."""
    return client_id in PAGES and not _is_on(deployment, client_id)


def problems(deployment: Deployment, client: Mapping[str, Any], live: Mapping[str, Any]) -> Iterator[Problem]:
    """Compare `enabled` and `redirectUris` of a page's client in the file with the live one."""
    name = str(live["clientId"])
    fix = f"kcadm.sh update clients/{live['id']} -r {deployment.realm} -s"
    if _is_on(deployment, name) and not live["enabled"]:
        yield Problem(f"The client {name} is disabled, and the server's page /{name} needs it", f"{fix} enabled=true")
    found: list[str] = live.get("redirectUris", [])
    servers = (deployment.settings.server_url, deployment.settings.other_server_url)
    own, other = (f"{url}/{name}/callback" for url in servers)
    known = {own, other, *(deployment.comparison.filled(uri) for uri in client["redirectUris"])}
    loopback = [uri for uri in found if is_loopback(uri)] if _is_public(deployment) else []
    foreign = [uri for uri in found if uri not in {*known, *loopback}]
    missing = [own] if _is_on(deployment, name) and own not in found else []
    kept = [uri for uri in found if uri not in {*loopback, *foreign}] + missing
    change = f"{fix} {shlex.quote(f'redirectUris={json.dumps(kept)}')}"
    if loopback:
        yield Problem(
            f"The client {name} has redirectUris on loopback ({readable(loopback)}), so any program on a person's "
            "computer can get its tokens",
            change,
        )
    if foreign:
        yield Problem(f"The client {name}, in redirectUris, has {readable(foreign)} besides", change)
    if missing:
        yield Problem(f"The client {name}, in redirectUris, lacks {readable(missing)}", change)


def _is_on(deployment: Deployment, name: str) -> bool:
    settings = deployment.settings
    return settings.pages and (settings.journey if name == "journey" else settings.connections)


def _is_public(deployment: Deployment) -> bool:
    """Return whether the server has an HTTPS URL that is not on loopback."""
    url = deployment.settings.server_url
    return url.startswith("https://") and not is_loopback(url)
