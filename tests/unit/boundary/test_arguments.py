"""`boundary.arguments`: arguments are read in every unambiguous form, and invalid ones are named in plain sentences."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from inspect import signature
from typing import Annotated, Any, Final

import pytest
from structlog.testing import capture_logs

from nextcloud_mcp.auth.json_size import MAX_PARTS
from nextcloud_mcp.boundary.arguments import MAX_UNKNOWN, SECRET, Arguments
from nextcloud_mcp.boundary.declaration import AnyTool
from nextcloud_mcp.catalogue import APPS
from nextcloud_mcp.errors import MAX_QUOTED, InvalidArgumentError
from tests.support.issuer import answer
from tests.support.nextcloud import NOTES, note
from tests.support.server import EVERYTHING, LEGACY, MODERN, Server, answered, refusal

TOOLS: Final = {tool.name: tool for app in APPS for tool in app.tools}

TEXTS: Final = ("null", "{}", '{"theme": "dark"}', "[1, 2]", "7", "true", '"quoted"', "1e9", " ", "\n", "\u0041\u030a")
"""What is text wherever text is expected, whatever else it looks like."""

RIGHT: Final[Mapping[str, Any]] = {
    "string": "a",
    "integer": 7,
    "boolean": True,
    "array": ["a"],
    "object": {"fn": "a"},
}
"""A value for each JSON type."""

WRONG: Final[Mapping[str, Any]] = {
    "string": {"a": 1},
    "integer": [7],
    "boolean": "perhaps",
    "array": 7,
    "object": 7,
}

BELOW: Final = "pass a whole number below 9,223,372,036,854,775,808."

LONG_NAME: Final = ("a\nb" * 100)[:MAX_QUOTED] + "…"

LIBRARY: Final = re.compile(r"pydantic|validation error|input_type|input_value|type=|https?://|Arguments|\[type")
"""Words of the library, which say nothing to whoever calls a tool."""


async def everything(
    text: str,
    number: int,
    flag: bool = False,  # noqa: FBT001, FBT002 - as above
    note_id: int = 3,
    title: str | None = None,
    color: str = "blue",
    names: list[str] | None = None,
    fields: dict[str, Any] | None = None,
    since: datetime | None = None,
    day: date | None = None,
    password: Annotated[str | None, SECRET] = None,
) -> None:
    """Take an argument of every kind."""


READER: Final = Arguments("everything", signature(everything).parameters)
LEAST: Final[dict[str, Any]] = {"text": "a", "number": 1}


def read(**given: Any) -> dict[str, Any]:
    """Read arguments besides those that are needed."""
    return READER.read(LEAST | given)


def sentence(**given: Any) -> str:
    """Return what is said of arguments that do not fit."""
    with pytest.raises(InvalidArgumentError) as refused:
        read(**given)
    return str(refused.value)


def kinds(tool: AnyTool) -> Iterator[tuple[str, str]]:
    """Return the parameters of a tool, each with its JSON type; null and formats are left out."""
    for name, schema in tool.parameters["properties"].items():
        options = schema.get("anyOf", [schema])
        types = [
            kind for each in options for kind in ([each["type"]] if isinstance(each["type"], str) else each["type"])
        ]
        (kind,) = set(types) - {"null"}
        formats = {each["format"] for each in options if "format" in each}
        yield name, formats.pop() if formats else kind


def right(tool: AnyTool) -> dict[str, Any]:
    """Return the arguments that a tool needs."""
    needed = tool.parameters.get("required", [])
    return {name: RIGHT[kind] for name, kind in kinds(tool) if name in needed}


@pytest.mark.parametrize("text", TEXTS)
def test_text_parameters_are_not_parsed(text: str) -> None:
    """In every text parameter, text that looks like JSON, a number or null stays text."""
    for tool in TOOLS.values():
        for name in (name for name, kind in kinds(tool) if kind == "string"):
            assert tool.arguments.read(right(tool) | {name: text})[name] == text, (tool.name, name)


def test_null_means_default() -> None:
    """This holds for optional arguments of every type, since some clients fill in the whole schema."""
    for tool in TOOLS.values():
        optional = set(tool.parameters["properties"]) - set(tool.parameters.get("required", []))
        least = tool.arguments.read(right(tool))
        for name in optional:
            assert tool.arguments.read(right(tool) | {name: None}) == least, (tool.name, name)
        assert tool.arguments.read(right(tool) | dict.fromkeys(optional)) == least, tool.name


@pytest.mark.parametrize("nothing", ["", " ", "null"])
def test_empty_text_means_default_for_other_types(nothing: str) -> None:
    """An empty text is no number, date or list, so it can only mean that there is no value."""
    for tool in TOOLS.values():
        least = tool.arguments.read(right(tool))
        for name, kind in kinds(tool):
            if kind != "string" and name not in least:
                assert tool.arguments.read(right(tool) | {name: nothing}) == least, (tool.name, name)


def test_empty_text_means_default_for_filters() -> None:
    """A reading tool has nothing to clear, so an empty filter is no filter, and "" selects a text default."""
    for tool in TOOLS.values():
        for name, schema in tool.parameters["properties"].items():
            is_text = name in dict(kinds(tool)) and dict(kinds(tool))[name] == "string"
            is_optional = name not in tool.parameters.get("required", [])
            default = schema.get("default")
            if is_text and is_optional and (default or (default is None and tool.annotations.read_only_hint)):
                assert name not in tool.arguments.read(right(tool) | {name: ""}), (tool.name, name)


def test_empty_text_clears_fields_on_update() -> None:
    """In an update null leaves the field unchanged, and "" clears it."""
    update = TOOLS["nc_calendar_update_event"].arguments.read({"calendar_name": "a", "event_uid": "b", "location": ""})
    assert update["location"] == ""
    assert TOOLS["nc_share_update"].arguments.read({"share_id": 1, "permissions": 1, "password": ""})["password"] == ""


@pytest.mark.parametrize(
    ("given", "value"),
    [
        pytest.param({"number": "7"}, 7, id="a number in text"),
        pytest.param({"number": 7.0}, 7, id="a whole number with a point"),
        pytest.param({"flag": "true"}, True, id="true in text"),
        pytest.param({"names": '["a", "7"]'}, ["a", "7"], id="a list in text"),
        pytest.param({"names": []}, [], id="an empty list"),
        pytest.param({"fields": '{"fn": "a", "n": null}'}, {"fn": "a", "n": None}, id="an object in text"),
        pytest.param({"since": "2026-12-24T14:00:00Z"}, datetime(2026, 12, 24, 14, tzinfo=UTC), id="a moment"),
        pytest.param({"day": "2026-12-24"}, date(2026, 12, 24), id="a day"),
        pytest.param({"text": ""}, "", id="empty text that is needed"),
        pytest.param({"title": "null"}, "null", id="null as a title"),
    ],
)
def test_unambiguous_values_are_accepted(given: dict[str, Any], value: object) -> None:
    """Values with only one possible meaning are accepted."""
    ((name, _),) = given.items()
    assert read(**given)[name] == value


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"number": "seven"}, "Invalid number 'seven': pass a whole number."),
        ({"number": 7.5}, "Invalid number 7.5: pass a whole number."),
        ({"number": True}, "Invalid number true: pass a whole number."),
        ({"number": None}, "Invalid number null: pass a whole number."),
        ({"number": ""}, "Invalid number '': pass a whole number."),
        ({"number": [7]}, "Invalid number, which is a list: pass a whole number."),
        ({"number": "9" * 5000}, f"Invalid number, which is too large: {BELOW}"),
        ({"number": "-" + "9" * 20}, f"Invalid number, which is too large: {BELOW}"),
        ({"number": 10**400}, f"Invalid number, which is too large: {BELOW}"),
        ({"number": 2**63}, f"Invalid number, which is too large: {BELOW}"),
        ({"number": 1e300}, f"Invalid number, which is too large: {BELOW}"),
        ({"text": 7}, "Invalid text 7: pass text."),
        ({"text": {"theme": "dark"}}, "Invalid text, which is an object: pass text."),
        ({"text": None}, "Invalid text null: pass text."),
        ({"flag": "perhaps"}, "Invalid flag 'perhaps': pass true or false."),
        ({"names": "a, b"}, 'Invalid names, which is not written as JSON: pass a list of texts such as ["a", "b"].'),
        ({"names": ["a", 7]}, 'Invalid names: item 2 is a number; pass a list of texts such as ["a", "b"].'),
        ({"fields": ["a"]}, 'Invalid fields, which is a list: pass an object such as {"name": "value"}.'),
        ({"since": "tomorrow"}, "Invalid since 'tomorrow': pass a date and time such as 2026-12-24T14:00:00Z."),
        ({"since": "2026"}, "Invalid since '2026': pass a date and time such as 2026-12-24T14:00:00Z."),
        ({"day": 20261224}, "Invalid day 20261224: pass a date such as 2026-12-24."),
        ({"noteId": 7}, "Unknown argument 'noteId': did you mean note_id?"),
        ({"titel": "a"}, "Unknown argument 'titel': did you mean title?"),
        ({"colour": "a"}, "Unknown argument 'colour': did you mean color?"),
        ({"no": 7}, "Unknown argument 'no': did you mean note_id?"),
        ({"a\nb" * 100: 1}, f"Unknown argument {LONG_NAME!r}: everything takes text, number, "),
    ],
)
def test_invalid_argument_is_explained(given: dict[str, Any], said: str) -> None:
    """One sentence has the argument, the value and a valid form."""
    assert sentence(**given).startswith(said)


def test_all_invalid_arguments_are_reported() -> None:
    """A client can correct a call in one step."""
    with pytest.raises(InvalidArgumentError) as refused:
        READER.read({"number": "many", "names": 7, "colour": "red"})
    assert str(refused.value) == (
        "Missing text: pass text. "
        "Invalid number 'many': pass a whole number. "
        'Invalid names 7: pass a list of texts such as ["a", "b"]. '
        "Unknown argument 'colour': did you mean color?"
    )
    assert refused.value.argument == "text, number, names"
    assert [error.get("argument") for error in refused.value.parts["errors"]] == ["text", "number", "names", None]


def test_password_is_not_repeated() -> None:
    """Errors never contain a password, even if the argument's name is mistyped."""
    for given in ({"password": 4711}, {"password": ["4711"]}, {"pasword": "4711"}, {"password": {"4711": 1}}):
        assert "4711" not in sentence(**given)
    for name in ("nc_share_create", "nc_share_update"):
        with pytest.raises(InvalidArgumentError) as refused:
            TOOLS[name].arguments.read(right(TOOLS[name]) | {"password": 4711})
        assert str(refused.value) == "Invalid password, which is a number: pass text."


