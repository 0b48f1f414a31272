"""Which clients registered themselves, and which of them are to be deleted."""

import uuid
from typing import Any, Final

import pytest

from nextcloud_mcp.clients.selection import UNUSED_SINCE, Client, Evidence, Limits, is_registered, registered_clients

NOW: Final = 1_800_000_000.0
HOUR: Final = 3600.0
DAY: Final = 86400.0
ID: Final = "0253be4d-5db9-45ca-a147-dcb4265f5730"
REGISTERED: Final = {
    "id": ID,
    "clientId": ID,
    "name": "A",
    "protocol": "openid-connect",
    "consentRequired": True,
    "fullScopeAllowed": False,
    "attributes": {"realm_client": "false"},
}


def client(marked: float | None = None, **evidence: Any) -> Client:
    """Return the client with this evidence; events are stored for a week."""
    found: dict[str, Any] = dict(REGISTERED)
    if marked is not None:
        found["attributes"] = {UNUSED_SINCE: str(int(marked))}
    known = Evidence(NOW, NOW - 7 * DAY, **{name: {ID: value} for name, value in evidence.items()})
    (only,) = registered_clients([found], known)
    return only


CHANGES: Final[dict[str, dict[str, Any]]] = {
    "another id": {"id": str(uuid.uuid4())},
    "a client id that is no UUID": {"id": "mcp-client", "clientId": "mcp-client"},
    "a UUID of another version": {"id": ID.replace("-45ca", "-15ca"), "clientId": ID.replace("-45ca", "-15ca")},
    "a URL": {"id": "https://a.example/mcp", "clientId": "https://a.example/mcp"},
    "no consent": {"consentRequired": False},
    "full scope": {"fullScopeAllowed": True},
    "SAML": {"protocol": "saml"},
    "a description": {"description": "Used by the reception"},
    "a mapper": {"protocolMappers": [{"name": "audience"}]},
}


def test_registered_client_is_recognised() -> None:
    """A client as Keycloak 26.7 makes it of an anonymous registration."""
    assert is_registered(REGISTERED)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_any_other_client_is_not(change: dict[str, Any]) -> None:
    """One difference is enough to keep a client."""
    assert not is_registered(REGISTERED | change)


@pytest.mark.parametrize("name", ["id", "clientId", "protocol", "consentRequired", "fullScopeAllowed"])
def test_incomplete_client_is_not(name: str) -> None:
    """A client of which Keycloak does not tell everything stays."""
    assert not is_registered({key: value for key, value in REGISTERED.items() if key != name})


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        pytest.param({"registered": NOW - HOUR + 1}, None, id="never used, an hour"),
        pytest.param({"registered": NOW - HOUR}, "never used since its registration 1 hour ago", id="never used"),
        pytest.param({"registered": NOW - 2 * DAY, "sessions": 1}, None, id="session"),
        pytest.param({"registered": NOW - 2 * DAY, "signed_in": NOW - DAY}, None, id="signed in"),
        pytest.param({"marked": NOW - 30 * DAY + 1}, None, id="30 days"),
        pytest.param({"marked": NOW - 30 * DAY}, "not used for 30 days or longer", id="unused"),
        pytest.param({"marked": NOW - 60 * DAY, "sessions": 1}, None, id="unused with session"),
        pytest.param({"marked": NOW - 60 * DAY, "signed_in": NOW - DAY}, None, id="used again"),
        pytest.param({}, None, id="nothing is known"),
    ],
)
def test_reason(known: dict[str, Any], reason: str | None) -> None:
    """Sessions keep a client; else an hour without any use, or 30 days since the last use, end it."""
    assert client(**known).reason(Limits(), NOW) == reason


def test_unknown_client_is_unused_since_events_are_stored() -> None:
    """A client without any evidence was not used for the week of which there are events, and no longer."""
    unknown = client()
    assert unknown.reason(Limits(unused=7 * DAY), NOW) == "not used for 7 days or longer"
    assert unknown.reason(Limits(unused=7 * DAY + 1), NOW) is None


@pytest.mark.parametrize(
    ("known", "mark"),
    [
        pytest.param({"registered": NOW - 60}, None, id="never used: its event says all"),
        pytest.param({}, NOW - 7 * DAY, id="unknown"),
        pytest.param({"signed_in": NOW - DAY}, NOW - DAY, id="used, not marked"),
        pytest.param({"signed_in": NOW - DAY, "marked": NOW - 2 * DAY}, NOW - DAY, id="used a day later"),
        pytest.param({"signed_in": NOW - DAY, "marked": NOW - 2 * DAY + 1}, None, id="used within the day"),
        pytest.param({"sessions": 1, "marked": NOW - 3 * DAY}, NOW, id="in use"),
    ],
)
def test_last_use_is_written_once_a_day(known: dict[str, Any], mark: float | None) -> None:
    """The attribute is written where events would be lost, and at most once a day."""
    assert client(**known).mark == mark


@pytest.mark.parametrize("text", ["", "soon", "-5", "1e9", str(int(NOW + DAY)), "9" * 40])
def test_senseless_attribute_counts_as_none(text: str) -> None:
    """An attribute that is no time of the past neither keeps nor ends a client."""
    known = Evidence(NOW, NOW - 7 * DAY, registered={ID: NOW - 60})
    (found,) = registered_clients([REGISTERED | {"attributes": {UNUSED_SINCE: text}}], known)
    assert (found.marked, found.used) == (None, None)


@pytest.mark.parametrize(
    ("count", "maximum", "seconds"),
    [(1599, 2000, HOUR), (1600, 2000, 600.0), (5000, None, HOUR)],
    ids=["far", "near", "no maximum"],
)
def test_limit_is_shorter_near_the_maximum(count: int, maximum: int | None, seconds: float) -> None:
    """From 80 % of the maximum on, a client that nobody has used stays for ten minutes."""
    limits = Limits().for_count(count, maximum)
    assert (limits.never_used, limits.unused) == (seconds, Limits().unused)
    assert Limits(never_used=60.0).for_count(count, maximum).never_used == 60
