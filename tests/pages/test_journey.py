"""The token journey in Chromium, with a real Keycloak, both servers, and Nextcloud or the stand-in."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, Request, Route, expect

from stack.chain import Chain
from stack.keycloak import Keycloak
from tests.support.administration import client_with
from tests.support.chromium import DESKTOP, PHONE, Watch, barriers, new_page
from tests.support.oauth import Person
from tests.support.second_window import JWT, WAIT, complete, leaks, visitor, wait_until_closed

MODES: Final = ("exchange", "pass-through")
SIGNED_IN: Final = re.compile(r"^Signed in\. Your token expires in \d+:\d\d\.$")
REFUSED_TRY: Final = re.compile(r"Failed to load resource: the server responded with a status of 40[13] ")
"""What Chromium writes to the console about the refusals that tries ask for."""

TRIES: Final = {
    "received": {"exchange": (401, "worth nothing there"), "pass-through": (200, "By design")},
    "sent": {"exchange": (200, "for 60 seconds"), "pass-through": (200, "It is the same token")},
    "other": {"exchange": (401, "not meant for this server"), "pass-through": (401, "not meant for this server")},
    "scope": {"exchange": (403, "insufficient_scope"), "pass-through": (403, "insufficient_scope")},
}
"""The status of each try in each mode, and a part of what the page says about it."""


@dataclass
class Visit:
    """A page, with all that it and its second windows wrote and requested."""

    page: Page
    watch: Watch
    requests: list[Request] = field(default_factory=list)

    @classmethod
    def begin(
        cls, chromium: Browser, chain: Chain, *, size: tuple[int, int] = DESKTOP, language: str = "en", **options: Any
    ) -> "Visit":
        """Open the page of the server in exchange mode."""
        page = new_page(chromium, size, language=language, **options)
        visit = cls(page, Watch.over(page))
        page.context.on("request", lambda sent: visit.requests.append(sent))  # noqa: PLW0108 - Playwright marks it
        page.goto(f"{chain.config.exchange_url}/journey")
        return visit

    def sign_in(self, mode: str, person: Person | None = None) -> None:
        """Sign in for a mode, and consent to it; `person` is needed once."""
        window = complete(self.page, self.mode(mode).locator("[data-sign-in]").click, person, consents=True)
        expect(self.state(mode)).to_have_text(SIGNED_IN, timeout=WAIT)
        wait_until_closed(window, self.page)

    def mode(self, mode: str) -> Locator:
        """Return the part of the page about a mode."""
        return self.page.locator(f"section[data-mode={mode}]")

    def state(self, mode: str) -> Locator:
        """Return the line that says whether the person is signed in."""
        return self.mode(mode).locator("[data-state]")

    def value(self, mode: str, claim: str, side: Literal["received", "sent", "change"]) -> str:
        """Return what the page shows of a claim."""
        return self.mode(mode).locator(f"[data-claim={claim}] [data-{side}]").inner_text()

    def result(self, name: str, mode: str) -> Locator:
        """Return what a try gave in a mode."""
        return self.page.locator(f"[data-try={name}] [data-mode={mode}] [data-result]")

    def run(self, name: str) -> None:
        """Click on a try, and wait for its results."""
        self.page.locator(f"[data-try={name}] [data-run]").click()
        expect(self.page.locator(f"[data-try={name}] .status")).to_have_count(len(MODES), timeout=WAIT)


@pytest.fixture(scope="module", autouse=True)
def _long_tokens(keycloak: Keycloak) -> Iterator[None]:
    """Let the page's tokens outlast the tests, however slow the machine is."""
    admin = keycloak.admin()
    attributes = admin.get_client(str(admin.get_client_id("journey")))["attributes"]
    with client_with(admin, "journey", attributes=attributes | {"access.token.lifespan": "1700"}):
        yield


@pytest.fixture(scope="module")
def visit(chromium: Browser, chain: Chain, keycloak: Keycloak) -> Iterator[Visit]:
    """A page on which a person with the role has signed in for both modes."""
    with visitor(keycloak, "journey") as person:
        visit = Visit.begin(chromium, chain)
        visit.sign_in("exchange", person)
        visit.sign_in("pass-through")
        yield visit


def origins(chain: Chain) -> dict[str, str]:
    """Return the origins of the parts that a page may reach."""
    urls = {"exchange": chain.config.exchange_url, "pass-through": chain.config.pass_through_url}
    return {name: url.removesuffix("/mcp") for name, url in urls.items()} | {"keycloak": chain.keycloak.url}


