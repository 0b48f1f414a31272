"""The pages on which people sign in: who serves them, what they may reach, and what they never contain."""

import re
from collections.abc import Mapping
from html import unescape
from typing import Final

import pytest

from nextcloud_mcp.auth.scopes import Offer
from nextcloud_mcp.pages.journey import CHECKS, refused_tool
from nextcloud_mcp.pages.negotiation import LANGUAGES
from nextcloud_mcp.pages.rendering import messages
from tests.support.declared import OFFER
from tests.support.issuer import ISSUER, SERVER_URL
from tests.support.server import EXCHANGE, PASS_THROUGH, Server, serving
from tests.unit.pages.test_landing import shape, texts

OTHER: Final = "https://other.example.org:8443"
ON: Final[Mapping[str, str]] = {**EXCHANGE, "MCP_JOURNEY": "true", "MCP_CONNECTIONS": "true"}
BOTH: Final[Mapping[str, str]] = {**ON, "MCP_OTHER_SERVER_URL": f"{OTHER}/mcp"}
PAGES: Final = ["/mcp/journey", "/mcp/connections", "/mcp/journey/callback", "/mcp/connections/callback"]


async def page(server: Server, path: str, language: str = "en") -> str:
    """Return a page of a server that knows its issuer."""
    await server.http.get("/.well-known/oauth-protected-resource/mcp")
    response = await server.http.get(path, headers={"Accept": "text/html", "Accept-Language": language})
    return response.raise_for_status().text


def policy(header: str) -> dict[str, set[str]]:
    """Return the directives of a Content Security Policy."""
    return {name: set(values) for name, *values in (each.split() for each in header.split(";"))}


@pytest.mark.parametrize("path", [*PAGES, "/journey", "/connections"])
async def test_off_by_default(server: Server, path: str) -> None:
    """Without the settings, the pages do not exist."""
    assert (await server.http.get(path, headers={"Accept": "text/html"})).status_code == 404


@pytest.mark.parametrize("path", PAGES)
async def test_without_pages_there_are_none_of_these(path: str) -> None:
    """`MCP_PAGES=false` turns off these pages too, and the endpoints of the journey."""
    async with serving({**ON, "MCP_PAGES": "false"}) as server:
        assert (await server.http.get(path, headers={"Accept": "text/html"})).status_code == 404
        assert (await server.http.post("/mcp/journey/api/tokens")).status_code == 404


@pytest.mark.parametrize("name", ["journey", "connections"])
async def test_short_address_leads_to_the_page(name: str) -> None:
    """The address without the path of the MCP endpoint redirects to the page, and drops its query."""
    async with serving(ON) as server:
        response = await server.http.get(f"/{name}?next=https://attacker.example", follow_redirects=False)
    assert (response.status_code, response.headers["location"]) == (307, f"{SERVER_URL}/{name}")


@pytest.mark.parametrize(
    ("path", "reached"),
    [
        ("/mcp/journey", {"'self'", "http://keycloak.test", OTHER}),
        ("/mcp/connections", {"'self'", "http://keycloak.test"}),
        ("/mcp/journey/callback", None),
    ],
)
async def test_scripts_reach_only_what_they_need(path: str, reached: set[str] | None) -> None:
    """Scripts are this server's files alone, may reach the named origins alone, and no page may frame the page."""
    async with serving(BOTH) as server:
        await server.http.get("/.well-known/oauth-protected-resource/mcp")
        response = await server.http.get(path)
    directives = policy(response.headers["content-security-policy"])
    assert directives.get("connect-src") == reached
    assert directives["default-src"] == {"'none'"}
    assert directives["script-src"] == {"'self'"}
    assert directives["frame-ancestors"] == {"'none'"}
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["cross-origin-opener-policy"] == "same-origin"


@pytest.mark.parametrize("path", PAGES)
async def test_page_has_nothing_of_the_request(path: str) -> None:
    """No part of a request gets into a page; foreign hosts and origins are refused."""
    async with serving(BOTH) as server:
        response = await server.http.get(f"{path}?code=<script>&issuer=https://attacker.example&other=attacker")
        assert "attacker" not in response.text + str(response.headers)
        assert "<script>" not in response.text
        assert (await server.http.get(path, headers={"Host": "attacker.example"})).status_code == 421


async def test_modes_of_one_server_and_of_two() -> None:
    """Without another server the page shows its own mode alone, and no try at the other; with it, exchange first."""
    async with serving({**PASS_THROUGH, "MCP_JOURNEY": "true"}) as alone:
        html = await page(alone, "/mcp/journey")
        assert re.findall(r'<section class="mode" data-mode="([a-z-]+)" data-server="([^"]*)"', html) == [
            ("pass-through", SERVER_URL)
        ]
        assert 'data-try="other"' not in html
    async with serving(BOTH) as server:
        html = await page(server, "/mcp/journey")
        assert re.findall(r'<section class="mode" data-mode="([a-z-]+)" data-server="([^"]*)"', html) == [
            ("exchange", SERVER_URL),
            ("pass-through", f"{OTHER}/mcp"),
        ]
        assert 'data-scope="nextcloud-mcp:pass-through notes:read"' in html
        assert 'data-try="other"' in html


