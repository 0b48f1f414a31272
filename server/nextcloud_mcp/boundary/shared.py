"""What is said of things that somebody shared: deleting them leaves the share, and deletes nothing."""


def left(what: str, shared_by: str) -> str:
    """Return the sentence for a share that the person has left.

    Args:
        what: what was shared, as a sentence calls it.
        shared_by: who shared it.
    """
    return (
        f"You have left {what}, which {shared_by} shared with you. Nothing is deleted: {shared_by} still has it, and "
        "can share it with you again."
    )
