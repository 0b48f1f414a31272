"""Markers in the annotations of parameters."""

from typing import Annotated, Any, TypeVar, get_args, get_origin

Marker = TypeVar("Marker")


def marker_in(annotation: Any, kind: type[Marker]) -> Marker | None:
    """Return the marker of this type in an annotation or in a member of a union, or None."""
    if get_origin(annotation) is Annotated:
        return next((each for each in get_args(annotation)[1:] if isinstance(each, kind)), None)
    return next((found for option in get_args(annotation) if (found := marker_in(option, kind)) is not None), None)