@pytest.mark.parametrize("path", ["/mcp/journey", "/mcp/connections"])
async def test_before_the_issuer_is_known(path: str) -> None:
    """A server that does not reach Keycloak says so, and offers no sign-in; the page itself asks nobody."""
    async with serving(BOTH) as server:
        response = await server.http.get(path)
        assert server.keycloak.requests == []
    assert "does not reach Keycloak" in response.text
    assert "data-sign-in" not in response.text or "disabled" in response.text
    assert ISSUER not in response.text


@pytest.mark.parametrize(
    ("settings", "ends"),
    [
        (ON, ["At a server that exchanges tokens: at its next call."]),
        ({**ON, "TOKEN_EXCHANGE_CACHE_SECONDS": "20"}, ["at its next call, or up to 20 seconds later."]),
        ({**PASS_THROUGH, "MCP_CONNECTIONS": "true"}, ["when its token expires, after five minutes at most."]),
        (BOTH, ["exchanges tokens: at its next call.", "passes tokens through: when its token expires"]),
        (
            {**PASS_THROUGH, "MCP_JOURNEY": "true", "MCP_CONNECTIONS": "true", "MCP_OTHER_SERVER_URL": f"{OTHER}/mcp"},
            ["at its next call, or up to 60 seconds later.", "when its token expires"],
        ),
    ],
)
async def test_connections_say_when_access_ends(settings: Mapping[str, str], ends: list[str]) -> None:
    """The page says it for the mode of each server; the other server's setting is not known, so it is the longest."""
    async with serving(settings) as server:
        html = await page(server, "/mcp/connections")
    (told,) = re.findall(r'<ul class="plain">(.*?)</ul>', html.partition('<template id="connection">')[0], re.DOTALL)
    sentences = re.findall(r"<li>(.*?)</li>", told)
    assert len(sentences) == len(ends)
    assert all(end in sentence for end, sentence in zip(ends, sentences, strict=True))


async def test_connections_link_to_the_account_console() -> None:
    """The page ends nothing itself: it links to the issuer's account console, in a tab that can't reach the page."""
    async with serving(ON) as server:
        html = await page(server, "/mcp/connections")
    (link,) = re.findall(r"<a [^>]*data-end>", html)
    assert f'href="{ISSUER}/account/applications"' in link
    assert 'target="_blank" rel="noopener noreferrer"' in link


@pytest.mark.parametrize(
    ("seconds", "expected", "why"), [("0", "401", "next call on"), ("20", "401 200", "20 seconds")]
)
async def test_try_after_the_sign_out_depends_on_the_cache(seconds: str, expected: str, why: str) -> None:
    """A server that uses exchanged tokens again may answer 200 after the sign-out, and the page says for how long."""
    async with serving({**ON, "TOKEN_EXCHANGE_CACHE_SECONDS": seconds}) as server:
        html = await page(server, "/mcp/journey")
    item = html.partition('data-try="signed-out"')[2].partition("</li>")[0]
    (found,) = re.findall(r'data-expected="([^"]*)" data-why="([^"]*)"', item)
    assert found[0] == expected
    assert why in found[1]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_claim_and_try_is_explained(language: str) -> None:
    """In each language, the page explains each claim with who checks it and a link, and each try."""
    async with serving(BOTH) as server:
        html = await page(server, "/mcp/journey", language)
    told = messages("journey", language)
    assert [each["id"] for each in told["claims"]] == list(CHECKS)
    for claim in told["claims"]:
        assert html.count(f'data-claim="{claim["id"]}"') == 2
        assert claim["link"].startswith("https://")
        assert unescape(html).count(f'href="{claim["link"]}"') >= 2
    plain = texts(html)
    assert all(each["name"] in plain and each["question"] in plain for each in told["experiments"])


@pytest.mark.parametrize("name", ["journey", "connections", "callback"])
def test_languages_have_the_same_texts(name: str) -> None:
    """Each text is there in each language, with the same values, statuses and links."""
    german, english = messages(name, "de"), messages(name, "en")
    assert _shape(german) == _shape(english)


def _shape(value: object) -> object:
    """Return `shape`, with numbers, ids and links as they are."""
    if isinstance(value, Mapping):
        return {key: each if key in {"id", "link", "rfc", "status"} else _shape(each) for key, each in value.items()}
    return [_shape(each) for each in value] if isinstance(value, list) else shape(value)


@pytest.mark.parametrize(
    ("offer", "granted", "tool"),
    [
        (OFFER, "notes:read", "nc_notes_append_content"),
        (Offer([]), "", None),
    ],
)
def test_tool_without_its_scope(offer: Offer, granted: str, tool: str | None) -> None:
    """The refused tool is of the same app if there is one; a server without scopes has none."""
    assert refused_tool(offer, granted) == tool


@pytest.mark.parametrize("apps", ["deck", "files"])
async def test_other_offers_have_a_refused_tool(apps: str) -> None:
    """With other apps, the page asks for a scope that is offered, or for none, and tries a tool that needs another."""
    async with serving({**ON, "MCP_APPS": apps}) as server:
        html = await page(server, "/mcp/journey")
    (tool,) = re.findall(r'data-tool="([^"]*)"', html)
    (scope,) = re.findall(r'data-scope="([^"]*)"', html)
    assert OFFER.tools[tool] - set(scope.split())
