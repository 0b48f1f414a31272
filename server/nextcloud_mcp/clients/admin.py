"""Keycloak's Admin REST API, as far as listing and deleting registered clients needs it, by python-keycloak.

Whoever calls needs these roles of `realm-management`: `query-clients`, `view-events` and `view-realm`; and the
permission to view and manage the clients, as the realm's client `client-janitor` has it (keycloak/README.md).
"""

import json
import time
from collections.abc import Iterator, Mapping
from http.client import NOT_FOUND
from typing import Any, Final

from nextcloud_mcp.admin_api import INSTALL, Account, AdminApi, AdminApiError
from nextcloud_mcp.clients.selection import UNUSED_SINCE, Evidence
from nextcloud_mcp.errors import ClientsError

PAGE: Final = 200
"""Clients of a request: the time that Keycloak 26.7 needs for one grows with the square of their number."""

EVENTS_PAGE: Final = 5000
"""Events of a request."""

_KEPT_FOREVER: Final = 30 * 86400
"""Seconds to look back if the realm's events never expire: what is older than a month makes no difference."""

_NEEDED_EVENTS: Final = frozenset({"CLIENT_REGISTER", "LOGIN"})
POLICIES: Final = "org.keycloak.services.clientregistration.policy.ClientRegistrationPolicy"
"""The provider type of the components that decide who may register a client."""


class Realm:
    """The realm's clients and what Keycloak knows about them."""

    def __init__(self, discovery_url: str, account: Account) -> None:
        """Take the address of the realm's discovery document; nothing is requested yet.

        Raises:
            ClientsError: python-keycloak is not installed.
        """
        self._base, _, rest = discovery_url.partition("/realms/")
        self.name = rest.partition("/")[0]
        self._account = account
        try:
            self._api = AdminApi(self._base, self.name, account)
        except ModuleNotFoundError:
            raise ClientsError("This needs python-keycloak", INSTALL) from None

    def clients(self) -> Iterator[dict[str, Any]]:
        """Yield the clients that the account may see, one request for each `PAGE` of them."""
        first = 0
        while page := self._get(f"/clients?first={first}&max={PAGE}"):
            yield from page
            first += len(page)

    def evidence(self) -> Evidence:
        """Read sessions and events; a few requests, whatever the number of clients.

        Raises:
            ClientsError: the realm does not store the needed events, or Keycloak does not answer.
        """
        now = time.time()
        config = self._get("/events/config")
        if not config.get("eventsEnabled") or not set(config.get("enabledEventTypes", ())) >= _NEEDED_EVENTS:
            raise ClientsError(
                "The realm does not store the events CLIENT_REGISTER and LOGIN, so nobody can tell unused clients",
                "store them: Realm settings > Events > User events settings in Keycloak's console",
            )
        since = now - (config.get("eventsExpiration") or _KEPT_FOREVER)
        sessions = {
            each["id"]: int(each["active"]) + int(each["offline"]) for each in self._get("/client-session-stats")
        }
        return Evidence(now, since, self._last("CLIENT_REGISTER", since), self._last("LOGIN", since), sessions)

    def maximum(self) -> int | None:
        """Return the number of clients at which Keycloak refuses anonymous registrations; None if it never does."""
        for each in self._get(f"/components?type={POLICIES}"):
            if each["providerId"] == "max-clients" and each.get("subType") == "anonymous":
                return int(each["config"]["max-clients"][0])
        return None

    def delete_unless_in_use(self, client_id: str) -> bool:
        """Delete a client by its id; return False if it was gone, or has a session by now."""
        path = f"/clients/{client_id}"
        sessions = self._send("get", f"{path}/session-count")
        if sessions.status_code == NOT_FOUND:
            return False
        self._check(sessions)
        if sessions.json()["count"]:
            return False
        response = self._send("delete", path)
        if response.status_code == NOT_FOUND:
            return False
        self._check(response)
        return True

    def mark(self, client_id: str, unused_since: float) -> None:
        """Write the client's attribute `UNUSED_SINCE`; Keycloak keeps all that the request does not contain.

        A client that was deleted meanwhile needs none.
        """
        body = {"clientId": client_id, "attributes": {UNUSED_SINCE: str(int(unused_since))}}
        response = self._send("put", f"/clients/{client_id}", data=json.dumps(body))
        if response.status_code != NOT_FOUND:
            self._check(response)

    def _last(self, kind: str, since: float) -> Mapping[str, float]:
        """Return the time of the last event of a kind, by client id."""
        last: dict[str, float] = {}
        first = 0
        while page := self._get(f"/events?type={kind}&dateFrom={int(since * 1000)}&first={first}&max={EVENTS_PAGE}"):
            for event in page:
                last[event.get("clientId", "")] = max(event["time"] / 1000, last.get(event.get("clientId", ""), 0.0))
            first += len(page)
        return last

    def _get(self, path: str) -> Any:
        try:
            return self._api.get(path)
        except AdminApiError as error:
            raise self._refused(str(error)) from error

    def _send(self, method: str, path: str, **parts: Any) -> Any:
        try:
            return self._api.send(method, path, **parts)
        except AdminApiError as error:
            raise self._refused(str(error)) from error

    def _check(self, response: Any) -> None:
        if not response.ok:
            raise self._refused(f"HTTP {response.status_code}")

    def _refused(self, answer: str) -> ClientsError:
        access = "the secret, the roles (keycloak/README.md)"
        if not self._account.is_client:
            access = "the password, the roles view-realm, view-clients and view-events (manage-clients to delete)"
        return ClientsError(
            "'{name}' cannot read or change the clients of the realm '{realm}' at {base} ({answer})",
            "check {access}, and that no proxy blocks {base}/admin",
            access=access,
            name=self._account.name,
            realm=self.name,
            base=self._base,
            answer=answer,
        )
