"""Write the JSON schemas of tools so that every client and model accepts them.

Clients hand an input schema to a model in the model's own form. One declaration that a model refuses makes all tools
unusable, so a parameter has one type and only the keywords in `docs/explanation/schemas.md`. A parameter that may be
null is declared by its type alone, and the server still accepts null:

- Gemini refuses a list of types, and some clients turn `anyOf` with null into one.
- `nullable` means nothing in JSON schema, and clients that read it turn it into a list of types, too.
"""

from typing import Annotated, Any, Final

from pydantic import Field

Cursor = Annotated[str, Field(description="next_cursor of the previous page")]
"""Where a page of a list starts."""

ETAG: Final = Field(description="from reading it: the call fails if it has changed since")
"""Describes an ETag that a caller may leave out."""

MARKDOWN: Final = Field(description="Markdown")
"""Describes a text in Markdown."""


def described(text: str) -> Any:
    """Describe a parameter for the model."""
    return Field(description=text)


def one_of(*values: str) -> Any:
    """Declare the values of a text parameter, for the model alone: the server decides what it accepts.

    An empty text can't be one of them, because Gemini refuses it.
    """
    listed: list[Any] = [*values]
    return Field(json_schema_extra={"enum": listed})


def input_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a tool's arguments for clients."""
    schema = without_titles(schema)
    return schema | {"properties": {name: _without_null(part) for name, part in schema["properties"].items()}}


def without_titles(schema: Any) -> Any:
    """Remove the titles that pydantic generates from names, but not a property named `title`."""
    if isinstance(schema, list):
        return [without_titles(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: {name: without_titles(inner) for name, inner in part.items()}
        if key in {"properties", "$defs"}
        else without_titles(part)
        for key, part in schema.items()
        if key != "title"
    }


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a parameter without the alternative null, and without null as its default."""
    kept = [option for option in schema.get("anyOf", []) if option != {"type": "null"}]
    if len(kept) != 1:
        return schema
    rest = {key: part for key, part in schema.items() if key != "anyOf" and (key, part) != ("default", None)}
    return {**kept[0], **rest}
