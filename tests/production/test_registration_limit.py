"""`registration.conf`, by a real nginx on this machine: how many clients one address may register."""

import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

import httpx
import pytest

from stack.process import LOOPBACK, free_port, run_process
from tests.support.http import TIMEOUT_SECONDS

CONFIGURATION: Final = Path(__file__).parents[2] / "deploy" / "production" / "registration.conf"
PATH: Final = "/realms/nextcloud-mcp/clients-registrations/openid-connect"
BURST: Final = 31
"""One request, and the burst of the configuration."""


class Echo(BaseHTTPRequestHandler):
    """Stands for Keycloak: answers with the headers of the request."""

    def _answer(self) -> None:
        body = json.dumps({name.lower(): value for name, value in self.headers.items()}).encode()
        self.send_response(201)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 - the names that the base class calls

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture(scope="module")
def upstream() -> Iterator[int]:
    """The port of what stands for Keycloak."""
    with ThreadingHTTPServer((LOOPBACK, 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture
def proxy(upstream: int, tmp_path: Path) -> Iterator[httpx.Client]:
    """The shipped configuration, with other addresses and folders alone, as nginx runs it."""
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        pytest.skip("nginx is not here: install Debian's package nginx-light.")
    port = free_port()
    text = CONFIGURATION.read_text()
    for there, here in {
        "listen 8080": f"listen {LOOPBACK}:{port}",
        "http://keycloak:8080": f"http://{LOOPBACK}:{upstream}",
        "/tmp/": f"{tmp_path}/",  # noqa: S108 - the container's
    }.items():
        assert there in text
        text = text.replace(there, here)
    file = tmp_path / "registration.conf"
    file.write_text(text)
    url = f"http://{LOOPBACK}:{port}"
    with (
        run_process(
            "nginx",
            [nginx, "-c", file, "-g", "daemon off;"],
            log=tmp_path / "nginx.log",
            ready=lambda: _answers(f"{url}/health"),
        ),
        httpx.Client(base_url=url, trust_env=False, timeout=TIMEOUT_SECONDS) as client,
    ):
        yield client


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.TransportError:
        return False


def registered(proxy: httpx.Client, address: str, count: int) -> list[int]:
    """Register from an address, as Caddy passes it on, and return the statuses."""
    headers = {"X-Forwarded-For": address, "X-Forwarded-Proto": "https"}
    return [proxy.post(PATH, json={}, headers=headers).status_code for _ in range(count)]


def test_configuration_is_valid_nginx(proxy: httpx.Client) -> None:
    """Nginx starts with the file, and answers the health check."""
    assert proxy.get("/health").status_code == 200


def test_one_address_is_limited_and_others_are_not(proxy: httpx.Client) -> None:
    """After the burst, one address gets 429, with the next step; another address still registers."""
    assert registered(proxy, "203.0.113.5", BURST) == [201] * BURST
    answer = proxy.post(PATH, json={}, headers={"X-Forwarded-For": "203.0.113.5"})
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "60"
    assert "mcp-client" in answer.json()["error_description"]
    assert registered(proxy, "203.0.113.6", 1) == [201]


@pytest.mark.parametrize("prefix", ["2001:db8:1:2:", "2001:db8:7:", "2001:db8:"], ids=["full", "short", "shorter"])
def test_ipv6_network_counts_as_one_address(proxy: httpx.Client, prefix: str) -> None:
    """Somebody with an IPv6 network of 64 bits gets no more than somebody with one address."""
    statuses = [status for n in range(BURST + 5) for status in registered(proxy, f"{prefix}:{n + 1:x}", 1)]
    assert statuses.count(429) >= 4
    assert registered(proxy, "2001:db9:1:1::1", 1) == [201]


def test_own_registration_is_not_limited(proxy: httpx.Client) -> None:
    """Reading, changing and deleting a registration (RFC 7592) is not counted."""
    headers = {"X-Forwarded-For": "203.0.113.9"}
    methods = ["GET", "PUT", "DELETE"] * 15
    assert {proxy.request(method, f"{PATH}/x", headers=headers).status_code for method in methods} == {201}


def test_keycloak_gets_the_headers_of_caddy(proxy: httpx.Client) -> None:
    """Host and the forwarded headers arrive unchanged, so that Keycloak's answer has its public addresses."""
    given = {"Host": "id.example.org", "X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}
    given |= {"X-Forwarded-Host": "id.example.org", "Authorization": "Bearer x"}
    got = proxy.post(PATH, json={}, headers=given).json()
    assert {name: got[name.lower()] for name in given} == given


@pytest.mark.parametrize("path", ["/realms/nextcloud-mcp", "/admin/realms", "/realms/a/b/clients-registrations/x", "/"])
def test_nothing_else_is_served(proxy: httpx.Client, path: str) -> None:
    """Only the registration's path leads to Keycloak."""
    assert proxy.get(path).status_code == 404
