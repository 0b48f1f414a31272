"""What the docs' pictures show: the part of a page that matters, and a terminal that can be read without motion."""

from xml.etree import ElementTree as ET  # our own files

import pytest
from playwright.sync_api import FloatRect

from tests.pictures.catalogue import MARGIN, crop
from tests.pictures.terminal import CALL, Step, recording


def test_picture_is_cropped_to_the_parts_in_view() -> None:
    """The rectangle has all visible parts and a margin, and ends where the view ends."""
    box: FloatRect = {"x": 100.0, "y": 200.0, "width": 300.0, "height": 50.0}
    below: FloatRect = {"x": 0.0, "y": 400.0, "width": 10.0, "height": 395.0}
    assert crop([box], (1000, 800)) == {
        "x": 100.0 - MARGIN,
        "y": 200.0 - MARGIN,
        "width": 300.0 + 2 * MARGIN,
        "height": 50.0 + 2 * MARGIN,
    }
    assert crop([None, box, below], (410, 800)) == {"x": 0.0, "y": 200.0 - MARGIN, "width": 410, "height": 624.0}


def test_picture_without_a_visible_part_is_an_error() -> None:
    """A selector that finds nothing ends the run; no picture of the whole page takes its place."""
    with pytest.raises(ValueError, match="No part of the picture is visible"):
        crop([None], (1000, 800))


def test_recording_shows_every_line_without_an_animation() -> None:
    """All lines are visible at once, and a call of a tool does not look like a command or a comment."""
    steps = [Step("make demo", "Ready."), Step("# alice signs in"), Step("nc_whoami {}", "alice", prompt=CALL)]
    drawn = recording(steps, title="title", description="description")
    texts = [each.text for each in ET.fromstring(drawn).iter("{http://www.w3.org/2000/svg}text")]  # noqa: S314
    assert texts == ["title", "$ make demo", "Ready.", "# alice signs in", "tool call: nc_whoami {}", "alice"]
    assert "animation" not in drawn
    assert "opacity" not in drawn
