"""Which clients registered themselves (RFC 7591), when they were last used, and which of them are to be deleted.

Keycloak stores neither where a client came from nor when it was used. What it does store is evidence: the shape of the
client, its sessions, and events (`CLIENT_REGISTER`, `LOGIN`), which expire. A use is therefore also written to the
client, as the attribute `UNUSED_SINCE`, which holds a time and no person.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

UNUSED_SINCE: Final = "nextcloud-mcp.unused-since"
"""The attribute of a client with the time of its last known use; seconds since 1970. No client can register it."""

MARK_INTERVAL: Final = 86400.0
"""Seconds by which a known use must be newer than `UNUSED_SINCE` to be written."""

NEARLY_FULL: Final = 0.8
"""The share of the maximum from which `MAX_NEVER_USED_IF_NEARLY_FULL` applies."""

MAX_NEVER_USED_IF_NEARLY_FULL: Final = 600.0
"""Seconds after which a client that was never used is deleted, if the realm is nearly full."""

_RANDOM_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_PAIRWISE: Final = "oidc-sha256-pairwise-sub-mapper"
_SECONDS: Final = re.compile(r"\d{1,12}")


def is_registered(client: Mapping[str, Any]) -> bool:
    """Return whether a client, as the Admin REST API returns it, registered itself and was not adopted by a person.

    All of this must hold; a client cannot influence any of it at its registration, and an update keeps it (RFC 7592).
    Otherwise a flood of clients could register itself so that it stays:

    - Its id is also its client id, a random UUID. Only a registration makes such a client: the console and the Admin
      REST API generate the id, and take the client id from the administrator.
    - The registration policies gave it consent, and no full scope or mapper. Only `subject_type` `pairwise` adds a
      mapper, even if Keycloak is built without this one.
    - It has no description: a registration has no such field. So a description keeps a client.
    """
    return (
        client.get("id") == client.get("clientId")
        and _RANDOM_ID.fullmatch(str(client.get("clientId"))) is not None
        and client.get("protocol") == "openid-connect"
        and client.get("consentRequired") is True
        and client.get("fullScopeAllowed") is False
        and not client.get("description")
        and all(each.get("protocolMapper") == _PAIRWISE for each in client.get("protocolMappers") or ())
    )


@dataclass(frozen=True)
class Evidence:
    """What Keycloak knows about the use of clients; times are seconds since 1970.

    Attributes:
        now: when it was read.
        stored_since: the time from which on events are stored.
        registered: the time of registration, by client id.
        signed_in: the time of the last sign-in, by client id.
        sessions: the number of sessions, with offline sessions, by the client's id.
    """

    now: float
    stored_since: float
    registered: Mapping[str, float] = field(default_factory=dict)
    signed_in: Mapping[str, float] = field(default_factory=dict)
    sessions: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Limits:
    """How long an unused client stays, in seconds.

    Attributes:
        never_used: after its registration, if nobody has ever signed in with it.
        unused: after its last use.
    """

    never_used: float = 3600.0
    unused: float = 30 * 86400.0

    def for_count(self, count: int, maximum: int | None) -> "Limits":
        """Return the limits for this number of registered clients: near the maximum, `never_used` is shorter."""
        if maximum is None or count < NEARLY_FULL * maximum:
            return self
        return Limits(min(self.never_used, MAX_NEVER_USED_IF_NEARLY_FULL), self.unused)


@dataclass(frozen=True)
class Client:
    """A client that registered itself.

    Attributes:
        id: its id, which is also its client id.
        name: what it calls itself; any text.
        sessions: the number of its sessions.
        registered: the time of its registration; None if that event is no longer stored.
        used: the time of its last known use; None if none is known.
        marked: the value of its attribute `UNUSED_SINCE`; None if it has none.
        unused_since: it was not used since this time; if nothing is known, the time from which events are stored.
    """

    id: str
    name: str
    sessions: int
    registered: float | None
    used: float | None
    marked: float | None
    unused_since: float

    @property
    def never_used(self) -> bool:
        """Whether it is certain that nobody has signed in with it: events are stored since its registration."""
        return self.used is None and self.registered is not None

    def reason(self, limits: Limits, now: float) -> str | None:
        """Return why the client is to be deleted, or None if it stays."""
        if self.sessions:
            return None
        idle = now - self.unused_since
        if self.never_used:
            return f"never used since its registration {_ago(idle)} ago" if idle >= limits.never_used else None
        return f"not used for {_ago(idle)} or longer" if idle >= limits.unused else None

    @property
    def mark(self) -> float | None:
        """The time to write to `UNUSED_SINCE`, or None: nothing new, or nothing that events would not show later."""
        if self.never_used:
            return None
        return self.unused_since if self.marked is None or self.unused_since - self.marked >= MARK_INTERVAL else None


def registered_clients(found: Iterable[Mapping[str, Any]], evidence: Evidence) -> list[Client]:
    """Return those of the clients that registered themselves, with what is known about their use."""
    return [_client(each, evidence) for each in found if is_registered(each)]


def _client(found: Mapping[str, Any], evidence: Evidence) -> Client:
    client_id = str(found["clientId"])
    sessions = evidence.sessions.get(client_id, 0)
    marked = _marked(found, evidence)
    signs = (marked, evidence.signed_in.get(client_id), evidence.now if sessions else None)
    used = max((sign for sign in signs if sign is not None), default=None)
    registered = evidence.registered.get(client_id)
    since = next(time for time in (used, registered, evidence.stored_since) if time is not None)
    return Client(client_id, str(found.get("name") or ""), sessions, registered, used, marked, since)


def _marked(found: Mapping[str, Any], evidence: Evidence) -> float | None:
    """Return the client's attribute; a value that is no time, or in the future, counts as none."""
    text = str((found.get("attributes") or {}).get(UNUSED_SINCE, ""))
    return float(text) if _SECONDS.fullmatch(text) and float(text) <= evidence.now else None


def _ago(seconds: float) -> str:
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{int(seconds)} seconds"


def as_time(seconds: float | None) -> str | None:
    """Return a time as ISO 8601 in UTC, such as `2026-11-28T16:30:00Z`."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
