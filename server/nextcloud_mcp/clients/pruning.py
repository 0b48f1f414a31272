"""One look at the registered clients, and one run of pruning."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from nextcloud_mcp.clients.admin import Realm
from nextcloud_mcp.clients.selection import NEARLY_FULL, Client, Limits, as_time, registered_clients

UNUSED_DAYS: Final = int(Limits().unused // 86400)
"""How many days a client stays after its last use, by default."""


@dataclass(frozen=True)
class Survey:
    """The registered clients at a time, in seconds since 1970, and the realm's maximum of all clients."""

    now: float
    clients: Sequence[Client]
    others: int
    maximum: int | None

    @property
    def count(self) -> int:
        """The number of clients that the account sees; Keycloak compares all clients of the realm with the maximum."""
        return len(self.clients) + self.others

    def is_nearly_full(self, deleted: int = 0) -> bool:
        """Return whether the number, without those deleted since, is near the maximum, at which nobody can register."""
        return self.maximum is not None and self.count - deleted >= NEARLY_FULL * self.maximum

    def unused(self, limits: Limits) -> list[tuple[Client, str]]:
        """Return the clients that are to be deleted, each with the reason."""
        limits = limits.for_count(self.count, self.maximum)
        found = [(client, client.reason(limits, self.now)) for client in self.clients]
        return [(client, reason) for client, reason in found if reason is not None]

    def as_json(self, limits: Limits) -> dict[str, Any]:
        """Return what `--json` prints."""
        reasons = {client.id: reason for client, reason in self.unused(limits)}
        return {
            "version": 1,
            "registered": len(self.clients),
            "maximum": self.maximum,
            "unused": len(reasons),
            "clients": [
                {
                    "client_id": client.id,
                    "client_name": client.name,
                    "sessions": client.sessions,
                    "registered": as_time(client.registered),
                    "used": as_time(client.used),
                    "delete": reasons.get(client.id),
                }
                for client in self.clients
            ],
        }


def survey(realm: Realm) -> Survey:
    """Read the realm's clients and the evidence of their use.

    The evidence is read last: a client that signs in meanwhile has its session in it.

    Raises:
        ClientsError: Keycloak refuses, or does not answer.
    """
    found = {each["id"]: each for each in realm.clients()}
    evidence, maximum = realm.evidence(), realm.maximum()
    clients = registered_clients(found.values(), evidence)
    return Survey(evidence.now, clients, len(found) - len(clients), maximum)


def delete_unused(realm: Realm, found: Survey, limits: Limits) -> frozenset[str]:
    """Delete what `found.unused` names, write down the last use of the others, and return the ids of the deleted.

    Deleting many takes minutes, so a client with which somebody has signed in since then stays.

    Raises:
        ClientsError: Keycloak refuses, or does not answer; what was deleted until then stays deleted.
    """
    unused = found.unused(limits)
    deleted = frozenset(client.id for client, _ in unused if realm.delete_unless_in_use(client.id))
    chosen = {client.id for client, _ in unused}
    for client in found.clients:
        if client.id not in chosen and client.mark is not None:
            realm.mark(client.id, client.mark)
    return deleted
