"""`errors`: the exception hierarchy; each leaf class has its own code."""

import ast
from collections.abc import Callable, Iterator
from inspect import signature
from pathlib import Path
from string import Formatter
from typing import Final

import pytest

from nextcloud_mcp import errors
from nextcloud_mcp.catalogue import APPS
from nextcloud_mcp.errors import (
    InsufficientScopeError,
    InvalidArgumentError,
    NextcloudMCPError,
    NextcloudUnavailableError,
    TokenExchangeError,
    completed,
)
from nextcloud_mcp.nextcloud import files, moments


def family(base: type[NextcloudMCPError]) -> list[type[NextcloudMCPError]]:
    """Return a class and all that descend from it."""
    return [base, *(member for child in base.__subclasses__() for member in family(child))]


def test_error_codes_are_unique() -> None:
    """Logs are searched by code, so no two errors share one."""
    codes = [error.code for error in family(NextcloudMCPError)]
    assert sorted(set(codes)) == sorted(codes)


@pytest.mark.parametrize("error", family(NextcloudMCPError), ids=lambda error: error.__name__)
def test_module_docstring_shows_whole_hierarchy(error: type[NextcloudMCPError]) -> None:
    """The drawing in the module docstring has every error under its base class."""
    lines = str(errors.__doc__).splitlines()
    (drawn,) = [number for number, line in enumerate(lines) if error.__name__ in line.split()]
    if error is not NextcloudMCPError:
        assert error.__base__ is not None
        (base,) = [number for number, line in enumerate(lines) if error.__base__.__name__ in line.split()]
        assert base < drawn


def test_missing_scopes_are_sorted() -> None:
    """Message and fields have tool and sorted scopes, so that equal refusals have equal text."""
    error = InsufficientScopeError("nc_x", granted={"b", "a"}, missing={"d", "c"})
    assert (error.feature, error.granted, error.missing) == ("nc_x", ["a", "b"], ["c", "d"])
    assert str(error) == "nc_x needs the scope c d, which this token lacks: sign in again and grant it."


LONG = "x" * 5000


@pytest.mark.parametrize(
    "refuse",
    [
        lambda: moments.read(LONG, "start_datetime"),
        lambda: moments.zone(LONG),
        lambda: files.segments(f"../{LONG}"),
    ],
)
def test_long_values_are_truncated(refuse: Callable[[], object]) -> None:
    """An error has the start of an invalid value and stays short."""
    with pytest.raises(InvalidArgumentError) as caught:
        refuse()
    assert "…" in str(caught.value)
    assert len(str(caught.value)) < 250


def test_log_omits_callers_values() -> None:
    """The caller's message has the value; the log has the message without it, and the argument's name."""
    error = InvalidArgumentError(
        "Invalid {argument} {color}", "pass #{example}", argument="color", color="'blue'", example="f00"
    )
    assert str(error) == "Invalid color 'blue': pass #f00."
    assert error.parts == {
        "code": "argument.invalid",
        "cause": "Invalid color 'blue'",
        "remedy": "pass #f00",
        "argument": "color",
    }
    assert error.log_fields == {
        "code": "argument.invalid",
        "cause": "Invalid color …",
        "remedy": "pass #…",
        "argument": "color",
    }


def test_log_has_keycloaks_message() -> None:
    """An error without the caller's values is logged unchanged."""
    error = TokenExchangeError(
        "Keycloak answered {answer!r}", "ask {who}", answer="invalid_client", who="the administrator"
    )
    assert error.log_fields == {
        "code": "token_exchange.failed",
        "cause": "Keycloak answered 'invalid_client'",
        "remedy": "ask the administrator",
    }


def test_nextclouds_message_is_not_logged() -> None:
    """It may contain a file name, as the resource does; status and method are logged, also for outages."""
    error = NextcloudUnavailableError(
        "{resource} failed with HTTP {status}{why}",
        "{x:g}",
        resource="note 7",
        method="GET",
        status=502,
        why=" (n)",
        x=5.0,
    )
    assert str(error) == "Note 7 failed with HTTP 502 (n): 5."
    assert error.log_fields == {
        "code": "nextcloud.unavailable",
        "cause": "… failed with HTTP 502…",
        "remedy": "5",
        "status": 502,
        "method": "GET",
    }


