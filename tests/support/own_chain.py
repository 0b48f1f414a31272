"""A second realm with its own servers and Nextcloud, for tests that would disturb the shared chain."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import split

import pytest

from stack.chain import Chain, realm_values
from stack.config import EXCHANGE_CLIENT_SECRET, Config
from stack.keycloak import Keycloak
from stack.nextcloud import Nextcloud, run_nextcloud
from stack.process import free_port
from stack.servers import run_server
from tests.support.administration import one_more_realm

NAME = "rotating"


class Cloud:
    """The Nextcloud of the second realm: another stand-in, or a second user_oidc provider in the real one."""

    def __init__(self, config: Config, keycloak: Keycloak) -> None:
        self._config = config
        self._keycloak = keycloak
        self._running = ExitStack()

    def start(self) -> Nextcloud:
        """Start the stand-in, or run `nextcloud/setup.sh` on the real Nextcloud."""
        return self._running.enter_context(run_nextcloud(self._config, self._keycloak))

    def stop(self) -> None:
        """Stop the stand-in."""
        self._running.close()

    def forget_keys(self) -> None:
        """Drop the cached keys of the realm: run `nextcloud/setup.sh` again, or restart the stand-in."""
        self.stop()
        self.start()


@dataclass(frozen=True)
class OwnChain:
    """The running parts of the second chain.

    Attributes:
        config: ports and folders.
        keycloak: the second realm.
        cloud: the Nextcloud that trusts the second realm.
        nextcloud_url: the URL of that Nextcloud.
        secret_file: the file with the exchange server's client secret.
    """

    config: Config
    keycloak: Keycloak
    cloud: Cloud
    nextcloud_url: str
    secret_file: Path

    @property
    def urls(self) -> dict[str, str]:
        """The URLs of the servers, by mode."""
        return {"exchange": self.config.exchange_url, "pass-through": self.config.pass_through_url}

    def settings(self, **settings: str) -> dict[str, str]:
        """Return the settings that every server of this chain needs, with additional ones."""
        return {"NEXTCLOUD_HOST": self.nextcloud_url, "OIDC_DISCOVERY_URL": self.keycloak.discovery_url} | settings

    def write_secret(self, secret: str) -> None:
        """Write another secret to the file."""
        self.secret_file.write_text(f"{secret}\n")


@contextmanager
def run_own_chain(chain: Chain, state: Path) -> Iterator[OwnChain]:
    """Run a second chain for as long as the block lasts, in the Keycloak and with the Nextcloud of `chain`."""
    config = replace(
        chain.config,
        state=state,
        nextcloud_port=free_port(),
        exchange_port=free_port(),
        pass_through_port=free_port(),
    )
    with (
        one_more_realm(chain.keycloak, NAME, realm_values(config)) as keycloak,
        _nextcloud(config, keycloak) as (cloud, nextcloud),
    ):
        own = OwnChain(config, keycloak, cloud, nextcloud.url, state / "secret")
        own.write_secret(EXCHANGE_CLIENT_SECRET)
        exchange = own.settings(ENABLE_TOKEN_EXCHANGE="true", OIDC_CLIENT_SECRET_FILE=str(own.secret_file))
        with (
            run_server("exchange", config.exchange_url, config.exchange_port, exchange, logs=state),
            run_server("pass-through", config.pass_through_url, config.pass_through_port, own.settings(), logs=state),
        ):
            yield own


@contextmanager
def _nextcloud(config: Config, keycloak: Keycloak) -> Iterator[tuple[Cloud, Nextcloud]]:
    cloud = Cloud(config, keycloak)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("OIDC_PROVIDER_NAME", NAME)  # the shared realm's provider stays as it is
        environment.setenv("NEXTCLOUD_SHARED_PROVIDERS", "keycloak")  # both realms have the same users
        try:
            yield cloud, cloud.start()
        finally:
            cloud.stop()
            if config.nextcloud_occ is not None:
                command = [*split(config.nextcloud_occ), "user_oidc:provider:delete", "--force", NAME]
                subprocess.run(command, check=True, capture_output=True, env=os.environ)  # noqa: S603 - the one given
