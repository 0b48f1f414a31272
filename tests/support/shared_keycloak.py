"""A Keycloak that several test sessions share, one after another: `make matrix` starts it once for its whole run."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from stack.chain import Chain, realm_values
from stack.config import Config
from stack.keycloak import Keycloak, run_keycloak
from stack.nextcloud import run_nextcloud
from stack.servers import run_servers

VARIABLE: Final = "SHARED_KEYCLOAK"
"""The environment variable with the URL of the Keycloak, and the ports of the servers that its realm knows, as JSON."""


@contextmanager
def run_shared_keycloak(config: Config) -> Iterator[dict[str, str]]:
    """Run the shipped realm on a fresh Keycloak for as long as the block lasts; yield the sessions' environment."""
    with run_keycloak(
        port=config.keycloak_port,
        home=config.state / "keycloak",
        cache=config.cache,
        log=config.state / "keycloak.log",
        realm_values=realm_values(config),
    ) as keycloak:
        shared = {"url": keycloak.url, "ports": [config.exchange_port, config.pass_through_port]}
        yield {VARIABLE: json.dumps(shared)}


@contextmanager
def run_on_shared_keycloak(config: Config) -> Iterator[Chain]:
    """Run the rest of the chain with the Keycloak in the environment."""
    shared = json.loads(os.environ[VARIABLE])
    exchange, pass_through = shared["ports"]
    config = replace(config, exchange_port=exchange, pass_through_port=pass_through)
    keycloak = Keycloak(shared["url"])
    with run_nextcloud(config, keycloak) as nextcloud, run_servers(config, keycloak, nextcloud):
        yield Chain(config, keycloak, nextcloud)
