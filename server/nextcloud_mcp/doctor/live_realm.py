"""The live realm, read through Keycloak's Admin REST API by python-keycloak (the extra `doctor`)."""

import os
from importlib import import_module
from typing import Any, Final
from warnings import catch_warnings

from nextcloud_mcp.clients.admin import POLICIES
from nextcloud_mcp.doctor.deployment import Deployment
from nextcloud_mcp.doctor.finding import Fault, Skip

PARTS: Final = {
    "realm": "",
    "localizationTexts": "/localization",
    "clientScopes": "/client-scopes",
    "clients": "/clients",
    "components": f"/components?type={POLICIES}",
    "clientProfiles": "/client-policies/profiles",
    "clientPolicies": "/client-policies/policies",
    "defaultDefaultClientScopes": "/default-default-client-scopes",
    "defaultOptionalClientScopes": "/default-optional-client-scopes",
}
"""The Admin REST API path, below the realm, of each part of a realm file."""


def read(deployment: Deployment) -> dict[str, Any]:
    """Return the parts of the live realm by their names in a realm file, and Keycloak's installed themes as `themes`.

    Raises:
        Skip: there is no administrator's password, or python-keycloak is not installed.
        Fault: Keycloak does not answer, or refuses the administrator.
    """
    if deployment.options.admin is None:
        raise Skip("needs admin access: KEYCLOAK_ADMIN and KEYCLOAK_ADMIN_PASSWORD_FILE in the environment")
    try:
        keycloak = import_module("keycloak")
    except ModuleNotFoundError:
        raise Skip("needs python-keycloak: pip install '.[doctor]' in a checkout of this project") from None
    name, password = deployment.options.admin
    try:
        with catch_warnings(action="ignore", category=DeprecationWarning):  # it passes `verify` as a path to httpx too
            admin = keycloak.KeycloakAdmin(
                server_url=f"{deployment.keycloak_url}/",  # without the slash it drops the URL's path
                username=name,
                password=password,
                realm_name=deployment.realm,
                user_realm_name="master",
                verify=os.environ.get("SSL_CERT_FILE") or True,
            )
            live = {part: _get(deployment, admin, path) for part, path in PARTS.items()}
            live["localizationTexts"] = {
                language: _get(deployment, admin, f"{PARTS['localizationTexts']}/{language}")
                for language in live["localizationTexts"]
            }
            live["themes"] = _themes(admin)
            return live
    except keycloak.KeycloakError as error:
        raise _refused(deployment, f"HTTP {error.response_code}" if error.response_code else "no answer") from error


def _get(deployment: Deployment, admin: Any, path: str) -> Any:
    """Return a part of the live realm."""
    response = admin.connection.raw_get(f"admin/realms/{deployment.realm}{path}")
    try:
        part = response.json() if response.ok else None
    except ValueError:
        part = None
    if part is None:
        kind = response.headers.get("content-type", "no content type")
        raise _refused(deployment, f"HTTP {response.status_code}, {kind}")
    return part


def _themes(admin: Any) -> dict[str, list[str]]:
    """Return the names of Keycloak's installed themes by type, or nothing if the administrator may not see them."""
    response = admin.connection.raw_get("admin/serverinfo")
    themes = response.json().get("themes", {}) if response.ok else {}
    return {kind: [each["name"] for each in installed] for kind, installed in themes.items()}


def _refused(deployment: Deployment, answer: str) -> Fault:
    name, _ = deployment.options.admin or ("nobody", "")
    return Fault(
        f"Keycloak refuses {name} the administration of {deployment.realm} ({answer})",
        "set KEYCLOAK_ADMIN and KEYCLOAK_ADMIN_PASSWORD_FILE to an administrator of the realm master who has no second "
        f"factor, and run the doctor where no proxy keeps {deployment.keycloak_url}/admin back",
    )
