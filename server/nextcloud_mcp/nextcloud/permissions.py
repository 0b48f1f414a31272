"""The error for what somebody shared with fewer permissions than a request needs, for all apps."""

from collections.abc import Sequence

from nextcloud_mcp.errors import ForbiddenError


def missing_permission_error(
    what: str, *, allowed: Sequence[str], needed: str, owner: str = "", origin: str = "", manager: str = ""
) -> ForbiddenError:
    """Return the error that says what the user may do, what is missing, and whom to ask.

    Args:
        what: What the user may not use in this way, as the object of a sentence: `board 7 ('Plans')`.
        allowed: What the user may do with it: `read`, `change`.
        needed: What the request needs, with its object: `create in it`.
        owner: The user to whom it belongs.
        origin: Where it comes from, if it belongs to nobody: `is in a team folder`.
        manager: Whom to ask, if it belongs to nobody.
    """
    *others, last = allowed or ("see",)
    return ForbiddenError(
        "You may {allowed} {what}, which {origin}, and this needs the permission to {needed}",
        "ask {manager} for it",
        allowed=f"{', '.join(others)} and {last}" if others else f"only {last}",
        what=what,
        origin=f"belongs to {owner}" if owner else origin,
        needed=needed,
        manager=owner or manager,
    )