def test_what_changes_on_the_way(visit: Visit, chain: Chain) -> None:
    """The exchange changes audience, client, scope and expiry, and nothing else; pass-through changes nothing."""
    server = chain.config.exchange_url
    assert (visit.value("exchange", "aud", "received"), visit.value("exchange", "aud", "sent")) == (server, "nextcloud")
    assert (visit.value("exchange", "azp", "received"), visit.value("exchange", "azp", "sent")) == ("journey", server)
    claims = ["iss", "aud", "azp", "sub", "preferred_username", "sid", "scope", "typ", "exp"]
    changed = {name for name in claims if visit.value("exchange", name, "change") != "unchanged"}
    assert changed == {"aud", "azp", "scope", "exp"}
    assert {visit.value("pass-through", name, "change") for name in claims} == {"unchanged"}
    assert set(visit.value("pass-through", "aud", "sent").split()) == {chain.config.pass_through_url, "nextcloud"}


@pytest.mark.parametrize("mode", MODES)
def test_checks_have_passed(visit: Visit, mode: str) -> None:
    """Each check that is made says that it has passed, and only those do."""
    audience = visit.mode(mode).locator("[data-claim=aud] .checks")
    expect(audience.get_by_text("✓ passed:")).to_have_count(2, timeout=WAIT)
    session = visit.mode(mode).locator("[data-claim=sid] .checks")
    expect(session.get_by_text("✓ passed:")).to_have_count(1 if mode == "exchange" else 0)


@pytest.mark.parametrize("name", TRIES)
def test_tries(visit: Visit, name: str) -> None:
    """Each try shows the real status in both modes, and why."""
    visit.run(name)
    for mode, (status, why) in TRIES[name].items():
        result = visit.result(name, mode)
        expect(result.locator(".status")).to_have_text(str(status))
        expect(result).to_contain_text(why)
        expect(result).not_to_contain_text("Not what was expected")


def test_challenge_names_the_scope(visit: Visit) -> None:
    """The try without the scope shows which scopes the client has to ask for."""
    visit.run("scope")
    expect(visit.result("scope", "exchange")).to_contain_text('scope="nextcloud-mcp:exchange notes:read notes:write"')


def test_tokens_go_nowhere_else(visit: Visit, chain: Chain) -> None:
    """The page reaches only Keycloak and the servers, and sends each token only to the servers; no address has one."""
    reached = {"{0.scheme}://{0.netloc}".format(urlsplit(each.url)) for each in visit.requests}
    assert reached == set(origins(chain).values())
    with_token = [each for each in visit.requests if "authorization" in each.headers]
    assert {"{0.scheme}://{0.netloc}".format(urlsplit(each.url)) for each in with_token} == {
        origins(chain)[mode] for mode in MODES
    }
    assert not [each.url for each in visit.requests if JWT.search(each.url)]
    assert not [each.url for each in with_token if "cookie" in each.headers]


def test_no_token_is_left_anywhere(visit: Visit) -> None:
    """No JWT is in the document, the address, the storages or the console; nothing is stored at all."""
    assert leaks(visit.page) == []
    assert visit.page.evaluate("[localStorage.length, sessionStorage.length, document.cookie.length]") == [0, 0, 0]
    assert [each for each in visit.watch.messages if not REFUSED_TRY.match(each)] == []


def test_signed_in_page_has_no_barrier(visit: Visit) -> None:
    """With all values and results shown, axe finds nothing, and nothing is beyond the edge of a phone."""
    visit.run("received")
    try:
        for scheme, size in (("light", DESKTOP), ("dark", PHONE)):
            visit.page.set_viewport_size({"width": size[0], "height": size[1]})
            visit.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type] # one of two literals
            assert barriers(visit.page) == []
            assert visit.page.evaluate("document.documentElement.scrollWidth") <= size[0]
    finally:
        visit.page.set_viewport_size({"width": DESKTOP[0], "height": DESKTOP[1]})


@pytest.mark.parametrize("language", ["en", "de"])
def test_page_before_the_sign_in(chromium: Browser, chain: Chain, language: str) -> None:
    """Without a sign-in, the page explains all claims and tries, has no barrier, and a try says what to do first."""
    visit = Visit.begin(chromium, chain, size=PHONE, language=language)
    assert barriers(visit.page) == []
    visit.page.locator("[data-try=sent] [data-run]").click()
    expect(visit.result("sent", "exchange")).to_have_text(
        "Sign in above first." if language == "en" else "Melden Sie sich zuerst oben an."
    )
    assert visit.watch.messages == []
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]


