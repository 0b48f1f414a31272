"""The result for deleting what somebody else shared: the user leaves the share, and nothing is deleted."""


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
