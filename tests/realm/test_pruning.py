"""A registration that was filled up opens again: `nextcloud-mcp clients prune` in a realm of its own."""

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest
from keycloak import KeycloakAdmin

from nextcloud_mcp.admin_api import Account
from nextcloud_mcp.cli import main
from nextcloud_mcp.clients import admin as clients_api
from nextcloud_mcp.clients import command
from nextcloud_mcp.clients.admin import Realm
from nextcloud_mcp.clients.pruning import delete_unused, survey
from nextcloud_mcp.clients.selection import UNUSED_SINCE, Limits
from stack.keycloak import Keycloak
from tests.support.administration import one_more_realm
from tests.support.browser import Browser
from tests.support.http import patient_client
from tests.support.oauth import ALICE, LOOPBACK_CALLBACK, Pkce, authorize, claims, sign_in, token_request

MAXIMUM: Final = 60
EXCHANGE: Final = "nextcloud-mcp:exchange"
POLICIES: Final = "org.keycloak.services.clientregistration.policy.ClientRegistrationPolicy"
NOW: Final = ("--never-used-for", "1")
GRANTS: Final = (
    "authorization_code",
    "refresh_token",
    "implicit",
    "password",
    "client_credentials",
    "urn:ietf:params:oauth:grant-type:device_code",
    "urn:ietf:params:oauth:grant-type:jwt-bearer",
    "urn:ietf:params:oauth:grant-type:token-exchange",
    "urn:ietf:params:oauth:grant-type:uma-ticket",
    "urn:openid:params:grant-type:ciba",
)
"""Every grant for which a client can register; some of them turn on features of the client."""


@pytest.fixture(autouse=True)
def logging_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command sets up logging for its whole process, which here is that of all tests."""
    monkeypatch.setattr(command, "configure_logging", lambda _: None)


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command need many requests for the clients and the events of this realm, as for those of a large one."""
    monkeypatch.setattr(clients_api, "PAGE", 7)
    monkeypatch.setattr(clients_api, "EVENTS_PAGE", 7)


@pytest.fixture(scope="module")
def flooded(keycloak: Keycloak) -> Iterator[Keycloak]:
    """The shipped realm once more, with a small maximum."""
    with one_more_realm(keycloak, "flooded", {}) as realm:
        admin = realm.admin()
        path = f"admin/realms/{realm.realm}/components"
        found = admin.connection.raw_get(f"{path}?type={POLICIES}").json()
        (limit,) = [each for each in found if each["providerId"] == "max-clients"]
        limit["config"]["max-clients"] = [str(MAXIMUM)]
        admin.connection.raw_put(f"{path}/{limit['id']}", json.dumps(limit)).raise_for_status()
        yield realm


@pytest.fixture
def admin(flooded: Keycloak) -> KeycloakAdmin:
    """The Admin REST API of that realm."""
    return flooded.admin()


async def register(keycloak: Keycloak, **client: Any) -> httpx.Response:
    """Register a client as a stranger does."""
    body = {"client_name": "A client", "redirect_uris": [LOOPBACK_CALLBACK], "token_endpoint_auth_method": "none"}
    async with patient_client() as http:
        return await http.post(f"{keycloak.issuer}/clients-registrations/openid-connect", json=body | client)


async def registered(keycloak: Keycloak, **client: Any) -> str:
    """Return the id of a new client."""
    answer = await register(keycloak, **client)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["client_id"])


async def signed_in(keycloak: Keycloak, client_id: str) -> dict[str, Any]:
    """Sign alice in with a client, and return its tokens."""
    pkce, client = Pkce(), {"client_id": client_id, "redirect_uri": LOOPBACK_CALLBACK}
    answer = await authorize(keycloak, Browser(), **ALICE, **client, scope=EXCHANGE, **pkce.parameters)
    form = {"grant_type": "authorization_code", "code": answer["code"], "code_verifier": pkce.verifier}
    tokens: dict[str, Any] = (await token_request(keycloak, form | client)).json()
    return tokens


async def run(keycloak: Keycloak, *arguments: str, **environ: str) -> int:
    """Run `nextcloud-mcp clients` as the realm's janitor."""
    given = {"OIDC_DISCOVERY_URL": keycloak.discovery_url, "CLIENT_JANITOR_SECRET": "demo-only-client-janitor-secret"}
    return await asyncio.to_thread(main, ["clients", *arguments], given | environ)


async def prune(keycloak: Keycloak, *arguments: str) -> int:
    """Delete the unused clients."""
    return await run(keycloak, "prune", "--delete", *arguments)


def ids(admin: KeycloakAdmin) -> set[str]:
    """Return the client ids of the realm."""
    return {each["clientId"] for each in admin.get_clients()}


def seconds_old(admin: KeycloakAdmin, client_id: str, seconds: float) -> None:
    """Make a client look as if it was used so long ago: its events are gone, and its attribute says when."""
    admin.connection.raw_delete(f"admin/realms/{admin.connection.realm_name}/events").raise_for_status()
    admin.update_client(
        client_id, {"clientId": client_id, "attributes": {UNUSED_SINCE: str(int(time.time() - seconds))}}
    )


