"""`pages.negotiation`: browsers get pages, clients the answers that they had, and readers their language."""

from itertools import product
from typing import Final

import httpx
import pytest

from tests.support.server import EXCHANGE, Server, serving

BROWSERS: Final = {
    "Chromium and Edge": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;"
    "q=0.8,application/signed-exchange;v=b3;q=0.7",
    "Firefox and Safari": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Lynx": "text/html, text/plain, text/sgml, text/css, application/xhtml+xml, */*;q=0.01",
    "in capitals": "TEXT/HTML",
}
"""The `Accept` of navigations."""

CLIENTS: Final = {
    "none": None,
    "a call: Claude Code, Gemini CLI, mcp-remote, opencode": "application/json, text/event-stream",
    "the stream: mcporter, opencode": "text/event-stream",
    "discovery: mcp-remote": "application/json",
    "discovery: Codex, Claude Code, curl, httpx": "*/*",
    "a call in another order": "text/event-stream, application/json",
    "a call and anything": "text/event-stream, application/json, */*",
    "empty": "",
    "a call and pages": "application/json, text/event-stream, text/html",
    "no pages": "text/html;q=0, */*",
    "a wrong weight": "text/html;q=x",
    "an infinite weight": "text/html;q=inf",
    "any text": "text/*",
    "too many": ", ".join(["text/html"] * 51),
}
"""The `Accept` of clients. Those with a name were seen in the versions of docs/reference/clients.md."""

ADDRESSES: Final = ("/", "/mcp", "/mcp/")


def request(server: Server, method: str, path: str, accept: str | None, **headers: str) -> httpx.Request:
    """Return a request with this `Accept` alone, or without one."""
    built = server.http.build_request(method, path, headers=headers)
    del built.headers["accept"]
    if accept is not None:
        built.headers["accept"] = accept
    return built


async def answers_of_clients(server: Server) -> list[tuple[int, dict[str, str], bytes]]:
    """Return status, headers and body of the answers to all that clients may send."""
    methods = ("GET", "HEAD", "POST", "DELETE", "PUT")
    requests = [request(server, *each) for each in product(methods, ADDRESSES, CLIENTS.values())]
    requests += [request(server, *each) for each in product(("POST", "PUT"), ADDRESSES, BROWSERS.values())]
    requests += [request(server, "GET", "/mcp", each, Authorization="Bearer x") for each in BROWSERS.values()]
    answers = []
    for each in requests:
        answer = await server.http.send(each)
        headers = {name: value for name, value in answer.headers.items() if name != "x-request-id"}
        answers.append((answer.status_code, headers, answer.content))
    return answers


async def test_clients_get_the_same_answers_as_without_pages(server: Server) -> None:
    """At each address, for each header and method, status, headers and body are the same."""
    with_pages = await answers_of_clients(server)
    async with serving({**EXCHANGE, "MCP_PAGES": "false"}) as other:
        without_pages = await answers_of_clients(other)
    assert with_pages == without_pages
    assert {status for status, _, _ in with_pages} == {401, 404}


@pytest.mark.parametrize("accept", BROWSERS.values(), ids=BROWSERS.keys())
@pytest.mark.parametrize("path", ADDRESSES)
async def test_browsers_get_the_page(server: Server, path: str, accept: str) -> None:
    """GET and HEAD of the host's root and of the endpoint are answered with the page."""
    answers = [await server.http.send(request(server, method, path, accept)) for method in ("GET", "HEAD")]
    for answer in answers:
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answers[0].headers["content-length"] == answers[1].headers["content-length"]


@pytest.mark.parametrize("url", ["http://localhost:8000", "http://localhost:8000/a/b"])
async def test_addresses_follow_from_the_url(url: str) -> None:
    """The page and its files are where the server's URL says; a page at the root does not hide an endpoint there."""
    async with serving({**EXCHANGE, "NEXTCLOUD_MCP_SERVER_URL": url}) as server:
        path = httpx.URL(url).path
        page = await server.http.get(path, headers={"Accept": BROWSERS["Lynx"]})
        file = await server.http.get(f"{path.rstrip('/')}/assets/pages.css")
        call = await server.http.post(path)
    assert (page.status_code, file.status_code, call.status_code) == (200, 200, 401)
    assert f'href="{path.rstrip("/")}/assets/pages.css"' in page.text


async def test_pages_can_be_turned_off() -> None:
    """Without pages, a browser gets what clients get, and there are no files."""
    async with serving({**EXCHANGE, "MCP_PAGES": "false"}) as server:
        paths = ("/", "/mcp", "/mcp/assets/pages.css")
        answers = [await server.http.get(path, headers={"Accept": BROWSERS["Lynx"]}) for path in paths]
    assert [answer.status_code for answer in answers] == [404, 401, 404]


@pytest.mark.parametrize("path", ["/", "/mcp", "/mcp/assets/pages.css"])
async def test_pages_are_behind_the_check_of_the_host(server: Server, path: str) -> None:
    """A page and its files answer only to the public host name, as the endpoint does."""
    answer = await server.http.get(path, headers={"Accept": BROWSERS["Lynx"], "Host": "attacker.test"})
    assert answer.status_code == 421


@pytest.mark.parametrize(
    ("query", "accepted", "language"),
    [
        pytest.param("", None, "en", id="no preference"),
        pytest.param("", "de-AT,de;q=0.9,en;q=0.8", "de", id="a region"),
        pytest.param("", "fr,en;q=0.5,de;q=0.7", "de", id="by weight"),
        pytest.param("", "fr, it", "en", id="unknown languages"),
        pytest.param("", "de;q=0", "en", id="refused"),
        pytest.param("?lang=de", "en", "de", id="chosen"),
        pytest.param("?lang=en", "de", "en", id="chosen against the preference"),
        pytest.param("?lang=xx", "de", "de", id="an unknown choice"),
        pytest.param("?lang=%22><script>", "en", "en", id="no language"),
    ],
)
async def test_language(server: Server, query: str, accepted: str | None, language: str) -> None:
    """`?lang=` selects the language, else `Accept-Language` (RFC 9110 section 12.5.4), else it is English."""
    headers = {"Accept": BROWSERS["Lynx"]} | ({} if accepted is None else {"Accept-Language": accepted})
    page = await server.http.get(f"/mcp{query}", headers=headers)
    assert page.headers["content-language"] == language
    assert f'<html lang="{language}">' in page.text
