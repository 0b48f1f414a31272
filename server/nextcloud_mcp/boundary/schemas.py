"""Shorten JSON schemas, because a model reads those of all tools before the first question."""

import json
from typing import Any, Final

LONG: Final = 1000
"""Bytes above which an input schema is shortened, so that no tool takes more than its share."""


def input_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a tool's arguments for clients."""
    schema = without_titles(schema)
    if len(json.dumps(schema, separators=(",", ":"))) <= LONG:
        return schema
    return schema | {"properties": {name: _shorten_nullable(part) for name, part in schema["properties"].items()}}


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


def _shorten_nullable(schema: dict[str, Any]) -> dict[str, Any]:
    """Shorten the schema of a parameter that may be null and is null by default."""
    options = schema.get("anyOf", [])
    types = [option.get("type") for option in options]
    if not all(isinstance(name, str) for name in types) or len(types) != 2 or schema.get("default", ...) is not None:  # noqa: PLR2004
        return schema
    kept = [{key: part for key, part in each.items() if key != "type"} for each in options]  # such as limits
    return {key: part for key, part in schema.items() if key not in {"anyOf", "default"}} | kept[0] | {"type": types}
