"""A realm without pass-through (`PASS_THROUGH=false`): only the exchange server can get a token for Nextcloud.

A pass-through token gives access to all of the user's Nextcloud, because Nextcloud checks no scopes. These tests
present every token that another client can get, by any flow, to Nextcloud itself.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any, Final

import httpx
import pytest
from joserfc.jwk import RSAKey
from keycloak import KeycloakAdmin

from stack.chain import Chain, realm_values
from stack.config import EXCHANGE_CLIENT_SECRET, NEXTCLOUD_CLIENT_SECRET
from stack.keycloak import Keycloak
from tests.support.administration import one_more_realm
from tests.support.browser import Browser
from tests.support.http import patient_client
from tests.support.minting import Minter, realm_key
from tests.support.oauth import (
    ACCESS_TOKEN,
    ALICE,
    CLIENT_ID,
    REDIRECT_URI,
    TOKEN_EXCHANGE,
    Pkce,
    authorize,
    basic_auth,
    claims,
    metadata,
    sign_in,
    token_request,
)
from tests.support.oauth import exchange as token_exchange
from tests.support.trust import nextcloud_trusting, opens

EXCHANGE: Final = "nextcloud-mcp:exchange"
PASS_THROUGH: Final = "nextcloud-mcp:pass-through"
JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ID_TOKEN: Final = "urn:ietf:params:oauth:token-type:id_token"
CALLBACK: Final = "http://localhost:49152/callback"

GRANTED: Final = (
    None,
    "openid",
    "notes:read",
    "openid files:read",
    EXCHANGE,
    f"openid {EXCHANGE} notes:read",
    "profile",
    "email",
    "openid profile email",
    f"openid profile email {EXCHANGE}",
)
"""What a client may ask for."""

REFUSED: Final = (
    PASS_THROUGH,
    f"{PASS_THROUGH} notes:read",
    f"{EXCHANGE} {PASS_THROUGH}",
    "nextcloud",
    f"nextcloud {EXCHANGE}",
    "offline_access",
)
"""What none gets, in any combination."""

SIGN_IN: Final = {"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"}
REGISTRATIONS: Final[dict[str, dict[str, Any]]] = {
    "naming no scope": SIGN_IN,
    "for pass-through": SIGN_IN | {"scope": f"{PASS_THROUGH} openid notes:read"},
    "for both servers": SIGN_IN | {"scope": f"{EXCHANGE} {PASS_THROUGH} openid notes:read"},
    "with a secret and every grant": {
        "redirect_uris": [CALLBACK],
        "token_endpoint_auth_method": "client_secret_basic",
        "grant_types": [
            "authorization_code", "refresh_token", "client_credentials", "password", TOKEN_EXCHANGE, JWT_BEARER,
        ],
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def keycloak(chain: Chain) -> Iterator[Keycloak]:
    """The shipped realm, once more, for exchange alone."""
    values = realm_values(chain.config) | {"PASS_THROUGH": "false"}
    with one_more_realm(chain.keycloak, "exchange-alone", values) as realm:
        yield realm


@pytest.fixture(scope="module")
def admin(keycloak: Keycloak) -> KeycloakAdmin:
    """That realm's administration API."""
    return keycloak.admin()


@pytest.fixture(scope="module")
def key(admin: KeycloakAdmin) -> RSAKey:
    """A key of ours that the realm publishes."""
    return realm_key(admin)


