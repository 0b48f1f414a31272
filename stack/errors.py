"""The stack's errors."""


class StackError(Exception):
    """An error for the terminal; the message has the cause and what to do next."""
