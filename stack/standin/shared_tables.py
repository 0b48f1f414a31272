"""Tables that users share, as measured on Tables 1.0.9 and 2.2.2: who receives them, and with which permissions."""

import json
import threading
from pathlib import Path
from typing import Any

Json = dict[str, Any]
RIGHTS = ("read", "create", "update", "delete", "manage")


class TableShares:
    """All shares of tables, and the ids of all tables, columns and rows.

    Args:
        folder: The folder of the users' tables. User ids do not begin with a dot, and so no user has these files.
    """

    def __init__(self, folder: Path) -> None:
        self._place = folder / ".shares.json"
        self._last = folder / ".last"
        self._lock = threading.Lock()
        self._records: list[Json] = json.loads(self._place.read_text("utf-8")) if self._place.exists() else []

    def next_id(self, least: int) -> int:
        """Return an id that nothing has yet; it is greater than `least`."""
        with self._lock:
            last = int(self._last.read_text()) if self._last.exists() else 0
            number = max(last, least) + 1
            self._last.write_text(str(number))
            return number

    def add(self, sender: str, asked: Json) -> Json:
        """Share a table with a user."""
        fields = ("nodeId", "nodeType", "receiver", "receiverType")
        granted = {f"permission{right.title()}": bool(asked.get(f"permission{right.title()}")) for right in RIGHTS}
        share = {"id": self.next_id(0), **{name: asked[name] for name in fields}, **granted, "sender": sender}
        self._records.append(share)
        self._place.write_text(json.dumps(self._records), "utf-8")
        return share | {"receiverDisplayName": asked["receiver"]}

    def received(self, user: str) -> list[Json]:
        """Return the shares with a user."""
        return [share for share in self._records if share["receiver"] == user]

    def is_shared(self, table: int) -> bool:
        """Return whether a table is shared with anybody."""
        return any(share["nodeId"] == table for share in self._records)


def permissions(share: Json) -> dict[str, bool]:
    """Return the value of `onSharePermissions`."""
    return {right: share[f"permission{right.title()}"] for right in RIGHTS}
