"""`metrics`: what is and what is not published for Prometheus."""

import httpx
import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from nextcloud_mcp.metrics import REGISTRY
from tests.support.issuer import TOKEN_PATH, Answer, answer
from tests.support.nextcloud import NOTES
from tests.support.server import EVERYTHING, Server

Sample = tuple[str, frozenset[tuple[str, str]]]


class Change:
    """What has been counted since this was made."""

    def __init__(self) -> None:
        """Begin now."""
        self._before = _samples()

    def of(self, name: str, /, **labels: str) -> float:
        """Return by how much a sample has grown."""
        sample = (name, frozenset(labels.items()))
        return _samples().get(sample, 0) - self._before.get(sample, 0)


def _samples() -> dict[Sample, float]:
    families = text_string_to_metric_families(generate_latest(REGISTRY).decode())
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


async def test_calls_are_counted_by_outcome(server: Server) -> None:
    """Success, error and unexpected exception are counted separately for each tool."""

    def crash(_: httpx.Request) -> httpx.Response:
        raise LookupError

    change = Change()
    token = server.keycloak.mint(scope=EVERYTHING)
    await server.call("nc_whoami", token=token)
    await server.call("nc_notes_get_note", {"note_id": "7.5"}, token=token)
    server.nextcloud.on("GET", NOTES, answer(404))
    for path, told in (("7", answer(404)), ("8", crash)):
        server.nextcloud.on("GET", f"{NOTES}/{path}", told)
        await server.call("nc_notes_get_note", {"note_id": int(path)}, token=token)
        await server.read(f"nc://Notes/{path}")

    counted = {
        (kind, name, outcome): change.of("nextcloud_mcp_uses_total", kind=kind, name=name, outcome=outcome)
        for kind, name in (("tool", "nc_whoami"), ("tool", "nc_notes_get_note"), ("resource", "nc://Notes/{note_id}"))
        for outcome in ("done", "argument.invalid", "nextcloud.not_found", "crashed")
    }
    assert {use for use, times in counted.items() if times == 1} == {
        ("tool", "nc_whoami", "done"),
        ("tool", "nc_notes_get_note", "argument.invalid"),
        ("tool", "nc_notes_get_note", "nextcloud.not_found"),
        ("tool", "nc_notes_get_note", "crashed"),
        ("resource", "nc://Notes/{note_id}", "nextcloud.not_found"),
        ("resource", "nc://Notes/{note_id}", "crashed"),
    }
    assert set(counted.values()) == {0, 1}


async def test_failed_exchange_is_counted(server: Server) -> None:
    """The failed exchange is the call's outcome, which an alert can use."""
    change = Change()
    server.keycloak.instead[TOKEN_PATH] = answer(401, json={"error": "unauthorized_client"})
    await server.call("nc_whoami", token=server.keycloak.mint())
    assert change.of("nextcloud_mcp_uses_total", kind="tool", name="nc_whoami", outcome="token_exchange.failed") == 1


async def test_series_start_at_zero(server: Server) -> None:
    """Prometheus sees an increase only after a first sample, so each tool and resource starts at 0."""
    assert server.nextcloud.requests == []
    samples = _samples()
    for feature in (("tool", "nc_notes_get_note"), ("resource", "nc://Notes/{note_id}")):
        for outcome in ("crashed", "token_exchange.failed", "nextcloud.token_not_accepted"):
            labels = zip(("kind", "name", "outcome"), (*feature, outcome), strict=True)
            assert ("nextcloud_mcp_uses_total", frozenset(labels)) in samples


async def test_refusals_are_counted_by_status(server: Server) -> None:
    """Requests refused before a call are counted by HTTP status; health and metadata are not."""
    change = Change()
    await server.call("nc_whoami", token=None)
    await server.call("nc_notes_get_note", {"note_id": 7}, token=server.keycloak.mint(scope="files:read"))
    await server.http.get("/health/live")
    await server.http.get("/.well-known/oauth-protected-resource/mcp")
    counted = {status: change.of("nextcloud_mcp_responses_total", status=status) for status in ("200", "401", "403")}
    assert counted == {"200": 0, "401": 1, "403": 1}


@pytest.mark.parametrize("told", [answer(404), answer(200, json={"id": 7})], ids=["an error", "an answer"])
async def test_upstream_requests_are_timed(server: Server, told: Answer) -> None:
    """An exchange-mode call is one observation for Keycloak and one for each Nextcloud request."""
    server.nextcloud.on("GET", f"{NOTES}/7", told)
    change = Change()
    await server.call("nc_notes_get_note", {"note_id": 7}, token=server.keycloak.mint(scope=EVERYTHING))
    assert change.of("nextcloud_mcp_upstream_seconds_count", upstream="keycloak") == len(server.keycloak.exchanges())
    assert change.of("nextcloud_mcp_upstream_seconds_count", upstream="nextcloud") == len(server.nextcloud.requests)


async def test_labels_contain_no_personal_data(server: Server) -> None:
    """No published label has the user, the client or an argument."""
    token = server.keycloak.mint(scope=EVERYTHING, sub="subject-of-alice", azp="client-of-alice")
    await server.call("nc_notes_get_note", {"note_id": 7351}, token=token)
    await server.call("no_such_tool_7351", token=token)
    published = generate_latest(REGISTRY).decode()
    assert "nc_notes_get_note" in published
    assert not any(secret in published for secret in ("alice", "7351", token))
