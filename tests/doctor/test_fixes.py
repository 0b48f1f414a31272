"""The doctor's commands against drift, run unchanged with Keycloak's own kcadm.sh, remove the drift."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import anyio
import pytest
from keycloak import KeycloakAdmin

from nextcloud_mcp.doctor.finding import Problem
from stack.chain import Chain, realm_values
from tests.doctor.breakable import examined_by_its_administrator
from tests.support.administration import one_more_realm
from tests.support.kcadm import kcadm_environment

REALM: Final = "drifting"
"""A copy of the shipped realm: a scope that is deleted and created again is lost to the clients registered before."""
POLICIES: Final = "org.keycloak.services.clientregistration.policy.ClientRegistrationPolicy"

Drift = Callable[[KeycloakAdmin], object]
"""Changes the live realm."""


def scope(admin: KeycloakAdmin, name: str) -> dict[str, Any]:
    """Return a client scope."""
    (found,) = [each for each in admin.get_client_scopes() if each["name"] == name]
    return dict(found)


def exchange_client(admin: KeycloakAdmin) -> str:
    """Return the key of the exchange server's client, which is not named before the run chooses a port."""
    (found,) = [each["id"] for each in admin.get_clients() if each.get("name") == "MCP server, exchange mode"]
    return str(found)


def client(**settings: Any) -> Drift:
    """Change `mcp-client`."""
    return lambda admin: admin.update_client(str(admin.get_client_id("mcp-client")), settings)


def lifespan(admin: KeycloakAdmin) -> None:
    """Let tokens for Nextcloud live an hour."""
    key = exchange_client(admin)
    attributes = admin.get_client(key)["attributes"] | {"access.token.lifespan": "3600"}
    admin.update_client(key, {"attributes": attributes})


def no_scope_for_nextcloud(admin: KeycloakAdmin) -> None:
    """Take the scope `nextcloud` from the client that exchanges."""
    admin.delete_client_default_client_scope(exchange_client(admin), scope(admin, "nextcloud")["id"])


def a_scope_too_many(admin: KeycloakAdmin) -> None:
    """Let a client ask for the scope that opens Nextcloud past the servers."""
    key = str(admin.get_client_id("mcp-client"))
    admin.add_client_optional_client_scope(key, scope(admin, "nextcloud")["id"], {})


def two_scopes_changed_about(admin: KeycloakAdmin) -> None:
    """Assign one on request that is there by default, and the other way round."""
    key = str(admin.get_client_id("mcp-client"))
    basic, notes = scope(admin, "basic")["id"], scope(admin, "notes:read")["id"]
    admin.delete_client_default_client_scope(key, basic)
    admin.add_client_optional_client_scope(key, basic, {})
    admin.delete_client_optional_client_scope(key, notes)
    admin.add_client_default_client_scope(key, notes, {})


def new_clients_get_others(admin: KeycloakAdmin) -> None:
    """Give new clients a scope too many by default, and one too few on request."""
    admin.add_default_default_client_scope(scope(admin, "nextcloud")["id"])
    admin.delete_default_optional_client_scope(scope(admin, "deck:write")["id"])


def other_consent_title(admin: KeycloakAdmin) -> None:
    """Let the consent page vouch for whatever a client calls itself."""
    text = "Nextcloud recommends {0}"
    path = f"admin/realms/{REALM}/localization/en"
    admin.connection.raw_post(path, data=json.dumps({"oauthGrantTitle": text})).raise_for_status()


def no_consent_title(admin: KeycloakAdmin) -> None:
    """Go back to Keycloak's own text, which says nothing of the name."""
    admin.connection.raw_delete(f"admin/realms/{REALM}/localization/en/oauthGrantTitle").raise_for_status()


def no_such_scope(admin: KeycloakAdmin) -> None:
    """Delete a scope, and with it its mappers and every assignment."""
    admin.delete_client_scope(scope(admin, "nextcloud-mcp:exchange")["id"])


def scope_not_shown(admin: KeycloakAdmin) -> None:
    """Keep a scope off the consent page."""
    found = scope(admin, "files:write")
    attributes = found["attributes"] | {"display.on.consent.screen": "false"}
    admin.update_client_scope(found["id"], found | {"attributes": attributes})


def no_mapper(admin: KeycloakAdmin) -> None:
    """Delete a mapper."""
    found = scope(admin, "nextcloud-mcp:exchange")
    admin.delete_mapper_from_client_scope(found["id"], found["protocolMappers"][0]["id"])


def a_mapper_too_many(admin: KeycloakAdmin) -> None:
    """Let a scope of an app add Nextcloud's audience."""
    mapper = {
        "name": "one audience more",
        "protocol": "openid-connect",
        "protocolMapper": "oidc-audience-mapper",
        "config": {"included.client.audience": "nextcloud", "access.token.claim": "true"},
    }
    admin.add_mapper_to_client_scope(scope(admin, "files:read")["id"], mapper)


