"""`doctor.report` and `doctor.screen`: what a walk adds up to, for programs and for people."""

from typing import Final

import pytest

from nextcloud_mcp.doctor.deployment import Deployment
from nextcloud_mcp.doctor.finding import Finding, Outcome, Problem, warning
from nextcloud_mcp.doctor.report import Report, Result, Step
from nextcloud_mcp.doctor.screen import Screen
from nextcloud_mcp.doctor.walk import STEPS


async def _never(_: Deployment) -> Finding:
    raise AssertionError("nobody looks")


def step(code: str) -> Step:
    """Return a step that nobody takes."""
    return Step(code, code.partition(".")[2], "It is in order.", _never)


WRONG: Final = Problem("The secret is wrong", "set OIDC_CLIENT_SECRET:\nkcadm.sh get clients")
REPORT: Final = Report(
    [
        Result(step("network.keycloak"), Finding("answers")),
        Result(step("network.nextcloud"), Finding("answers", (warning("The certificate ends in 5 days", "renew it"),))),
        Result(step("exchange.client"), Finding("HTTP 401", (WRONG,))),
        Result(step("token.accepted"), Finding("needs exchange.client", skipped=True, needs=("exchange.client",))),
        Result(step("drift.access"), Finding("needs admin access", skipped=True)),
    ]
)
SCREEN: Final = """\
network
  ✓ keycloak          answers
  ! nextcloud         answers
    The certificate ends in 5 days. (network.nextcloud)
    → renew it

exchange
  ✗ client            HTTP 401
    The secret is wrong. (exchange.client)
    → set OIDC_CLIENT_SECRET:
    → kcadm.sh get clients

token
  - not checked       accepted: first exchange.client

drift
  - access            needs admin access

1 in order, 1 to look at, 1 to fix, 2 not checked."""


def test_json_has_the_documented_shape() -> None:
    """`version`, `healthy`, `counts` and `steps`, and of each step what docs/reference/doctor.md lists."""
    shown = REPORT.as_json()
    assert (shown["version"], shown["healthy"]) == (2, False)
    assert shown["counts"] == {"ok": 1, "skipped": 2, "warning": 1, "failed": 1}
    assert shown["steps"][2] == {
        "code": "exchange.client",
        "title": "client",
        "outcome": "failed",
        "observed": "HTTP 401",
        "problems": [{"outcome": "failed", "cause": WRONG.cause, "fix": WRONG.fix}],
    }
    assert [each["outcome"] for each in shown["steps"]] == ["ok", "warning", "failed", "skipped", "skipped"]


def test_a_warning_alone_is_healthy() -> None:
    """Calls work all the same, so the exit status stays 0."""
    assert Report(REPORT.results[:2]).healthy


def test_a_step_is_as_bad_as_its_worst_problem() -> None:
    """A failure among warnings is a failure."""
    finding = Finding("much", (warning("a little", "later"), WRONG))
    assert finding.outcome is Outcome.FAILED


def test_screen_says_all_of_it() -> None:
    """A line a step, under it the cause and what fixes it; what waits for another step takes one line a group."""
    assert "\n".join(Screen(colour=False, width=80).lines(REPORT)) == SCREEN


def test_colour_is_added_and_nothing_else() -> None:
    """The coloured screen says the same."""
    coloured = "\n".join(Screen(colour=True, width=80).lines(REPORT))
    assert "\033[31m" in coloured
    for code in ("1", "2", "31", "32", "33", "0"):
        coloured = coloured.replace(f"\033[{code}m", "")
    assert coloured == SCREEN


def test_no_line_but_a_command_is_wider_than_the_screen() -> None:
    """What is for reading is wrapped; what is for copying stays whole."""
    command = "kcadm.sh " + "x" * 200
    results = [Result(step("a.b"), Finding("seen " * 60, (Problem("caused " * 60, command),)))]
    lines = list(Screen(colour=False, width=72).lines(Report(results)))
    assert [line for line in lines if len(line) > 72] == [f"    → {command}"]


def test_each_step_has_a_code_of_its_own() -> None:
    """Programs tell steps apart by it."""
    codes = [each.code for each in STEPS]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("each", STEPS, ids=lambda each: each.code)
def test_a_step_needs_what_comes_before_it(each: Step) -> None:
    """Needs are steps that have been taken; and a group is walked in one go."""
    codes = [other.code for other in STEPS]
    before = codes[: codes.index(each.code)]
    assert set(each.needs) <= set(before)
    groups = [code.partition(".")[0] for code in before]
    assert each.group not in groups or groups[-1] == each.group
