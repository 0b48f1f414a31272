"""The page at the server's address: what it says, and what it never says."""

import json
import re
from base64 import b64decode
from collections.abc import Mapping
from html import unescape
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from nextcloud_mcp.catalogue import app_names, offer
from nextcloud_mcp.pages.landing import offered_apps
from nextcloud_mcp.pages.negotiation import LANGUAGES
from nextcloud_mcp.pages.rendering import coded, messages
from tests.support.declared import OFFER
from tests.support.issuer import ISSUER, SERVER_URL
from tests.support.server import EXCHANGE, PASS_THROUGH, Server, serving

ROOT: Final = Path(__file__).parents[3]
THEME: Final = ROOT / "keycloak/themes/nextcloud-mcp/login"
CONNECT: Final = "\n".join(
    (ROOT / "docs/how-to" / name).read_text(encoding="utf-8")
    for name in ("connect-a-client.md", "connect-a-hosted-client.md", "connect-a-program.md")
)
MODES: Final = {"exchange": EXCHANGE, "pass-through": PASS_THROUGH}
CLIENTS: Final = ("Claude Desktop", "Claude Code", "VS Code", "Cursor", "Codex", "Gemini CLI", "MCP Inspector")


async def page(server: Server, language: str = "en", **headers: str) -> str:
    """Return the page as a browser gets it."""
    sent = {"Accept": "text/html,*/*;q=0.8", "Accept-Language": language, **headers}
    return (await server.http.get("/mcp", headers=sent)).raise_for_status().text


async def page_with(**settings: str) -> str:
    """Return the page of a server in exchange mode with these settings."""
    async with serving({**EXCHANGE, **settings}) as server:
        return await page(server)


def codes(html: str) -> list[str]:
    """Return the texts that have a copy button."""
    return [unescape(code) for code in re.findall(r"<pre><code>(.*?)</code></pre>", html, re.DOTALL)]


def links(html: str, start: str) -> list[str]:
    """Return the targets of links that begin with a text."""
    return [unescape(each) for each in re.findall(r'href="([^"]*)"', html) if unescape(each).startswith(start)]


def texts(html: str) -> str:
    """Return what people read."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def shape(value: Any) -> Any:
    """Return the keys of a message file, the number of texts in a list, and the places of values in a text."""
    if isinstance(value, Mapping):
        return {key: shape(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value]
    return sorted(re.findall(r"\{\w+\}|`[^`]+`", value))


@pytest.mark.parametrize("name", ["common", "landing"])
def test_languages_have_the_same_texts(name: str) -> None:
    """Each text is there in each language, with the same values and the same code."""
    assert shape(messages(name, "de")) == shape(messages(name, "en"))


async def test_page_has_the_address_and_each_client(server: Server) -> None:
    """The server's URL comes first; each client has its own steps with it."""
    html = await page(server)
    assert codes(html)[0] == SERVER_URL
    assert re.findall(r"<summary>(.*?)</summary>", html) == [*CLIENTS, "Another assistant"]
    assert all(SERVER_URL in code for code in codes(html))


@pytest.mark.parametrize("client", [client for client in CLIENTS if client != "Claude Desktop"])
async def test_steps_are_those_of_the_docs(client: str) -> None:
    """What is copied for a client is, character by character, in the client's section of the how-to."""
    (section,) = re.findall(rf"^## {client}\n(.*?)(?=^#|\Z)", CONNECT, re.DOTALL | re.MULTILINE)
    html = await page_with(NEXTCLOUD_MCP_SERVER_URL="http://localhost:8000/mcp")
    (found,) = re.findall(rf"<summary>{client}</summary>(.*?)</details>", html, re.DOTALL)
    (code,) = codes(found)
    assert code in re.findall(r"```\w+\n(.*?)\n```", section, re.DOTALL)


async def test_claude_desktop_gets_the_address_alone(server: Server) -> None:
    """Its dialog wants the URL, and the client id of the how-to."""
    (found,) = re.findall(r"<summary>Claude Desktop</summary>(.*?)</details>", await page(server), re.DOTALL)
    assert codes(found) == [SERVER_URL]
    assert "<code>mcp-client</code>" in found
    assert "`mcp-client`" in CONNECT


async def test_links_open_vs_code_and_cursor_with_the_server(server: Server) -> None:
    """The links have the server in the form that each program documents."""
    html = await page(server)
    (vs_code,) = links(html, "vscode:")
    (cursor,) = links(html, "cursor:")
    assert vs_code.startswith("vscode:mcp/install?")
    assert json.loads(unquote(urlsplit(vs_code).query)) == {"name": "nextcloud", "type": "http", "url": SERVER_URL}
    assert cursor.startswith("cursor://anysphere.cursor-deeplink/mcp/install?")
    query = parse_qs(urlsplit(cursor).query)
    assert query["name"] == ["nextcloud"]
    assert json.loads(b64decode(query["config"][0])) == {"url": SERVER_URL}


async def test_gemini_gets_its_scopes_in_pass_through() -> None:
    """Gemini CLI would request the scope of another server; in this mode its settings name the scopes."""
    async with serving(PASS_THROUGH) as server:
        (code,) = [each for each in codes(await page(server)) if "httpUrl" in each]
    assert json.loads(code)["mcpServers"]["nextcloud"] == {
        "httpUrl": SERVER_URL,
        "oauth": {"scopes": ["nextcloud-mcp:pass-through", *OFFER.scopes()]},
    }


