"""The rule for all tools that change fields: a call passes at least one of them."""

from collections.abc import Iterable

from nextcloud_mcp.errors import InvalidArgumentError


def require_change(fields: Iterable[object], remedy: str, *, argument: str | None = None) -> None:
    """Check that a call changes something.

    Args:
        fields: the values of the fields, None for each that the caller leaves out; or the names of the passed fields.
        remedy: the end of the error's sentence, which says what to pass.
        argument: the argument that has the fields, if they are not arguments themselves.

    Raises:
        InvalidArgumentError: the caller passes no field.
    """
    if all(field is None for field in fields):
        raise InvalidArgumentError("Nothing to change", remedy, argument=argument)
