"""The whole chain: Keycloak, a Nextcloud that trusts it, and the MCP servers; they start in this order."""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stack.config import USERS, Config
from stack.keycloak import Keycloak, placeholders_from, realm, run_keycloak
from stack.nextcloud import Nextcloud, require_nextcloud, run_nextcloud
from stack.process import require_free_port
from stack.servers import run_servers

CLIENT_ID = "mcp-client"
"""The realm's public client, for MCP clients that are registered by hand."""


@dataclass(frozen=True)
class Chain:
    """The running parts."""

    config: Config
    keycloak: Keycloak
    nextcloud: Nextcloud

    def endpoints(self) -> dict[str, Any]:
        """Return the content of `.stack/endpoints.json`: the addresses, client id and demo users."""
        return {
            "issuer": self.keycloak.issuer,
            "keycloak": {
                "url": self.keycloak.url,
                "admin_user": self.keycloak.admin_user,
                "admin_password": self.keycloak.admin_password,
            },
            "nextcloud": {"url": self.nextcloud.url, "kind": self.nextcloud.kind},
            "servers": {"exchange": self.config.exchange_url, "pass_through": self.config.pass_through_url},
            "client_id": CLIENT_ID,
            "users": USERS,
        }


@contextmanager
def run_chain(config: Config) -> Iterator[Chain]:
    """Run all parts for as long as the block lasts; `endpoints.json` exists during that time.

    Raises:
        StackError: a part cannot be started; the parts that already run are stopped.
    """
    config.state.mkdir(parents=True, exist_ok=True)
    for setting, port in config.ports.items():  # check this first: Keycloak takes long to start
        require_free_port(port, setting=setting)
    require_nextcloud(config)
    values = realm_values(config)
    with (
        run_keycloak(
            port=config.keycloak_port,
            home=_keycloak_home(config, values),
            cache=config.cache,
            log=config.state / "keycloak.log",
            realm_values=values,
            features=config.keycloak_features,
        ) as keycloak,
        run_nextcloud(config, keycloak) as nextcloud,
        run_servers(config, keycloak, nextcloud),
        _published(chain := Chain(config, keycloak, nextcloud)),
    ):
        yield chain


def realm_values(config: Config) -> dict[str, str]:
    """Return the values of the realm file's placeholders."""
    return {
        "MCP_EXCHANGE_URL": config.exchange_url,
        "MCP_PASS_THROUGH_URL": config.pass_through_url,
        "NEXTCLOUD_PUBLIC_URL": config.public_nextcloud_url,
        "JOURNEY": "true",
        "CONNECTIONS": "true",
    }


def _keycloak_home(config: Config, values: dict[str, str]) -> Path:
    """Return the data folder for this realm file and these ports.

    Keycloak imports a realm only once, so a data folder that was made from another file, for other ports or with other
    values in the environment would keep outdated values. Each combination has its own folder.
    """
    content = [realm(config.keycloak_features), placeholders_from(os.environ) | values]
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    return config.state / f"keycloak-{digest.hexdigest()[:8]}"


@contextmanager
def _published(chain: Chain) -> Iterator[None]:
    path = chain.config.state / "endpoints.json"
    path.write_text(json.dumps(chain.endpoints(), indent=2) + "\n")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
