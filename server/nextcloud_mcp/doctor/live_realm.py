"""The live realm, read through Keycloak's Admin REST API by python-keycloak (the extra `doctor`)."""

from typing import Any, Final

from nextcloud_mcp.admin_api import INSTALL, Account, AdminApi, AdminApiError
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


def administrator(deployment: Deployment) -> Account:
    """Return the administrator whom the options name.

    Raises:
        Skip: they name none.
    """
    if deployment.options.admin is None:
        raise Skip("needs admin access: KEYCLOAK_ADMIN and KEYCLOAK_ADMIN_PASSWORD_FILE in the environment")
    return Account(*deployment.options.admin, is_client=False)


def read(deployment: Deployment) -> dict[str, Any]:
    """Return the parts of the live realm by their names in a realm file, and Keycloak's installed themes as `themes`.

    Raises:
        Skip: there is no administrator's password, or python-keycloak is not installed.
        Fault: Keycloak does not answer, or refuses the administrator.
    """
    account = administrator(deployment)
    try:
        admin = AdminApi(deployment.keycloak_url, deployment.realm, account)
    except ModuleNotFoundError:
        raise Skip(f"needs python-keycloak: {INSTALL}") from None
    try:
        live = {part: admin.get(path) for part, path in PARTS.items()}
        live["localizationTexts"] = {
            language: admin.get(f"{PARTS['localizationTexts']}/{language}") for language in live["localizationTexts"]
        }
        live["themes"] = _themes(admin)
    except AdminApiError as error:
        raise _refused(deployment, str(error)) from error
    return live


def _themes(admin: AdminApi) -> dict[str, list[str]]:
    """Return the names of Keycloak's installed themes by type, or nothing if the administrator may not see them."""
    response = admin.send("get", "serverinfo")
    themes = response.json().get("themes", {}) if response.ok else {}
    return {kind: [each["name"] for each in installed] for kind, installed in themes.items()}


def _refused(deployment: Deployment, answer: str) -> Fault:
    name, _ = deployment.options.admin or ("nobody", "")
    return Fault(
        f"Keycloak refuses {name} the administration of {deployment.realm} ({answer})",
        "set KEYCLOAK_ADMIN and KEYCLOAK_ADMIN_PASSWORD_FILE to an administrator of the realm master who has no second "
        f"factor, and run the doctor where no proxy keeps {deployment.keycloak_url}/admin back",
    )
