"""`apps.calendar.ical.colors`: the names of CSS colors."""

import pytest

from nextcloud_mcp.apps.calendar.ical.colors import color_name
from nextcloud_mcp.errors import InvalidArgumentError


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("tomato", "tomato"),
        (" LightGoldenrodYellow ", "lightgoldenrodyellow"),
        ("#ff0000", "red"),
        ("#FF0000FF", "red"),
        ("#00ffff", "aqua"),
        ("yellowgreen", "yellowgreen"),
        ("aliceblue", "aliceblue"),
        (" ", ""),
    ],
)
def test_color_is_stored_by_name(given: str, name: str) -> None:
    """Case is ignored, and a code that is exactly that of a color counts as its name."""
    assert color_name(given) == name


@pytest.mark.parametrize(
    ("given", "nearest"),
    [("#1976D2", "royalblue"), ("#00679e", "teal"), ("#fe0001", "red"), ("#000001", "black")],
)
def test_error_names_the_nearest_color(given: str, nearest: str) -> None:
    """The caller can pass it as Nextcloud's calendar app would."""
    with pytest.raises(InvalidArgumentError, match=f"^Invalid color '{given}': .* so use {nearest} or another name"):
        color_name(given)


@pytest.mark.parametrize("given", ["#ff", "ff0000", "rgb(1, 2, 3)", "none"])
def test_other_texts_are_no_colors(given: str) -> None:
    """The error has an example."""
    with pytest.raises(InvalidArgumentError, match="use the name of a CSS color, such as tomato"):
        color_name(given)
