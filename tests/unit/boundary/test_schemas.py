"""`boundary.schemas`: what clients and models read about a tool's arguments."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

import pytest

from nextcloud_mcp.boundary.declaration import AnyTool, Result, reads
from nextcloud_mcp.boundary.schemas import described, one_of
from nextcloud_mcp.catalogue import APPS

TOOLS: Final = {tool.name: tool for app in APPS for tool in app.tools}

ACCEPTED: Final[Mapping[str, str]] = {
    "type": "one name: Gemini's protocol has no field for a list of types",
    "properties": "only of the arguments themselves",
    "required": "names of properties",
    "items": "of each array: Gemini refuses an array without it",
    "description": "a text",
    "enum": "non-empty texts of a text parameter: Gemini accepts no others",
    "default": "a value of the type: null would be of no type",
    "format": "date-time, the only format of a text that Gemini accepts",
    "maxLength": "for clients that check arguments; models ignore it",
    "maxItems": "for clients that check arguments; models ignore it",
    "additionalProperties": "true, of a free object: without it, strict clients allow no properties",
}
"""The keywords that every client and model accepts, each with its condition.

All others are refused or misread by one of them: `anyOf`, `oneOf`, `allOf`, `not`, `const`, `nullable`, `$ref`,
`$defs`, `prefixItems`, `patternProperties`, `exclusiveMinimum`, `title`. See docs/explanation/schemas.md.
"""

PYTHON: Final[Mapping[str, type]] = {
    "string": str, "integer": int, "number": float, "boolean": bool, "array": list, "object": dict,
}  # fmt: skip


def parts(schema: dict[str, Any], at: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Return each schema within a schema, with its place."""
    yield at, schema
    for name, part in schema.get("properties", {}).items():
        yield from parts(part, f"{at}.{name}")
    if "items" in schema:
        yield from parts(schema["items"], f"{at}[]")


def errors(schema: dict[str, Any]) -> Iterator[str]:
    """Return what a client or model may refuse in the schema of a tool's arguments."""
    if schema.get("type") != "object" or "properties" not in schema:
        yield "the arguments must be an object with properties"
    for at, part in parts(schema):
        yield from (f"{at}: {keyword} is not accepted everywhere" for keyword in part.keys() - ACCEPTED.keys())
        yield from (f"{at}: {error}" for error in _wrong_values(part, is_root=not at))
        yield from (f"{at}: {name} is no plain name" for name in part.get("properties", {}) if not _is_name(name))


def _is_name(name: str) -> bool:
    return re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name) is not None


def _wrong_values(part: dict[str, Any], *, is_root: bool) -> Iterator[str]:
    kind = part.get("type")
    if not isinstance(kind, str) or kind not in PYTHON:
        yield f"type is {kind}"
        return
    if "properties" in part and not is_root:
        yield "an object within the arguments"
    if not set(part.get("required", [])) <= part.get("properties", {}).keys():
        yield "required names another property"
    if kind == "array" and "items" not in part:
        yield "an array without items"
    if "enum" in part and (kind != "string" or not all(isinstance(each, str) and each for each in part["enum"])):
        yield f"enum is {part['enum']}"
    if "default" in part and type(part["default"]) is not PYTHON[kind]:
        yield f"default is {part['default']}"
    if "enum" in part and "default" in part and part["default"] not in part["enum"]:
        yield "default is not in enum"
    if part.get("format", "date-time") != "date-time":
        yield f"format is {part['format']}"
    if part.get("additionalProperties", True) is not True:
        yield "additionalProperties is a schema, or false"


@pytest.mark.parametrize("name", TOOLS)
def test_every_client_and_model_accepts_the_arguments(name: str) -> None:
    """One refused declaration makes all tools unusable in Gemini, so no tool goes beyond what all accept."""
    assert list(errors(TOOLS[name].parameters)) == []


@pytest.mark.parametrize("name", TOOLS)
def test_names_of_tools_leave_room_for_prefixes(name: str) -> None:
    """Clients put the server's name before a tool's name, and models accept 64 characters of `[a-zA-Z0-9_-]`."""
    assert re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name)


@pytest.mark.parametrize(
    ("part", "error"),
    [
        ({"type": ["string", "null"]}, "type is"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "anyOf"),
        ({"$ref": "#/$defs/Part"}, "$ref"),
        ({"type": "string", "nullable": True}, "nullable"),
        ({"type": "string", "const": "a"}, "const"),
        ({"type": "string", "enum": ["a", ""]}, "enum"),
        ({"type": "string", "enum": ["a"], "default": ""}, "default is not in enum"),
        ({"type": "integer", "enum": [1, 2]}, "enum"),
        ({"type": "integer", "exclusiveMinimum": 0}, "exclusiveMinimum"),
        ({"type": "string", "default": None}, "default"),
        ({"type": "string", "format": "uri"}, "format"),
        ({"type": "array"}, "without items"),
        ({"type": "array", "prefixItems": [{"type": "string"}], "items": {"type": "string"}}, "prefixItems"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "additionalProperties"),
        ({"type": "object", "patternProperties": {}}, "patternProperties"),
        ({"type": "string", "title": "A"}, "title"),
        ({}, "type is None"),
    ],
)
def test_what_a_model_refuses_is_found(part: dict[str, Any], error: str) -> None:
    """The check itself: each of these was refused or misread by a client or a model."""
    assert any(error in each for each in errors({"type": "object", "properties": {"parameter": part}}))


def tool_with_optional_arguments() -> AnyTool:
    """Return a tool whose parameters may be null, are described, and are enumerated."""

    @reads("t", scopes="")
    async def tool(
        color: Annotated[str, described("#RRGGBB")] | None = None,
        size: Annotated[str | None, one_of("S", "L")] = None,
        number: int = 7,
    ) -> Result:
        """Do nothing."""
        return Result(success=bool(color or size or number))

    return tool


def test_parameter_that_may_be_null_is_declared_by_its_type() -> None:
    """Its description and its values stay; null is not its default, because null is of another type."""
    assert tool_with_optional_arguments().parameters["properties"] == {
        "color": {"type": "string", "description": "#RRGGBB"},
        "size": {"type": "string", "enum": ["S", "L"]},
        "number": {"type": "integer", "default": 7},
    }


def test_enumerated_values_are_for_the_model_alone() -> None:
    """The server decides what it accepts: a client that sends `s`, or null, is not refused by the schema."""
    arguments = tool_with_optional_arguments().arguments
    assert arguments.read({"size": "s", "color": None}) == {"size": "s"}
