"""Responses of Deck 1.16 for unit tests; `changes` override the default fields."""

from typing import Any, Final

BOARDS: Final = "/index.php/apps/deck/api/v1.1/boards"


def board(**changes: Any) -> dict[str, Any]:
    """Return a board."""
    rights = {f"PERMISSION_{name}": True for name in ("READ", "EDIT", "MANAGE", "SHARE")}
    return {
        "id": 2,
        "title": "Project",
        "owner": _deck_user(),
        "color": "0082c9",
        "archived": False,
        "labels": [],
        "acl": [],
        "permissions": rights,
        "users": [_deck_user()],
        "stacks": [],
        "activeSessions": [],
        "deletedAt": 0,
        "lastModified": 1795447622,
        "settings": {"notify-due": "assigned", "calendar": True},
        "ETag": "e2",
    } | changes


def stack(**changes: Any) -> dict[str, Any]:
    """Return a stack without cards."""
    return {
        "id": 9,
        "title": "To do",
        "boardId": 2,
        "deletedAt": 0,
        "lastModified": 1795447655,
        "order": 5,
        "ETag": "e9",
    } | changes


def card(**changes: Any) -> dict[str, Any]:
    """Return a card."""
    return {
        "id": 11,
        "title": "Write",
        "description": "# Draft",
        "stackId": 9,
        "type": "plain",
        "lastModified": 1795447655,
        "lastEditor": "alice",
        "createdAt": 1795447639,
        "labels": [],
        "assignedUsers": [],
        "attachments": None,
        "attachmentCount": 0,
        "owner": _deck_user(),
        "order": 3,
        "archived": False,
        "done": None,
        "duedate": "2027-01-31T18:00:00+00:00",
        "deletedAt": 0,
        "commentsUnread": 0,
        "commentsCount": 0,
        "ETag": "e11",
        "overdue": 0,
        "referenceData": None,
    } | changes


def _deck_user() -> dict[str, Any]:
    return {"primaryKey": "alice", "uid": "alice", "displayname": "Alice Liddell", "type": 0}