def test_error_length_is_limited() -> None:
    """The error is short for any number and length of invalid values."""
    assert len(sentence(**{f"{number}" + "x" * 10_000: "y" * 10_000 for number in range(10_000)})) < 4000
    assert f"{10_000 - MAX_UNKNOWN} more arguments are unknown: leave them out." in sentence(
        **{f"x{n}": 1 for n in range(10_000)}
    )
    assert len(sentence(names=[7] * 50_000, fields="x" * 100_000, number="y" * 100_000)) < 500


def test_too_long_list_is_refused() -> None:
    """The error has the limit, for a list and for text with commas."""
    with pytest.raises(InvalidArgumentError, match=r"^Invalid ingredients: pass at most 1,000 items\.$"):
        TOOLS["nc_cookbook_create_recipe"].arguments.read({"name": "a", "ingredients": ["b"] * 1001})
    event = {"calendar_name": "a", "title": "b", "start_datetime": "2026-12-24", "attendees": "a@b," * 250_000}
    with pytest.raises(InvalidArgumentError, match=r"^Invalid attendees: pass at most 100,000 characters\.$"):
        TOOLS["nc_calendar_create_event"].arguments.read(event)


def test_nested_json_is_limited() -> None:
    """JSON in text can't contain more values than a request body."""
    assert "not written as JSON" in sentence(names=json.dumps(["a"] * MAX_PARTS))
    assert "not written as JSON" in sentence(fields="[" * 100_000)