def test_after_a_sign_out(chromium: Browser, chain: Chain, keycloak: Keycloak) -> None:
    """After the sign-out at Keycloak, the next call gives 401 in exchange mode, and 200 in pass-through mode."""
    with visitor(keycloak, "journey") as person:
        visit = Visit.begin(chromium, chain)
        visit.sign_in("exchange", person)
        visit.sign_in("pass-through")
        with visit.page.expect_popup() as opened:
            visit.page.locator("[data-try=signed-out] [data-run]").click()
        opened.value.locator("#kc-logout").click(timeout=WAIT, no_wait_after=True)
        for mode, status in (("exchange", 401), ("pass-through", 200)):
            expect(visit.result("signed-out", mode).locator(".status")).to_have_text(str(status), timeout=WAIT)
        expect(visit.result("signed-out", "pass-through")).to_contain_text(re.compile(r"\d+ s are left"))
        expect(visit.result("signed-out", "exchange")).to_contain_text("no longer honours this token")
        assert leaks(visit.page) == []


def test_person_without_the_role(chromium: Browser, chain: Chain, keycloak: Keycloak) -> None:
    """A person without the role can sign in, but sees no claim, and no try works."""
    with visitor(keycloak) as person:
        visit = Visit.begin(chromium, chain)
        complete(visit.page, visit.mode("exchange").locator("[data-sign-in]").click, person, consents=True)
        expect(visit.state("exchange")).to_contain_text("You may not see the token journey", timeout=WAIT)
        assert len(visit.value("exchange", "sub", "received")) == 1  # a dash
        visit.page.locator("[data-try=received] [data-run]").click()
        expect(visit.result("received", "exchange")).to_have_text("Sign in above first.")


def test_foreign_code_is_not_redeemed(chromium: Browser, chain: Chain) -> None:
    """A code that the page did not ask for is ignored (RFC 9700 section 4.7); the callback page hides its query."""
    visit = Visit.begin(chromium, chain)
    with visit.page.expect_popup():
        visit.mode("exchange").locator("[data-sign-in]").click()
    tab = visit.page.context.new_page()
    watch = Watch.over(tab)
    tab.goto(
        f"{chain.config.exchange_url}/journey/callback?code=of-an-attacker&state=guessed&iss={chain.keycloak.issuer}"
    )
    expect(tab).to_have_url(f"{chain.config.exchange_url}/journey/callback")
    assert all(each.startswith("Scripts may close only the windows") for each in watch.messages)
    expect(visit.state("exchange")).to_have_text("Sign in in the other window.")
    assert not [each.url for each in visit.requests if each.url.endswith("/protocol/openid-connect/token")]


def test_refused_sign_in_is_told(chromium: Browser, chain: Chain, keycloak: Keycloak) -> None:
    """If the person refuses the consent, the page says so, and a second attempt works."""
    with visitor(keycloak, "journey") as person:
        visit = Visit.begin(chromium, chain)
        window = complete(visit.page, visit.mode("exchange").locator("[data-sign-in]").click, person)
        window.locator("#kc-cancel").click(timeout=WAIT, no_wait_after=True)
        expect(visit.state("exchange")).to_have_text("The sign-in was cancelled. Try again.", timeout=WAIT)
        visit.sign_in("exchange", person)


def test_claims_are_shown_as_text(chromium: Browser, chain: Chain, keycloak: Keycloak) -> None:
    """HTML in a claim or in an error is shown as text, and runs nothing (XSS)."""
    hostile = "<img src=x onerror=\"document.title='broken'\">"

    def answer(route: Route) -> None:
        claims = {"preferred_username": hostile, "aud": [hostile], "exp": 9999999999}
        route.fulfill(json={"mode": "exchange", "received": claims, "sent": claims}, headers={"X-Test": "1"})

    with visitor(keycloak, "journey") as person:
        visit = Visit.begin(chromium, chain)
        visit.page.route("**/journey/api/tokens", answer)
        visit.page.route(
            "**/journey/api/nextcloud/*", lambda route: route.fulfill(status=502, json={"error": {"message": hostile}})
        )
        complete(visit.page, visit.mode("exchange").locator("[data-sign-in]").click, person, consents=True)
        expect(visit.mode("exchange").locator("[data-claim=aud] [data-received]")).to_have_text(hostile, timeout=WAIT)
        visit.page.locator("[data-try=received] [data-run]").click()
        expect(visit.result("received", "exchange")).to_contain_text(hostile, timeout=WAIT)
        assert visit.page.locator("main img").count() == 0
        assert "broken" not in visit.page.title()
