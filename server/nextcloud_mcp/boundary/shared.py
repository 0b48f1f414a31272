"""Sentences about what other people see of a deletion."""


def left_share_message(what: str, owner: str) -> str:
    """Return the sentence for a share that the user has left.

    Args:
        what: the shared item, as the object of the sentence.
        owner: the user to whom it belongs.
    """
    return (
        f"You have left {what}, which belongs to {owner}. Nothing is deleted: {owner} still has it, and can share it "
        "with you again."
    )


def deleted_for_others(owner: str | None, mount: str | None) -> str:
    """Return the end of a sentence that something is deleted: for whom else it is; empty for the user's own.

    Args:
        owner: the user to whom it belonged, if it was shared.
        mount: what it was in, other than a share: a team folder or an external storage.
    """
    also = f", for {owner} too, to whom it belongs" if owner else ""
    return also + (f", for all who use the {mount}" if mount else "")