def test_type_errors_are_plain_for_every_argument() -> None:
    """Each argument is tested alone, all together, and with none."""
    for tool in TOOLS.values():
        wrong = {name: WRONG.get(kind, "some day") for name, kind in kinds(tool)}
        for given in [{name: value} for name, value in wrong.items()] + [wrong, {}, {"unheard_of": 1}]:
            needed = set(tool.parameters.get("required", ())) if not given.keys() & wrong.keys() else set()
            if not given and not needed:
                continue
            with pytest.raises(InvalidArgumentError) as refused:
                tool.arguments.read(given)
            said = str(refused.value)
            assert not LIBRARY.search(said), said
            assert all(name in said for name in {*given, *needed}), said


@pytest.mark.parametrize("version", [LEGACY, MODERN])
async def test_json_content_of_note_is_stored_unchanged(server: Server, version: str) -> None:
    """Through the whole server, the text reaches Nextcloud as it was written."""
    server.nextcloud.on("PUT", f"{NOTES}/7", answer(json=note()))
    arguments = {"note_id": 7, "etag": "e", "title": "null", "content": '{"theme":"dark"}', "category": None}
    token = server.keycloak.mint(scope=EVERYTHING)
    result = answered(await server.call("nc_notes_update_note", arguments, token=token, version=version))["result"]
    assert not result.get("isError"), result
    assert json.loads(server.nextcloud.requests[-1].content) == {"title": "null", "content": '{"theme":"dark"}'}


