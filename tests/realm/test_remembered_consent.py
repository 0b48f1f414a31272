"""What a remembered consent allows later (RFC 8252 section 8.6: other programs can use a public client's id).

Keycloak 26.7 remembers a consent by user, client and scope, and has no setting to forget it. These tests show what it
remembers, and that the configuration in keycloak/README.md asks users to sign in each time.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from keycloak import KeycloakAdmin

from stack.keycloak import Keycloak
from tests.realm.clients import Register
from tests.support.browser import Browser, BrowserError
from tests.support.oauth import CLIENT_ID, LOOPBACK_CALLBACK, Person, Pkce, authorize, sign_in

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
    """Known limit: any program with that client's id gets a code without a page, on every port of the machine."""
    assert "code" in await ask(keycloak, consented, someone, **prompt)
    assert len(consented.consents) == 1


async def test_new_scope_or_client_needs_consent(
    keycloak: Keycloak, someone: Person, consented: Browser, register: Register
) -> None:
    """Another scope or another client gets no code without a consent page."""
    other = (await register(token_endpoint_auth_method="none")).json()["client_id"]
    more = await ask(keycloak, consented, someone, scope=f"{SCOPE} notes:write", prompt="none")
    another = await ask(keycloak, consented, someone, other, prompt="none")

    assert (more["error"], another["error"]) == ("interaction_required", "interaction_required")


async def test_remembered_consent_needs_a_session(keycloak: Keycloak, someone: Person, consented: Browser) -> None:
    """A remembered consent gives no code without a session."""
    assert len(consented.consents) == 1
    assert (await ask(keycloak, Browser(), someone, prompt="none"))["error"] == "login_required"


async def test_prompt_consent_shows_the_page(keycloak: Keycloak, someone: Person, consented: Browser) -> None:
    """`prompt=consent` (OpenID Connect Core 3.1.2.1) shows the consent page again."""
    assert "code" in await ask(keycloak, consented, someone, prompt="consent")
    assert len(consented.consents) == 2


async def test_revoked_consent_is_asked_for_again(
    keycloak: Keycloak, admin: KeycloakAdmin, someone: Person, consented: Browser
) -> None:
    """After an administrator revokes a user's consent, the page is shown again."""
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
    """A client with such a flow gets no code without the user's password; other clients are not affected."""
    with signing_in_each_time(admin):
        assert (await ask(keycloak, consented, someone, prompt="none"))["error"] == "login_required"
        with pytest.raises(BrowserError, match="Invalid"):
            await ask(keycloak, consented, Person(username=someone["username"], password="not-the-password"))
        assert "code" in await ask(keycloak, Browser(), someone)
        other = (await register(token_endpoint_auth_method="none")).json()["client_id"]
        assert "code" in await ask(keycloak, consented, someone, other)
    assert "code" in await ask(keycloak, consented, someone, prompt="none")
