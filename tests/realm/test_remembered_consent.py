"""What a consent that was given once allows later (RFC 8252 section 8.6: other programs can name a public client's id).

Keycloak 26.7 remembers a consent by person, client and scope, and has no setting to forget it. These tests hold what it
remembers, and the way to be asked to sign in each time that keycloak/README.md describes.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from keycloak import KeycloakAdmin

from stack.keycloak import Keycloak
from tests.realm.clients import LOOPBACK_CALLBACK, Register
from tests.support.browser import Browser, BrowserError
from tests.support.oauth import CLIENT_ID, Person, Pkce, authorize, sign_in

SCOPE = "nextcloud-mcp:exchange notes:read"
FLOW = "sign in each time"
SSO = {"auth-cookie", "auth-spnego"}


async def ask(
    keycloak: Keycloak, browser: Browser, person: Person, client_id: str = CLIENT_ID, scope: str = SCOPE, **more: str
) -> dict[str, str]:
    """Ask for a code as any program on the person's machine could, by their browser."""
    client = {"client_id": client_id, "redirect_uri": LOOPBACK_CALLBACK, "scope": scope}
    return await authorize(keycloak, browser, **person, **client, **Pkce().parameters, **more)


@pytest.fixture
async def consented(keycloak: Keycloak, someone: Person) -> Browser:
    """The browser of a person who has just signed in, and consented to `mcp-client`."""
    browser = Browser()
    await sign_in(keycloak, **someone, scope=SCOPE, browser=browser)
    assert len(browser.consents) == 1
    return browser


@pytest.mark.parametrize("prompt", [{"prompt": "none"}, {}], ids=["prompt=none", "no prompt"])
async def test_same_client_and_scope_get_a_code_silently(
    keycloak: Keycloak, someone: Person, consented: Browser, prompt: dict[str, str]
) -> None:
    """The limit: whoever names that client's id gets a code, at any port of the machine, and nothing is shown."""
    assert "code" in await ask(keycloak, consented, someone, **prompt)
    assert len(consented.consents) == 1


async def test_what_was_not_consented_to_is_asked_for(
    keycloak: Keycloak, someone: Person, consented: Browser, register: Register
) -> None:
    """Another scope, or another client, gets nothing silently."""
    other = (await register(token_endpoint_auth_method="none")).json()["client_id"]
    more = await ask(keycloak, consented, someone, scope=f"{SCOPE} notes:write", prompt="none")
    another = await ask(keycloak, consented, someone, other, prompt="none")

    assert (more["error"], another["error"]) == ("interaction_required", "interaction_required")


async def test_nobody_who_is_signed_out_gets_a_code(keycloak: Keycloak, someone: Person, consented: Browser) -> None:
    """The consent alone is no session."""
    assert len(consented.consents) == 1
    assert (await ask(keycloak, Browser(), someone, prompt="none"))["error"] == "login_required"


async def test_client_may_ask_for_the_page(keycloak: Keycloak, someone: Person, consented: Browser) -> None:
    """`prompt=consent` (OpenID Connect Core 3.1.2.1) shows it again."""
    assert "code" in await ask(keycloak, consented, someone, prompt="consent")
    assert len(consented.consents) == 2


async def test_consent_taken_back_is_asked_for(
    keycloak: Keycloak, admin: KeycloakAdmin, someone: Person, consented: Browser
) -> None:
    """An administrator takes it back for a person."""
    admin.revoke_consent(str(admin.get_user_id(someone["username"])), CLIENT_ID)
    answer = await ask(keycloak, consented, someone, prompt="none")

    assert answer["error"] in {"login_required", "interaction_required"}


@contextmanager
def signing_in_each_time(admin: KeycloakAdmin) -> Iterator[None]:
    """Bind `mcp-client` to a copy of the realm's browser flow without what recognizes a session."""
    admin.copy_authentication_flow({"newName": FLOW}, "browser")
    (flow,) = [each for each in admin.get_authentication_flows() if each["alias"] == FLOW]
    for execution in admin.get_authentication_flow_executions(FLOW):
        if execution.get("providerId") in SSO:
            admin.update_authentication_flow_executions(execution | {"requirement": "DISABLED"}, FLOW)
    client = str(admin.get_client_id(CLIENT_ID))
    admin.update_client(client, {"authenticationFlowBindingOverrides": {"browser": flow["id"]}})
    try:
        yield
    finally:  # Keycloak unbinds by an empty name, and not by leaving it out
        admin.update_client(client, {"authenticationFlowBindingOverrides": {"browser": ""}})
        admin.delete_authentication_flow(flow["id"])


async def test_flow_without_single_sign_on_asks_each_time(
    keycloak: Keycloak, admin: KeycloakAdmin, someone: Person, consented: Browser, register: Register
) -> None:
    """A client that is bound to such a flow gets no code without the person's password; others go on as before."""
    with signing_in_each_time(admin):
        assert (await ask(keycloak, consented, someone, prompt="none"))["error"] == "login_required"
        with pytest.raises(BrowserError, match="Invalid"):
            await ask(keycloak, consented, Person(username=someone["username"], password="not-the-password"))
        assert "code" in await ask(keycloak, Browser(), someone)
        other = (await register(token_endpoint_auth_method="none")).json()["client_id"]
        assert "code" in await ask(keycloak, consented, someone, other)
    assert "code" in await ask(keycloak, consented, someone, prompt="none")
