"""The result for deleting what somebody else shared: the user leaves the share, and nothing is deleted."""


def left_share_message(what: str, shared_by: str) -> str:
    """Return the sentence for a share that the user has left.

    Args:
        what: the shared item, as the object of the sentence.
        shared_by: the user who shared it.
    """
    return (
        f"You have left {what}, which {shared_by} shared with you. Nothing is deleted: {shared_by} still has it, and "
        "can share it with you again."
    )
