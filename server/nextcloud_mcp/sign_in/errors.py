"""The error of a sign-in."""


class SignInError(Exception):
    """The sign-in failed; the message is one sentence with the cause and the next step, for the person."""