@pytest.fixture(scope="module")
def nextcloud_url(
    chain: Chain, keycloak: Keycloak, key: RSAKey, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A Nextcloud that trusts that realm; it asks for the realm's keys once, so `key` has to be there before."""
    del key
    with nextcloud_trusting(chain.config, keycloak, tmp_path_factory.mktemp("exchange-alone")) as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Browser:
    """Alice's browser, in which she stays signed in."""
    return Browser()


@pytest.fixture(params=["by hand", *REGISTRATIONS])
async def client(request: pytest.FixtureRequest, keycloak: Keycloak, admin: KeycloakAdmin) -> AsyncIterator[Any]:
    """Each kind of client in turn, as keyword arguments of a sign-in."""
    if request.param == "by hand":
        yield {"client_id": CLIENT_ID, "redirect_uri": REDIRECT_URI}
        return
    async with patient_client() as http:
        endpoint = (await metadata(keycloak))["registration_endpoint"]
        answer = await http.post(endpoint, json=REGISTRATIONS[request.param])
    registered = answer.raise_for_status().json()
    identity = {"client_id": registered["client_id"], "redirect_uri": CALLBACK}
    if "client_secret" in registered:
        identity["client_secret"] = registered["client_secret"]
    yield identity
    admin.delete_client(str(admin.get_client_id(registered["client_id"])))


def tokens_in(answer: dict[str, Any]) -> list[str]:
    """Return each token of a token response."""
    return [answer[name] for name in ("access_token", "id_token", "refresh_token") if name in answer]


async def opening(nextcloud_url: str, tokens: list[str]) -> list[dict[str, Any]]:
    """Return the claims of the tokens that Nextcloud accepts."""
    return [claims(token) for token in tokens if await opens(nextcloud_url, token)]


async def test_no_sign_in_gives_a_token_for_nextcloud(
    keycloak: Keycloak, nextcloud_url: str, client: dict[str, str], browser: Browser
) -> None:
    """Whatever scopes a client requests, it gets no code, or only tokens that Nextcloud refuses."""
    tokens: list[str] = []
    for scope in REFUSED:
        parameters = {name: client[name] for name in ("client_id", "redirect_uri")} | Pkce().parameters
        answer = await authorize(keycloak, browser, **ALICE, scope=scope, **parameters)
        assert "code" not in answer, scope
    registered_for = await _registered_scopes(keycloak, client["client_id"])
    for asked in GRANTED:
        if set((asked or "").split()) <= registered_for:
            tokens += tokens_in(await sign_in(keycloak, **ALICE, scope=asked, browser=browser, **client))
    assert len(tokens) >= 4
    assert await opening(nextcloud_url, tokens) == []


async def _registered_scopes(keycloak: Keycloak, client_id: str) -> set[str]:
    """The scopes that a client has, and may ask for; `openid` is everybody's."""
    admin = keycloak.admin()
    client = admin.get_client(str(admin.get_client_id(client_id)))
    return {"openid", *client["optionalClientScopes"]}


async def test_no_refresh_gives_a_token_for_nextcloud(
    keycloak: Keycloak, nextcloud_url: str, client: dict[str, str], browser: Browser
) -> None:
    """A refresh with additional scopes fails; one with fewer gives no token for Nextcloud (RFC 6749 section 6)."""
    registered_for = await _registered_scopes(keycloak, client["client_id"])
    first = " ".join({"openid", EXCHANGE, "notes:read"} & registered_for)
    granted = await sign_in(keycloak, **ALICE, scope=first, browser=browser, **client)
    for scope in REFUSED:
        answer = await _refresh(keycloak, granted["refresh_token"], scope, client)
        assert "access_token" not in answer, scope
    tokens: list[str] = []
    for less in (None, "openid", "notes:read"):
        granted = await _refresh(keycloak, granted["refresh_token"], less, client)
        tokens += tokens_in(granted)
    assert len(tokens) >= 6
    assert await opening(nextcloud_url, tokens) == []


async def _refresh(keycloak: Keycloak, token: str, scope: str | None, client: dict[str, str]) -> dict[str, Any]:
    form = {"grant_type": "refresh_token", "refresh_token": token} | ({"scope": scope} if scope else {})
    answer: dict[str, Any] = (await _token_request(keycloak, form, client)).json()
    return answer


async def _token_request(keycloak: Keycloak, form: dict[str, str], client: dict[str, str]) -> httpx.Response:
    """A request of the client's to the token endpoint, with its secret where it has one."""
    if "client_secret" in client:
        return await token_request(keycloak, form, basic_auth(client["client_id"], client["client_secret"]))
    return await token_request(keycloak, form | {"client_id": client["client_id"]})


async def test_no_other_grant_gives_a_token(keycloak: Keycloak, client: dict[str, str], browser: Browser) -> None:
    """A client gets no token by exchanging any of its tokens, as a service account, or with a user's password."""
    registered_for = await _registered_scopes(keycloak, client["client_id"])
    first = " ".join({"openid", EXCHANGE, "notes:read"} & registered_for)
    granted = await sign_in(keycloak, **ALICE, scope=first, browser=browser, **client)
    forms = [
        {
            "grant_type": TOKEN_EXCHANGE,
            "subject_token": granted[token],
            "subject_token_type": kind,
            "requested_token_type": ACCESS_TOKEN,
            **asked,
        }
        for token, kind in (("access_token", ACCESS_TOKEN), ("id_token", ID_TOKEN))
        for asked in ({}, {"audience": "nextcloud"}, {"scope": PASS_THROUGH}, {"scope": "nextcloud"})
    ]
    forms += [
        {"grant_type": "client_credentials", "scope": EXCHANGE},
        {"grant_type": "password", "scope": EXCHANGE, **ALICE},
        {"grant_type": JWT_BEARER, "assertion": granted["access_token"]},
    ]
    for form in forms:
        answer = await _token_request(keycloak, form, client)
        assert answer.status_code in {400, 401, 403}, (form["grant_type"], answer.text)
        assert "access_token" not in answer.json()


@pytest.mark.parametrize("response_type", ["id_token", "id_token token", "code id_token", "token", "none"])
async def test_web_login_client_issues_no_token_in_the_browser(
    keycloak: Keycloak, browser: Browser, response_type: str
) -> None:
    """Nextcloud accepts its login's ID token, so no browser flow may return one (OpenID Connect Core 3.2, 3.3)."""
    answer = await authorize(
        keycloak,
        browser,
        **ALICE,
        client_id="nextcloud",
        redirect_uri=_web_login(keycloak),
        scope="openid profile email",
        response_type=response_type,
        nonce="n",
        **Pkce().parameters,
    )
    assert tokens_in(answer) == []


def _web_login(keycloak: Keycloak) -> str:
    """The redirect of Nextcloud's own login."""
    admin = keycloak.admin()
    redirects: list[str] = admin.get_client(str(admin.get_client_id("nextcloud")))["redirectUris"]
    return redirects[0]


async def test_web_login_code_needs_the_client_secret(
    keycloak: Keycloak, client: dict[str, str], browser: Browser
) -> None:
    """No client can redeem the web login's code without the secret, even with a PKCE verifier of its own."""
    redirect, pkce = _web_login(keycloak), Pkce()
    sent = {"client_id": "nextcloud", "redirect_uri": redirect, "scope": "openid profile email"}
    thieves: list[Callable[[dict[str, str]], Any]] = [
        partial(_token_request, keycloak, client=client),
        partial(_token_request, keycloak, client={"client_id": "nextcloud"}),
        partial(_token_request, keycloak, client={"client_id": "nextcloud", "client_secret": "a guess"}),
    ]
    for redeem in thieves:
        code = (await authorize(keycloak, browser, **ALICE, **sent, **pkce.parameters))["code"]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect}
        answer = await redeem(form | {"code_verifier": pkce.verifier})
        assert answer.status_code in {400, 401}, answer.text
        assert "access_token" not in answer.json()


