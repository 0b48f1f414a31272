"""`errors`: one tree, each leaf with a code of its own."""

from collections.abc import Callable

import pytest

from nextcloud_mcp import errors
from nextcloud_mcp.errors import InsufficientScopeError, InvalidArgumentError, NextcloudMCPError
from nextcloud_mcp.nextcloud import files, moments


def family(base: type[NextcloudMCPError]) -> list[type[NextcloudMCPError]]:
    """Return a class and all that descend from it."""
    return [base, *(member for child in base.__subclasses__() for member in family(child))]


def test_each_error_has_a_code_of_its_own() -> None:
    """Logs are searched by code, so no two errors share one."""
    codes = [error.code for error in family(NextcloudMCPError)]
    assert sorted(set(codes)) == sorted(codes)


@pytest.mark.parametrize("error", family(NextcloudMCPError), ids=lambda error: error.__name__)
def test_the_tree_is_drawn_whole(error: type[NextcloudMCPError]) -> None:
    """Every error stands in the drawing at the head of the module, under its base."""
    lines = str(errors.__doc__).splitlines()
    (drawn,) = [number for number, line in enumerate(lines) if error.__name__ in line.split()]
    if error is not NextcloudMCPError:
        assert error.__base__ is not None
        (base,) = [number for number, line in enumerate(lines) if error.__base__.__name__ in line.split()]
        assert base < drawn


def test_a_missing_scope_is_named_in_order() -> None:
    """The sentence and the fields name tool and scopes, sorted, so that two refusals alike read alike."""
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
def test_what_a_caller_sent_is_quoted_in_part(refuse: Callable[[], object]) -> None:
    """An error has the beginning of a wrong value, and is short enough to be read."""
    with pytest.raises(InvalidArgumentError) as caught:
        refuse()
    assert "…" in str(caught.value)
    assert len(str(caught.value)) < 250