async def test_invalid_arguments_reach_neither_nextcloud_nor_log(server: Server) -> None:
    """The caller gets the error, the log only the names of known arguments, and Nextcloud nothing."""
    arguments = {"share_id": "hunter2", "pasword": "hunter2", "hunter2": 1}
    token = server.keycloak.mint(scope=EVERYTHING)
    with capture_logs() as events:
        said = refusal(await server.call("nc_share_get", arguments, token=token))
    assert said.startswith("Invalid share_id 'hunter2': pass a whole number. Unknown argument 'pasword': ")
    (failed,) = [event for event in events if event["event"] == "tool.failed"]
    assert (failed["code"], failed["argument"], failed["lengths"]) == (
        "argument.invalid",
        "share_id",
        {"share_id": 7},
    )
    assert "hunter2" not in repr(failed)
    assert server.nextcloud.requests == []


@pytest.mark.parametrize(
    ("tool", "names"),
    [
        ("nc_calendar_update_event", ("start_datetime", "end_datetime", "status", "privacy")),
        ("nc_calendar_update_todo", ("status",)),
        ("deck_update_card", ("title", "type", "owner", "etag")),
        ("deck_update_stack", ("title",)),
        ("deck_update_label", ("title", "color")),
        ("nc_share_create", ("expires",)),
    ],
)
def test_empty_text_keeps_mandatory_fields(tool: str, names: tuple[str, ...]) -> None:
    """An event needs a start and a card a title, so "" leaves them unchanged; other text fields are cleared."""
    declared = next(each for app in APPS for each in app.tools if each.name == tool)
    needed = dict.fromkeys(declared.parameters["required"], "1")
    read = declared.arguments.read({**needed, **dict.fromkeys(names, "")})
    assert read.keys() == needed.keys()
    if "description" in declared.parameters["properties"]:
        assert declared.arguments.read({**needed, "description": ""})["description"] == ""


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("Work, Home", "Work, Home"),
        (["Work", "Home"], "Work, Home"),
        ('["Work", "Home"]', "Work, Home"),
        ("[]", ""),
        ([], ""),
        ("[Work], Home", "[Work], Home"),
    ],
)
def test_list_is_accepted_for_comma_separated_text(given: object, read: str) -> None:
    """A list of texts, also as JSON text, equals the text with commas."""
    tool = next(each for app in APPS for each in app.tools if each.name == "nc_calendar_update_event")
    named = {"calendar_name": "work", "event_uid": "1"}
    assert tool.arguments.read({**named, "categories": given})["categories"] == read


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["a", "b, c"], "Invalid categories: item 2 has a comma; pass items without commas."),
        ('["b, c"]', "Invalid categories: item 1 has a comma; pass items without commas."),
        ([1], "Invalid categories: item 1 is a number; pass texts alone."),
        (["a", None], "Invalid categories: item 2 is null; pass texts alone."),
        ('["a", null]', "Invalid categories: item 2 is null; pass texts alone."),
        ([["a"]], "Invalid categories: item 1 is a list; pass texts alone."),
        ({"a": 1}, "Invalid categories, which is an object: pass text."),
    ],
)
def test_list_items_other_than_plain_text_are_refused(given: object, said: str) -> None:
    """Items with commas would be split, and other types are no text."""
    tool = next(each for app in APPS for each in app.tools if each.name == "nc_calendar_update_event")
    with pytest.raises(InvalidArgumentError, match=f"^{re.escape(said)}$"):
        tool.arguments.read({"calendar_name": "work", "event_uid": "1", "categories": given})


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (["bob@example.org", "Doe, Jane <jane@example.org>"], 'bob@example.org, "Doe, Jane" <jane@example.org>'),
        (['"Doe, Jane" <jane@example.org>'], '"Doe, Jane" <jane@example.org>'),
        ('["Doe, Jane <jane@example.org>"]', '"Doe, Jane" <jane@example.org>'),
        (["Jane <jane@example.org>"], "Jane <jane@example.org>"),
        ("a@example.org, b@example.org", "a@example.org, b@example.org"),
    ],
)
def test_list_of_attendees_is_accepted(given: object, read: str) -> None:
    """Each text is one person, whose name may contain a comma."""
    tool = next(each for app in APPS for each in app.tools if each.name == "nc_calendar_create_event")
    event = {"calendar_name": "work", "title": "T", "start_datetime": "2030-10-07"}
    assert tool.arguments.read({**event, "attendees": given})["attendees"] == read


def test_null_in_attendees_is_named() -> None:
    """The list is valid; the error names the item."""
    tool = next(each for app in APPS for each in app.tools if each.name == "nc_calendar_create_event")
    event = {"calendar_name": "work", "title": "T", "start_datetime": "2030-10-07"}
    said = "^Invalid attendees: item 2 is null; pass texts alone.$"
    with pytest.raises(InvalidArgumentError, match=said):
        tool.arguments.read({**event, "attendees": ["bob@example.org", None]})