async def test_exchange_server_gets_a_token_for_nextcloud(chain: Chain, keycloak: Keycloak, nextcloud_url: str) -> None:
    """In this realm, the exchange server can exchange a token for one that this Nextcloud accepts."""
    subject_token = (await sign_in(keycloak, **ALICE, scope=EXCHANGE))["access_token"]
    answer = await token_exchange(
        keycloak,
        subject_token,
        client_id=chain.config.exchange_url,
        client_secret=EXCHANGE_CLIENT_SECRET,
        audience="nextcloud",
    )
    assert not await opens(nextcloud_url, subject_token)
    assert await opens(nextcloud_url, answer.json()["access_token"])


async def test_web_login_secret_gets_an_id_token_for_nextcloud(keycloak: Keycloak, nextcloud_url: str) -> None:
    """Nextcloud accepts the ID token of its web login, but not the access token; only Nextcloud gets that ID token."""
    tokens = await sign_in(
        keycloak,
        **ALICE,
        client_id="nextcloud",
        client_secret=NEXTCLOUD_CLIENT_SECRET,
        redirect_uri=_web_login(keycloak),
        scope="openid profile email",
    )
    assert not await opens(nextcloud_url, tokens["access_token"])
    assert await opens(nextcloud_url, tokens["id_token"])


