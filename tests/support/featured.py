"""A second chain, whose Keycloak has experimental features that MCP clients may use in the future."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from stack.chain import Chain, realm_values
from stack.config import Config
from stack.keycloak import Keycloak, run_keycloak
from stack.nextcloud import run_nextcloud
from stack.process import free_port
from stack.servers import run_servers
from tests.support.documents import Documents

FEATURES: Final = ("cimd", "resource-indicators")


@contextmanager
def run_featured(
    config: Config,
    documents: Documents,
    state: Path,
    *,
    features: tuple[str, ...] = FEATURES,
    with_standin: bool = True,
) -> Iterator[Chain]:
    """Run the chain for as long as the block lasts; the stand-in is enough where the tests are about sign-in.

    Args:
        config: the configuration of the first chain.
        documents: the server of metadata documents whose certificate this Keycloak trusts.
        state: the folder for logs and data.
        features: Keycloak's features beyond its defaults.
        with_standin: whether the stand-in takes the place of the Nextcloud in `config`.
    """
    config = replace(
        config,
        state=state,
        keycloak_port=free_port(),
        nextcloud_port=free_port(),
        exchange_port=free_port(),
        pass_through_port=free_port(),
        keycloak_features=features,
    )
    if with_standin:
        config = replace(config, nextcloud_url=None, nextcloud_occ=None)
    with (
        run_keycloak(
            port=config.keycloak_port,
            home=state / "keycloak",
            cache=config.cache,
            log=state / "keycloak.log",
            realm_values=realm_values(config),
            features=config.keycloak_features,
            options=[f"--truststore-paths={documents.certificate}"],
        ) as keycloak,
        run_nextcloud(config, keycloak) as nextcloud,
        run_servers(config, keycloak, nextcloud),
    ):
        _fetch_from_localhost(keycloak)
        yield Chain(config, keycloak, nextcloud)


def _fetch_from_localhost(keycloak: Keycloak) -> None:
    """Add localhost to the hosts whose documents Keycloak fetches; the rest of the policy stays as shipped."""
    connection = keycloak.admin().connection
    path = f"admin/realms/{keycloak.realm}/client-policies/policies"
    policies: dict[str, Any] = connection.raw_get(path).json()
    (policy,) = [each for each in policies["policies"] if each["name"] == "client-id-metadata-document"]
    policy["conditions"][0]["configuration"]["client-id-uri-allow-permitted-domains"].append("localhost")
    connection.raw_put(path, data=json.dumps(policies)).raise_for_status()


@contextmanager
def registration_open(keycloak: Keycloak) -> Iterator[None]:
    """Let clients on loopback register themselves, which `keycloak/cimd.json` does not allow."""
    admin = keycloak.admin()
    (policy,) = [each for each in admin.get_components() if each.get("name") == "Trusted hosts"]
    # Keycloak omits an empty list from its response, and does not change settings that are missing from an update
    before = {"trusted-hosts": []} | policy["config"]
    opened = before | {"trusted-hosts": ["localhost", "127.0.0.1"]}
    admin.update_component(policy["id"], policy | {"config": opened})
    try:
        yield
    finally:
        admin.update_component(policy["id"], policy | {"config": before})