def a_mapper_changed(admin: KeycloakAdmin) -> None:
    """Keep the name out of access tokens."""
    found = scope(admin, "nextcloud")
    (mapper,) = [each for each in found["protocolMappers"] if each["name"] == "preferred_username"]
    config = mapper["config"] | {"access.token.claim": "false"}
    admin.update_mapper_in_client_scope(found["id"], mapper["id"], mapper | {"config": config})


def registration(provider: str, **config: list[str]) -> Drift:
    """Configure a policy of anonymous registration in another way; underscores stand for hyphens."""

    def drift(admin: KeycloakAdmin) -> None:
        (policy,) = [
            each
            for each in admin.get_components({"type": POLICIES})
            if (each["providerId"], each["subType"]) == (provider, "anonymous")
        ]
        changed = {name.replace("_", "-"): value for name, value in config.items()}
        admin.update_component(policy["id"], policy | {"config": policy["config"] | changed})

    return drift


DRIFTS: Final[Mapping[str, tuple[Drift, int]]] = {
    "realm: a switch": (lambda admin: admin.update_realm(REALM, {"revokeRefreshToken": False}), 1),
    "realm: words": (lambda admin: admin.update_realm(REALM, {"passwordPolicy": "length(4)"}), 1),
    "realm: an attribute": (
        lambda admin: admin.update_realm(REALM, {"attributes": {"adminEventsExpiration": "60"}}),
        1,
    ),
    "realm: a text of the consent page": (other_consent_title, 1),
    "realm: a text of the consent page that is gone": (no_consent_title, 1),
    "client: a switch": (client(fullScopeAllowed=True), 1),
    "client: a list": (client(redirectUris=["http://localhost/callback", "http://a.test/*"]), 1),
    "client: an attribute": (lifespan, 1),
    "client: lacks a default scope": (no_scope_for_nextcloud, 1),
    "client: has an optional scope too many": (a_scope_too_many, 1),
    "client: two scopes changed about": (two_scopes_changed_about, 2),
    "new clients: a default scope too many, an optional one too few": (new_clients_get_others, 2),
    "scope: deleted": (no_such_scope, 4),  # it, and its place with new clients, `mcp-client` and `journey`
    "scope: an attribute": (scope_not_shown, 1),
    "mapper: deleted": (no_mapper, 1),
    "mapper: one too many": (a_mapper_too_many, 1),
    "mapper: its configuration": (a_mapper_changed, 1),
    "registration: a number": (registration("max-clients", max_clients=["100000"]), 1),
    "registration: a list": (registration("registration-web-origins", web_origins=["http://a.test"]), 1),
    "registration: an empty list": (
        registration("allowed-protocol-mappers", allowed_protocol_mapper_types=["oidc-audience-mapper"]),
        1,
    ),
}
"""What is changed, and how many problems it makes."""


@pytest.fixture(scope="module")
def drifting(chain: Chain) -> Iterator[Chain]:
    """The chain with a realm that no other test uses."""
    with one_more_realm(chain.keycloak, REALM, realm_values(chain.config)) as keycloak:
        yield replace(chain, keycloak=keycloak)


@pytest.fixture(scope="module")
def kcadm(chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a shell that has `kcadm.sh`, signed in as the administrator."""
    home: Path = tmp_path_factory.mktemp("home")
    environ = os.environ | kcadm_environment(chain.keycloak, chain.config.cache, home)
    who = ["--server", chain.keycloak.url, "--realm", "master", "--user", chain.keycloak.admin_user]
    subprocess.run([str(home / "kcadm.sh"), "config", "credentials", *who], env=environ, check=True)  # noqa: S603 - Keycloak's own
    return environ


@pytest.mark.parametrize(("drift", "number"), DRIFTS.values(), ids=DRIFTS.keys())
async def test_fixes_remove_drift(drifting: Chain, kcadm: dict[str, str], drift: Drift, number: int) -> None:
    """The doctor reports drift, and no longer does after its commands have run in order."""
    drift(drifting.keycloak.admin())
    problems = await drifted(drifting)
    assert len(problems) == number, problems
    script = "\n".join(["set -eu", *(problem.fix for problem in problems)])
    done = await anyio.run_process(["bash", "-c", script], env=kcadm, check=False)
    assert done.returncode == 0, f"{script}\n{done.stderr.decode()}"
    assert await drifted(drifting) == [], script


async def drifted(chain: Chain) -> list[Problem]:
    """Return what the doctor finds to differ from the shipped realm."""
    report = await examined_by_its_administrator(chain)
    compared = [result for result in report.results if result.step.group == "drift"]
    assert not [result for result in compared if result.finding.skipped]
    return [problem for result in compared for problem in result.finding.problems]