@pytest.mark.parametrize("language", LANGUAGES)
async def test_page_names_every_app_in_the_words_of_the_consent_page(server: Server, language: str) -> None:
    """Each app that the scopes reach is there, with the words with which Keycloak asks for consent."""
    shown = texts(await page(server, language))
    consent = dict(
        line.split("=", 1)
        for line in (THEME / f"messages/messages_{language}.properties").read_text(encoding="utf-8").splitlines()
        if "=" in line
    )
    rights: dict[str, list[str]] = {}
    for scope in OFFER.scopes():
        rights.setdefault(scope.partition(":")[0], []).append(scope.partition(":")[2])
    assert set(rights) == set(app_names())
    for app, each in rights.items():
        key = ".".join(each)
        usual = f"{consent[f'consentApp.{app}']}: {consent.get(f'consentRight.{key}')}"
        line = consent.get(f"consentLine.{app}.{key}", usual)
        assert line.replace(": ", " ", 1) in shown


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("language", LANGUAGES)
async def test_texts_show_no_markup(language: str, mode: str) -> None:
    """Nobody reads a tag, a backtick, an asterisk or the name of a value."""
    async with serving(MODES[mode]) as server:
        html = await page(server, language)
    assert re.findall(r"<[^>]*>|[`*{}]", texts(re.sub(r"<pre>.*?</pre>", "", html, flags=re.DOTALL))) == []


def test_marked_texts_are_escaped() -> None:
    """What stands between the marks, or outside, can't become an element."""
    assert coded("`<a>` & *<b>*") == "<code>&lt;a&gt;</code> &amp; <em>&lt;b&gt;</em>"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("read_only", [False, True], ids=["all", "read-only"])
def test_there_are_words_for_every_offer(language: str, *, read_only: bool) -> None:
    """A server with any single app has words for its name and for its rights."""
    words = messages("landing", language)
    for app in app_names():
        only = offer(read_only=read_only, apps=[app])
        assert len(offered_apps(only, words)) == bool(only.scopes()), app


async def test_read_only_server_promises_no_change() -> None:
    """The page names only what this server offers."""
    shown = texts(await page_with(MCP_READ_ONLY="true", MCP_APPS="files notes"))
    offered = shown.partition("What you can allow")[2].partition("Your data")[0]
    assert "Notes read" in offered
    assert "change" not in offered.lower()


@pytest.mark.parametrize("mode", MODES)
async def test_privacy_is_said_in_three_sentences(mode: str) -> None:
    """They say what holds in this mode: in exchange mode the client has no token for Nextcloud."""
    async with serving(MODES[mode]) as server:
        html = await page(server)
    (found,) = re.findall(r'<ul class="sentences">(.*?)</ul>', html, re.DOTALL)
    sentences = re.findall(r"<li>(.*?)</li>", found)
    assert len(sentences) == 3
    assert all(sentence.count(".") == 1 and sentence.endswith(".") for sentence in sentences)
    assert ("never gets a key" in found) == (mode == "exchange")
    assert ("opens everything" in found) == (mode == "pass-through")


async def test_page_links_the_account_console_once_the_issuer_is_known(server: Server) -> None:
    """The link to end access is the realm's; a page never causes a request to Keycloak."""
    before = await page(server)
    assert server.keycloak.requests == []
    await server.http.get("/.well-known/oauth-protected-resource")
    after = await page(server)
    assert links(before, ISSUER) == []
    assert links(after, ISSUER) == [f"{ISSUER}/account/applications"]


async def test_page_shows_whose_it_is() -> None:
    """The organisation's name and help page are settings; both are escaped."""
    html = await page_with(ORGANISATION_NAME='<i>Example & "Co"</i>', MCP_HELP_URL="https://example.org/help")
    assert texts(html.partition("<header>")[2].partition("<nav")[0]) == '<i>Example & "Co"</i>'
    assert "<i>" not in html
    assert links(html, "https://example.org") == ["https://example.org/help"]


async def test_page_has_nothing_of_the_request_and_of_the_inside(server: Server) -> None:
    """Whatever a request says, the page is the same; it names no version and no internal address."""
    plain = await page(server)
    sent = {"Accept": "text/html", "User-Agent": "probe-1", "X-Forwarded-Host": "probe-2", "Cookie": "probe=3"}
    other = await server.http.get("/mcp?probe=4&lang=probe", headers=sent)
    assert other.text == plain
    assert version("nextcloud-mcp") not in plain
    assert EXCHANGE["NEXTCLOUD_HOST"] not in plain
    assert EXCHANGE["OIDC_DISCOVERY_URL"] not in plain


async def test_page_loads_only_its_own_files(server: Server) -> None:
    """Its policy allows no inline script or style, and no other host; all files that it names are there."""
    answer = await server.http.get("/mcp", headers={"Accept": "text/html"})
    assert answer.headers["content-security-policy"].split("; ") == [
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "img-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
    assert answer.headers["cache-control"].startswith("private, max-age=")
    assert {"Accept", "Accept-Language"} <= set(answer.headers["vary"].split(", "))
    assert not re.search(r"<style|style=|<script>|\son\w+=", answer.text)
    named = set(re.findall(r'(?:src|(?<=stylesheet" )href|(?<=icon" )href)="([^"]*)"', answer.text))
    assert named == {"/mcp/assets/logo.svg", "/mcp/assets/pages.css", "/mcp/assets/copy.js"}
    for each in named:
        assert (await server.http.get(each)).status_code == 200


def test_pages_have_the_face_of_keycloaks_pages() -> None:
    """Logo and colours are those of the theme, in light and in dark."""
    pages = ROOT / "server/nextcloud_mcp/pages/static"
    assert (pages / "logo.svg").read_bytes() == (THEME / "resources/img/logo.svg").read_bytes()
    theme, own = (
        re.findall(r"--[\w-]+: #\w+;(?: --[\w-]+: #\w+;)+", each.read_text(encoding="utf-8"))
        for each in (THEME / "resources/css/nextcloud-mcp.css", pages / "pages.css")
    )
    assert len(theme) == 2
    assert own[:2] == theme