def test_braces_in_values_are_not_expanded() -> None:
    """A caller's value is never used as a template."""
    error = InvalidArgumentError("Invalid {given}", "{given}", given="{argument}{0}")
    assert str(error) == "Invalid {argument}{0}: {argument}{0}."


def test_shared_error_is_raised_as_copy() -> None:
    """Another call raises its own exception with the same information."""
    error = NextcloudUnavailableError("{a}", "b", a="{x}", status=502)
    again = error.again()
    assert again is not error
    assert (str(again), again.parts, again.log_fields) == (str(error), error.parts, error.log_fields)


def test_several_invalid_arguments_are_one_error() -> None:
    """It has the sentence and the fields of each."""
    each = [InvalidArgumentError(f"Invalid {name}", "pass text", argument=name) for name in ("a", "b")]
    error = InvalidArgumentError.combine(each)
    assert str(error) == "Invalid a: pass text. Invalid b: pass text."
    assert (error.argument, error.parts["errors"]) == ("a, b", [one.parts for one in each])
    assert error.log_fields["cause"] == "Invalid a. Invalid b."
    assert InvalidArgumentError.combine(each[:1]) is each[0]


def test_failed_later_request_says_what_is_done() -> None:
    """The error keeps its class and fields; the log has no names, and the remedy may be another one."""
    with pytest.raises(NextcloudUnavailableError) as caught, completed("{resource} is added", resource="row {7}"):
        raise NextcloudUnavailableError("Nextcloud failed with HTTP {status}", "try again", status=502)
    assert str(caught.value) == "Row {7} is added. Nextcloud failed with HTTP 502: try again."
    assert caught.value.log_fields["cause"] == "… is added. Nextcloud failed with HTTP 502"
    assert (caught.value.status, caught.value.remedy, caught.value.logged_remedy) == (502, "try again", "try again")
    other = caught.value.after("{resource} is here", "read {resource}", resource="note 7")
    assert str(other).startswith("Note 7 is here. Row {7} is added. ")
    assert (other.remedy, other.logged_remedy) == ("read note 7", "read …")


SERVER: Final = Path(errors.__file__).parent

KEPT: Final = {"argument", "resource", "method", "status"}
"""What an error keeps, whether or not its templates name it."""


def raised() -> Iterator[tuple[str, ast.Call]]:
    """Return where the server makes an error of two templates."""
    names = {error.__name__ for error in family(NextcloudMCPError) if "cause" in signature(error).parameters}
    for path in sorted(SERVER.rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in names:
                yield f"{path.relative_to(SERVER)}:{call.lineno}", call


def placeholders(template: ast.expr) -> set[str] | None:
    """Return what a template names; None if it is put together elsewhere."""
    parts = template.values if isinstance(template, ast.JoinedStr) else [template]
    texts = [part.value if isinstance(part, ast.Constant) else "" for part in parts]
    if not all(isinstance(part, ast.Constant | ast.FormattedValue) for part in parts):
        return None
    return {name for _, name, _, _ in Formatter().parse("".join(map(str, texts))) if name}


def test_templates_use_exactly_their_values() -> None:
    """Each value is used in cause or remedy, each placeholder has a value, and no template has caller's text."""
    found = dict(raised())
    for place, call in found.items():
        cause, remedy = (placeholders(template) for template in call.args[:2])
        given = {keyword.arg for keyword in call.keywords} - {"retry_after"}
        if cause is not None and remedy is not None and None not in given:
            assert cause | remedy <= given | KEPT, place
            assert given - KEPT <= cause | remedy, place
        for template in call.args[:2]:
            called = {getattr(each.func, "id", "") for each in ast.walk(template) if isinstance(each, ast.Call)}
            assert not called & {"quoted", "shown", "repr", "str"}, place
    assert len(found) > 200


def test_error_argument_is_a_tool_parameter() -> None:
    """The argument name in an error is the name of the tool's parameter."""
    taken = {name for app in APPS for tool in app.tools for name in tool.parameters["properties"]}
    named = {
        keyword.value.value
        for _, call in raised()
        for keyword in call.keywords
        if keyword.arg == "argument" and isinstance(keyword.value, ast.Constant)
    }
    assert named <= taken
