"""Keycloak's Admin REST API by python-keycloak (the extra `doctor`), for the commands `clients` and `doctor`."""

import os
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Final
from warnings import catch_warnings

INSTALL: Final = "pip install '.[doctor]' in a checkout of this project"
"""What to do if python-keycloak is not installed."""


@dataclass(frozen=True)
class Account:
    """Who calls Keycloak: a client with a service account, or an administrator of the realm `master`.

    Attributes:
        name: the client id, or the administrator's user name.
        secret: the client secret, or the password.
        is_client: whether it is a client.
    """

    name: str
    secret: str = field(repr=False)
    is_client: bool


class AdminApiError(Exception):
    """Keycloak refuses the account or does not answer; the message is the status, or `no answer`."""


class AdminApi:
    """The Admin REST API of one realm."""

    def __init__(self, keycloak_url: str, realm: str, account: Account) -> None:
        """Take the address; nothing is requested yet.

        Raises:
            ModuleNotFoundError: python-keycloak is not installed; see `INSTALL`.
        """
        self._keycloak: Any = import_module("keycloak")
        self._url = keycloak_url
        self._realm = realm
        self._account = account
        self._connection: Any = None

    def send(self, method: str, path: str, **parts: Any) -> Any:
        """Send a request, and return the response (of `requests`), whatever its status.

        Args:
            method: `get`, `put` or `delete`.
            path: the path below `/admin/realms/REALM`; below `/admin` if it starts without a slash.
            parts: more arguments of python-keycloak's methods, such as `data`.

        Raises:
            AdminApiError: Keycloak refuses the account, or does not answer.
        """
        where = f"admin/realms/{self._realm}{path}" if not path or path.startswith("/") else f"admin/{path}"
        try:
            with catch_warnings(action="ignore", category=DeprecationWarning):  # it passes `verify` as a path to httpx
                if self._connection is None:
                    self._connection = self._connect()
                return getattr(self._connection, f"raw_{method}")(where, **parts)
        except self._keycloak.KeycloakError as error:
            raise AdminApiError(f"HTTP {error.response_code}" if error.response_code else "no answer") from error

    def get(self, path: str) -> Any:
        """Return the JSON of a successful response.

        Raises:
            AdminApiError: also if the response is an error, or no JSON.
        """
        response = self.send("get", path)
        try:
            content = response.json() if response.ok else None
        except ValueError:
            content = None
        if content is None:
            kind = response.headers.get("content-type", "no content type")
            raise AdminApiError(f"HTTP {response.status_code}, {kind}")
        return content

    def _connect(self) -> Any:
        name, secret = self._account.name, self._account.secret
        if self._account.is_client:
            parts = {"client_id": name, "client_secret_key": secret, "user_realm_name": self._realm}
        else:
            parts = {"username": name, "password": secret, "user_realm_name": "master"}
        return self._keycloak.KeycloakOpenIDConnection(
            server_url=f"{self._url}/",  # without the slash it drops the URL's path
            realm_name=self._realm,
            verify=os.environ.get("SSL_CERT_FILE") or True,
            **parts,
        )
