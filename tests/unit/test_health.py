"""`health`: the liveness and readiness endpoints."""

from collections.abc import Mapping
from typing import Any, Final

import anyio
import httpx
import pytest
from structlog.testing import capture_logs

from tests.support.issuer import TOKEN_PATH, Answer, answer, failing
from tests.support.server import Server

STATUS: Final = "/status.php"


async def test_live_sends_no_request(server: Server) -> None:
    """A process that answers is alive whatever else is down, since a restart would not help."""
    server.keycloak.down()
    response = await server.http.get("/health/live")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    assert server.keycloak.requests == []
    assert server.nextcloud.requests == []


async def test_ready_if_all_dependencies_work(server: Server) -> None:
    """Readiness requires issuer metadata and keys, a client that Keycloak accepts, and a working Nextcloud."""
    response = await server.http.get("/health/ready")
    assert response.status_code == 200
    assert response.json() == {"status": "ok", "checks": {"issuer": "ok", "client": "ok", "nextcloud": "ok"}}
    assert server.keycloak.fetches() == 1
    assert server.nextcloud.asked() == [f"GET {STATUS}"]


async def test_not_ready_if_client_is_refused(server: Server) -> None:
    """A server with a wrong secret is not ready; the log says what to do, without the secret."""
    refusal = {"error": "unauthorized_client", "error_description": "Invalid client or Invalid client credentials"}
    server.keycloak.instead[TOKEN_PATH] = answer(401, json=refusal)
    with capture_logs() as events:
        response = await server.http.get("/health/ready")
        await server.http.get("/health/ready")
    assert response.status_code == 503
    assert response.json()["checks"] == {"issuer": "ok", "client": "refused", "nextcloud": "ok"}
    (event, again) = [event for event in events if event["event"] == "health.client_refused"]
    assert "set OIDC_CLIENT_SECRET to its present secret" in event["remedy"]
    assert again["remedy"] == event["remedy"]
    assert "s3cret" not in str(events)
    assert len(server.keycloak.exchanges()) == 1, "the second check should not have asked Keycloak again"


async def test_client_is_authenticated_once(server: Server) -> None:
    """Checks cost Keycloak one request, repeated only after a refused call."""
    for _ in range(5):
        assert (await server.http.get("/health/ready")).status_code == 200
    assert len(server.keycloak.exchanges()) == 1

    server.keycloak.instead[TOKEN_PATH] = answer(401, json={"error": "unauthorized_client"})
    assert "unauthorized_client" in await server.misuse("nc_whoami")
    assert (await server.http.get("/health/ready")).status_code == 503


async def test_concurrent_checks_share_one_result(server: Server) -> None:
    """Concurrent checks cause one request to Keycloak and one to Nextcloud, and share the result."""
    statuses: list[int] = []

    async def ask() -> None:
        statuses.append((await server.http.get("/health/ready")).status_code)

    server.keycloak.gate = anyio.Event()
    async with anyio.create_task_group() as group:
        for _ in range(50):
            group.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        server.keycloak.gate.set()
    assert statuses == [200] * 50
    assert len(server.keycloak.exchanges()) == 1
    assert server.nextcloud.asked() == [f"GET {STATUS}"]


async def test_pass_through_authenticates_no_client(pass_through_server: Server) -> None:
    """In pass-through mode Keycloak need not know this server as a client, and gets no such request."""
    response = await pass_through_server.http.get("/health/ready")
    assert response.json()["checks"]["client"] == "ok"
    assert pass_through_server.keycloak.exchanges() == []


async def test_not_ready_without_issuer(server: Server) -> None:
    """Without Keycloak no token can be verified; the log has the address."""
    server.keycloak.down()
    response = await server.http.get("/health/ready")
    assert response.status_code == 503
    assert response.json()["status"] == "unavailable"
    assert response.json()["checks"]["nextcloud"] == "ok"
    assert response.json()["checks"]["issuer"] == "unavailable"


NOT_READY: Final[Mapping[str, tuple[Answer, str]]] = {
    "connection refused": (failing(httpx.ConnectError), "unavailable"),
    "time-out": (failing(httpx.ReadTimeout), "unavailable"),
    "500": (answer(500), "unavailable"),
    "HTML": (answer(html="<h1>It works</h1>"), "unavailable"),
    "redirect": (answer(302, headers={"Location": "https://elsewhere.test/"}), "unavailable"),
    "a list": (answer(json=[]), "not installed"),
    "not installed": (answer(json={"installed": False}), "not installed"),
    "maintenance": (answer(json={"installed": True, "maintenance": True}), "in maintenance"),
}


@pytest.mark.parametrize(("status", "reason"), NOT_READY.values(), ids=NOT_READY.keys())
async def test_not_ready_without_nextcloud(server: Server, status: Answer, reason: str) -> None:
    """Without a working Nextcloud no call can be served; the log says what is wrong."""
    server.nextcloud.on("GET", STATUS, status)
    response = await server.http.get("/health/ready")
    assert response.status_code == 503
    checks: dict[str, Any] = response.json()["checks"]
    assert checks["issuer"] == "ok"
    assert checks["nextcloud"] == reason


async def test_response_reveals_no_address(server: Server) -> None:
    """The endpoint is public; Nextcloud's address and error go to the log only."""
    server.nextcloud.on("GET", STATUS, failing(httpx.ConnectError))
    with capture_logs() as events:
        response = await server.http.get("/health/ready")
    assert "cloud.test" not in response.text
    assert [(event["event"], event["error"]) for event in events if event["event"].startswith("health")] == [
        ("health.nextcloud_unavailable", "ConnectError")
    ]


async def test_ready_again_after_recovery(server: Server) -> None:
    """After Nextcloud's maintenance mode ends, the next check succeeds."""
    server.nextcloud.on(
        "GET",
        STATUS,
        answer(json={"installed": True, "maintenance": True}),
        answer(json={"installed": True, "maintenance": False}),
    )
    assert (await server.http.get("/health/ready")).status_code == 503
    assert (await server.http.get("/health/ready")).status_code == 200


async def test_health_checks_send_no_token(server: Server) -> None:
    """Health checks use no user's token."""
    await server.http.get("/health/ready", headers={"Authorization": "Bearer of-alice"})
    for request in (*server.nextcloud.requests, *server.keycloak.requests):
        assert "Bearer" not in request.headers.get("Authorization", "")
        assert b"of-alice" not in request.content