async def fill(keycloak: Keycloak) -> httpx.Response:
    """Register clients until Keycloak refuses; return that answer."""
    for _ in range(MAXIMUM + 1):
        answer = await register(keycloak)
        if answer.status_code != 201:
            return answer
    raise AssertionError("the registration has no maximum")


@pytest.mark.usefixtures("small_pages")
async def test_newcomer_gets_in_after_a_flood(
    flooded: Keycloak, admin: KeycloakAdmin, capsys: pytest.CaptureFixture[str]
) -> None:
    """Strangers fill it up; `mcp-client` still works, and after pruning a newcomer registers and signs in."""
    before, fixed = ids(admin), {each["clientId"] for each in admin.get_clients() if each["id"] != each["clientId"]}
    in_use = await registered(flooded)
    await signed_in(flooded, in_use)
    refused = await fill(flooded)
    assert (refused.status_code, refused.json()["error"]) == (403, "insufficient_scope")
    assert f"It's allowed to have max {MAXIMUM} clients per realm" in refused.json()["error_description"]
    assert claims((await sign_in(flooded, **ALICE, scope=EXCHANGE))["access_token"])["azp"] == "mcp-client"

    full = ids(admin)
    assert await run(flooded, "prune", *NOW) == 0
    assert "Nothing was deleted: pass --delete." in capsys.readouterr().out
    assert ids(admin) == full

    await asyncio.sleep(1)  # the flood must be a second old: nothing else tells its age
    assert await prune(flooded, *NOW) == 0
    kept = ids(admin)
    assert kept.isdisjoint(full - before - {in_use})
    assert kept >= fixed | {in_use}
    newcomer = await registered(flooded)
    assert claims((await signed_in(flooded, newcomer))["access_token"])["azp"] == newcomer


async def test_young_client_stays(flooded: Keycloak, admin: KeycloakAdmin) -> None:
    """A client that nobody has used yet stays for an hour."""
    client_id = await registered(flooded)
    assert await prune(flooded) == 0
    assert client_id in ids(admin)


async def test_used_client_stays_after_sign_out(flooded: Keycloak, admin: KeycloakAdmin) -> None:
    """A client without a session stays for 30 days after its last sign-in; then it goes."""
    client_id = await registered(flooded)
    await signed_in(flooded, client_id)
    admin.user_logout(str(admin.get_user_id("alice")))
    assert await prune(flooded, *NOW) == 0
    assert client_id in ids(admin)
    assert UNUSED_SINCE in admin.get_client(client_id)["attributes"]

    seconds_old(admin, client_id, 29 * 86400)
    assert await prune(flooded, *NOW) == 0
    assert client_id in ids(admin)

    seconds_old(admin, client_id, 31 * 86400)
    assert await prune(flooded, *NOW) == 0
    assert client_id not in ids(admin)


async def test_client_in_use_stays_whatever_its_age(flooded: Keycloak, admin: KeycloakAdmin) -> None:
    """A session keeps a client whose last sign-in is no longer known."""
    client_id = await registered(flooded)
    await signed_in(flooded, client_id)
    seconds_old(admin, client_id, 90 * 86400)
    assert await prune(flooded, *NOW, "--unused-for", "1") == 0
    assert client_id in ids(admin)
    admin.user_logout(str(admin.get_user_id("alice")))


async def test_client_of_unknown_age_stays_for_a_month(flooded: Keycloak, admin: KeycloakAdmin) -> None:
    """Without its events nobody knows if a client was used, so it stays until it was not used for 30 days."""
    client_id = await registered(flooded)
    admin.connection.raw_delete(f"admin/realms/{flooded.realm}/events").raise_for_status()
    assert await prune(flooded, *NOW) == 0
    marked = float(admin.get_client(client_id)["attributes"][UNUSED_SINCE])
    assert marked == pytest.approx(time.time() - 7 * 86400, abs=120)  # events are stored for a week
    assert await prune(flooded, "--unused-for", "7") == 0
    assert client_id not in ids(admin)


async def test_writing_the_last_use_changes_nothing_else(flooded: Keycloak, admin: KeycloakAdmin) -> None:
    """The attribute is all that differs afterwards, and the client's registration access token still works."""
    answer = (await register(flooded, scope=f"{EXCHANGE} notes:read", client_uri="https://claude.ai")).json()
    await signed_in(flooded, answer["client_id"])
    before = admin.get_client(answer["client_id"])
    assert await prune(flooded, *NOW) == 0
    after = admin.get_client(answer["client_id"])
    after["attributes"].pop(UNUSED_SINCE)
    assert after == before
    async with patient_client() as http:
        headers = {"Authorization": f"Bearer {answer['registration_access_token']}"}
        assert (await http.get(answer["registration_client_uri"], headers=headers)).status_code == 200
    admin.user_logout(str(admin.get_user_id("alice")))


