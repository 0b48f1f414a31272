"""Temporary changes in Keycloak, as an administrator makes them."""

import json
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from keycloak import KeycloakAdmin

from stack.keycloak import REALM_FILE, Keycloak
from tests.support.oauth import Person

_PLACEHOLDER: Final = re.compile(r"\$\{(\w+)(?::([^}]*))?\}")


@contextmanager
def somebody_new(admin: KeycloakAdmin, username: str | None = None) -> Iterator[tuple[str, Person]]:
    """Create a user for the block, whom the test may lock out or delete; yield the user id and the credentials."""
    person = Person(username=username or f"someone-{secrets.token_hex(4)}", password=secrets.token_urlsafe(16))
    user_id = admin.create_user(
        {
            "username": person["username"],
            "email": f"{re.sub('[^a-z0-9.-]', '-', person['username'])}@example.org",
            "emailVerified": True,
            "firstName": "Some",
            "lastName": "One",
            "enabled": True,
            "credentials": [{"type": "password", "value": person["password"], "temporary": False}],
        }
    )
    try:
        yield user_id, person
    finally:
        if admin.get_users({"username": person["username"], "exact": True}):
            admin.delete_user(user_id)


@contextmanager
def realm_with(admin: KeycloakAdmin, **settings: Any) -> Iterator[None]:
    """Change settings of the realm for the block."""
    name = str(admin.connection.realm_name)
    before = {setting: value for setting, value in admin.get_realm(name).items() if setting in settings}
    admin.update_realm(name, settings)
    try:
        yield
    finally:
        admin.update_realm(name, before)


@contextmanager
def any_username(admin: KeycloakAdmin) -> Iterator[None]:
    """Allow any characters in user names for the block, as in a directory; Keycloak's default user profile does not."""
    path = f"/admin/realms/{admin.connection.realm_name}/users/profile"
    before = admin.connection.raw_get(path).json()
    profile = before | {
        "attributes": [
            each | ({"validations": {}} if each["name"] == "username" else {}) for each in before["attributes"]
        ]
    }
    admin.connection.raw_put(path, json.dumps(profile)).raise_for_status()
    try:
        yield
    finally:
        admin.connection.raw_put(path, json.dumps(before)).raise_for_status()


@contextmanager
def client_with(admin: KeycloakAdmin, client_id: str, **settings: Any) -> Iterator[None]:
    """Change settings of a client for the block."""
    key = str(admin.get_client_id(client_id))
    before = {setting: value for setting, value in admin.get_client(key).items() if setting in settings}
    if "attributes" in settings:  # Keycloak keeps an attribute that an update does not name, and deletes an empty one
        before["attributes"] = dict.fromkeys(settings["attributes"], "") | before["attributes"]
    admin.update_client(key, settings)
    try:
        yield
    finally:
        admin.update_client(key, before)


@contextmanager
def one_more_realm(keycloak: Keycloak, name: str, values: Mapping[str, str]) -> Iterator[Keycloak]:
    """Create a second copy of the shipped realm for the block, with its own keys, clients and users.

    Args:
        keycloak: the Keycloak to create it in.
        name: the name of the realm.
        values: values of the realm file's placeholders; the others get their defaults.
    """
    filled = _PLACEHOLDER.sub(lambda found: values.get(found[1], found[2] or ""), REALM_FILE.read_text())
    realm = json.loads(filled)
    admin = keycloak.admin()
    admin.create_realm(realm | {"realm": name})
    try:
        yield replace(keycloak, realm=name)
    finally:
        admin.delete_realm(name)
