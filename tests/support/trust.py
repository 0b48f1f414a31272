"""A Nextcloud that trusts another realm than the shared one."""

import os
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from stack.config import Config
from stack.keycloak import Keycloak
from stack.nextcloud import run_nextcloud
from stack.process import free_port
from tests.support.http import patient_client

DOORS: Final = (
    ("GET", "/ocs/v2.php/cloud/user?format=json"),
    ("PROPFIND", "/remote.php/dav/files/alice/"),
    ("GET", "/index.php/apps/notes/api/v1/notes"),
)
"""A request to each kind of API: OCS, WebDAV, and an app's API."""


@contextmanager
def nextcloud_trusting(config: Config, keycloak: Keycloak, state: Path) -> Iterator[str]:
    """Yield the URL of another stand-in, or of the real Nextcloud with an additional provider in user_oidc.

    Args:
        config: the configuration of the shared chain.
        keycloak: the realm to trust; the provider has the realm's name.
        state: the folder for logs and data.
    """
    if config.nextcloud_url is not None and config.nextcloud_occ is None:
        pytest.skip("NEXTCLOUD_OCC is needed to make that Nextcloud trust one more realm")
    config = replace(config, state=state, nextcloud_port=free_port())
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("OIDC_PROVIDER_NAME", keycloak.realm)
        environment.setenv("NEXTCLOUD_SHARED_PROVIDERS", "keycloak")  # both realms have the same users
        try:
            with run_nextcloud(config, keycloak) as nextcloud:
                yield nextcloud.url
        finally:
            if config.nextcloud_occ is not None:
                command = [*shlex.split(config.nextcloud_occ), "user_oidc:provider:delete", "--force", keycloak.realm]
                subprocess.run(command, check=True, capture_output=True, env=os.environ)  # noqa: S603 - the one given


async def opens(nextcloud_url: str, token: str) -> bool:
    """Return whether any kind of API accepts the token; a status other than 200, 207 and 401 fails the test."""
    headers = {"Authorization": f"Bearer {token}", "OCS-APIRequest": "true"}
    async with patient_client(base_url=nextcloud_url, headers=headers) as http:
        answers = [await http.request(method, path) for method, path in DOORS]
    statuses = {answer.status_code for answer in answers}
    assert statuses <= {200, 207, 401}, statuses
    return statuses != {401}