def test_keycloak_evaluates_no_token_for_nextcloud(chain: Chain, keycloak: Keycloak, admin: KeycloakAdmin) -> None:
    """Keycloak's evaluation of each client, with each scope with claims and all together, gives no token for Nextcloud.

    The evaluation ignores client policies, which can only refuse more.
    """
    scopes = admin.get_client_scopes()
    everything = " ".join(scope["name"] for scope in scopes)
    telling = [scope["name"] for scope in scopes if scope.get("protocolMappers")]
    assert {"nextcloud", EXCHANGE, PASS_THROUGH} < set(telling)
    found = {
        (client["clientId"], kind)
        for client in admin.get_clients()
        for scope in (*telling, "openid", everything)
        for kind in ("access", "id")
        if _would_open_nextcloud(_evaluated(keycloak, admin, client["id"], scope, kind))
    }
    assert found == {(chain.config.exchange_url, "access"), ("nextcloud", "id")}


def _evaluated(keycloak: Keycloak, admin: KeycloakAdmin, client: str, scope: str, kind: str) -> dict[str, Any]:
    """The claims of the token that Keycloak would issue to Alice's client for this scope."""
    evaluate = f"/admin/realms/{keycloak.realm}/clients/{client}/evaluate-scopes"
    answer = admin.connection.raw_get(
        f"{evaluate}/generate-example-{kind}-token", scope=scope, userId=admin.get_user_id("alice")
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def _would_open_nextcloud(token: dict[str, Any]) -> bool:
    """What user_oidc asks for, as `test_nextcloud_requires_audience_and_user_name` measures it."""
    audience = token.get("aud")
    meant_for_it = audience is None or "nextcloud" in (audience if isinstance(audience, list) else [audience])
    return meant_for_it and "preferred_username" in token


@pytest.mark.parametrize(
    ("changes", "accepted"),
    [
        pytest.param({"aud": "nextcloud"}, True, id="audience nextcloud"),
        pytest.param({"aud": ["x", "nextcloud"]}, True, id="nextcloud among audiences"),
        pytest.param({"aud": None}, True, id="no audience at all"),
        pytest.param({"aud": "nextcloud", "typ": "ID"}, True, id="an ID token's type"),
        pytest.param({"aud": "nextcloud", "scope": None}, True, id="no scope"),
        pytest.param({"aud": []}, False, id="an empty list of audiences"),
        pytest.param({"aud": "mcp-client"}, False, id="another audience"),
        pytest.param({"aud": "nextcloud", "preferred_username": None}, False, id="no user name"),
        pytest.param({"aud": None, "preferred_username": None}, False, id="neither audience nor user name"),
        pytest.param({"aud": None, "preferred_username": ""}, False, id="no audience, an empty user name"),
    ],
)
async def test_nextcloud_requires_audience_and_user_name(
    keycloak: Keycloak, nextcloud_url: str, key: RSAKey, changes: dict[str, Any], *, accepted: bool
) -> None:
    """Nextcloud needs a user name and checks `aud` only if present: a token with a user name must have an audience."""
    minter = Minter(issuer=keycloak.issuer, resource="http://localhost/mcp", key=key)
    assert await opens(nextcloud_url, minter.mint(**changes)) is accepted


async def test_metadata_does_not_list_the_pass_through_scope(keycloak: Keycloak) -> None:
    """The metadata lacks the pass-through scope: clients request what it lists (RFC 8414 section 2)."""
    offered = (await metadata(keycloak))["scopes_supported"]
    assert PASS_THROUGH not in offered
    assert EXCHANGE in offered
