"""The error for what somebody shared with fewer permissions than a request needs, for all apps."""

from collections.abc import Sequence

from nextcloud_mcp.errors import ForbiddenError


def missing_permission_error(
    what: str, *, allowed: Sequence[str], needed: str, shared_by: str = "", origin: str = "", manager: str = ""
) -> ForbiddenError:
    """Return the error that says what the user may do, what is missing, and whom to ask.

    Args:
        what: What the user may not use in this way, as the object of a sentence: `board 7 ('Plans')`.
        allowed: What the user may do with it: `read`, `change`.
        needed: What the request needs, with its object: `create in it`.
        shared_by: Who shared it with the user.
        origin: Where it comes from, if nobody shared it: `is in a team folder`.
        manager: Whom to ask, if nobody shared it.
    """
    *others, last = allowed or ("see",)
    return ForbiddenError(
        "You may {allowed} {what}, which {origin}, and this needs the permission to {needed}",
        "ask {manager} for it",
        allowed=f"{', '.join(others)} and {last}" if others else f"only {last}",
        what=what,
        origin=f"{shared_by} shared with you" if shared_by else origin,
        needed=needed,
        manager=shared_by or manager,
    )
