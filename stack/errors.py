"""What the stack says when it cannot go on."""


class StackError(Exception):
    """One sentence for the person at the terminal: the cause, and what to do next."""