BY_HAND: Final[dict[str, dict[str, Any]]] = {
    "a client id like that of a registration": {
        "clientId": "0f9b6a52-6f5b-4d0c-9f0e-2f7b7b4d9a11",
        "consentRequired": True,
    },
    "no client id": {},
    "no client id, with consent and a description": {"consentRequired": True, "description": "Keep it"},
    "a name": {"clientId": "libreoffice"},
}


@pytest.mark.parametrize("client", BY_HAND.values(), ids=BY_HAND.keys())
async def test_client_made_by_hand_stays(flooded: Keycloak, admin: KeycloakAdmin, client: dict[str, Any]) -> None:
    """An administrator's client stays, even if the janitor may see it and nobody uses it."""
    response = admin.connection.raw_post(
        f"admin/realms/{flooded.realm}/clients",
        json.dumps(client | {"publicClient": True, "redirectUris": ["http://localhost/"]}),
    )
    key = response.headers["location"].rpartition("/")[2]
    assert await prune(flooded, *NOW, "--unused-for", "1") == 0
    assert admin.get_client(key)["id"] == key
    admin.delete_client(key)


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param({"subject_type": "pairwise"}, id="mapper"),
        pytest.param({"grant_types": GRANTS, "token_endpoint_auth_method": "client_secret_basic"}, id="every grant"),
        pytest.param({"response_types": ["code", "id_token token", "none"]}, id="every response"),
        pytest.param({"token_endpoint_auth_method": "client_secret_post"}, id="secret"),
        pytest.param({"redirect_uris": []}, id="no redirect"),
        pytest.param({"client_name": "client-janitor", "contacts": ["a@b.example"], "software_id": "x"}, id="texts"),
    ],
)
async def test_registration_cannot_escape_pruning(
    flooded: Keycloak, admin: KeycloakAdmin, metadata: dict[str, Any]
) -> None:
    """Whatever a stranger registers, or updates (RFC 7592), it goes."""
    client_id = await registered(flooded, **metadata)
    updated = (await register(flooded)).json()
    change = {"client_id": updated["client_id"], "redirect_uris": [LOOPBACK_CALLBACK]} | metadata
    async with patient_client() as http:
        headers = {"Authorization": f"Bearer {updated['registration_access_token']}"}
        answer = await http.put(updated["registration_client_uri"], json=change, headers=headers)
    assert answer.status_code == 200, answer.text
    await asyncio.sleep(1)
    assert await prune(flooded, *NOW) == 0
    assert ids(admin).isdisjoint({client_id, updated["client_id"]})


async def test_client_that_signs_in_meanwhile_stays(flooded: Keycloak, admin: KeycloakAdmin) -> None:
    """Deleting many clients takes minutes: one with which somebody signed in since the survey stays."""
    client_id, unused = await registered(flooded), await registered(flooded)
    await asyncio.sleep(1)
    account = Account("client-janitor", "demo-only-client-janitor-secret", is_client=True)
    realm = Realm(flooded.discovery_url, account)
    found = await asyncio.to_thread(survey, realm)
    await signed_in(flooded, client_id)
    await asyncio.to_thread(delete_unused, realm, found, Limits(never_used=1.0))
    assert client_id in ids(admin)
    assert unused not in ids(admin)


async def test_description_keeps_a_registered_client(flooded: Keycloak, admin: KeycloakAdmin) -> None:
    """An administrator keeps a registered client by writing a description."""
    client_id = await registered(flooded)
    admin.update_client(client_id, {"clientId": client_id, "description": "Used by the reception"})
    await asyncio.sleep(1)
    assert await prune(flooded, *NOW) == 0
    assert client_id in ids(admin)


async def test_list_as_json(flooded: Keycloak, capsys: pytest.CaptureFixture[str]) -> None:
    """`list --json` says for each client when it was registered and used, and deletes nothing."""
    client_id = await registered(flooded, client_name="Tester")
    assert await run(flooded, "list", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["maximum"] == MAXIMUM
    (client,) = [each for each in document["clients"] if each["client_id"] == client_id]
    assert (client["client_name"], client["sessions"], client["used"], client["delete"]) == ("Tester", 0, None, None)
    assert client["registered"].startswith("20")


async def test_wrong_secret_is_one_sentence(flooded: Keycloak, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 1, and one line with the next step and without the secret."""
    assert await run(flooded, "list", CLIENT_JANITOR_SECRET="wrong-secret") == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "check the secret" in error
    assert "wrong-secret" not in error


async def test_administrator_in_place_of_the_janitor(flooded: Keycloak, capsys: pytest.CaptureFixture[str]) -> None:
    """A realm without the janitor is pruned with an administrator's password."""
    environ = {
        "CLIENT_JANITOR_SECRET": "",
        "KEYCLOAK_ADMIN": "admin",
        "KEYCLOAK_ADMIN_PASSWORD": flooded.admin_password,
    }
    assert await run(flooded, "prune", "--delete", *NOW, **environ) == 0
    assert "registered themselves" in capsys.readouterr().out
