"""A very small run of `make bench`, of which only counted things are asserted."""

import pytest

from bench import own_cost, plot
from bench.__main__ import Size, run
from bench.instance import MODES
from bench.report import Report, markdown
from bench.workloads import CALLS

SMALL = Size(calls=4, rounds=1, crowds=(1, 4), tokens=3, many_calls=10, pieces=4)


@pytest.fixture(scope="module")
def report() -> Report:
    """The results of one small run."""
    return run(SMALL)


def test_every_call_is_measured_in_both_modes_beside_the_bare_server(report: Report) -> None:
    """Each kind of call has a cost in both modes and a ratio to the bare server, and no call failed."""
    titles = [*(work.title for work in CALLS.values()), own_cost.LIST, own_cost.REFUSED]
    assert [row.title for row in report.rows] == titles
    for row in report.rows:
        assert row.errors == 0
        assert row.cost.keys() >= {"bare, empty", *MODES}
        assert row.ratio.keys() == row.ratio_to_empty.keys() == set(MODES)


def test_every_caller_of_a_crowd_is_answered(report: Report) -> None:
    """Each crowd made at least two calls a caller at each server, without an error."""
    assert {(each.server, each.callers) for each in report.crowds} == {
        (server, callers) for server in ("bare", *MODES) for callers in SMALL.crowds
    }
    assert all(each.errors == 0 and each.calls >= 2 * each.callers for each in report.crowds)


def test_memory_is_measured_at_every_stage_without_an_error(report: Report) -> None:
    """Tokens, calls, pieces and slow readers are all answered, and the memory is that of a process."""
    for mode in MODES:
        assert len(report.memory[mode]) == 6
        assert all(each.errors == 0 and each.peak >= each.now > 2**20 for each in report.memory[mode])


def test_page_has_every_row(report: Report) -> None:
    """The tables of the page name each kind of call, and the JSON has versions and no host name."""
    page = markdown(report)
    assert all(row.title in page for row in report.rows)
    assert report.as_json()["machine"].keys() == {"cores", "architecture", "load_average"}


def test_wrong_result_is_an_error() -> None:
    """A listing that lacks a row is an error of the benchmark, not a fast answer."""
    with pytest.raises(AssertionError):
        CALLS["few"].check({"structuredContent": {"files": []}})


def test_bars_are_as_long_as_their_values() -> None:
    """The longest bar has the whole width, and text is escaped."""
    drawn = plot.bars("a < b", "ms", {"one": {"x": 2.0, "y": 1.0}}, ("x", "y"))
    assert f'width="{plot.WIDTH:.1f}"' in drawn
    assert f'width="{plot.WIDTH / 2:.1f}"' in drawn
    assert "a &lt; b" in drawn
