"""`doctor.report` and `doctor.screen`: the result of a run, for programs and for people."""

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
    """The report has `version`, `healthy`, `counts` and `steps`, whose fields are in docs/reference/doctor.md."""
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


def test_warnings_alone_are_healthy() -> None:
    """Calls still work, so the exit status is 0."""
    assert Report(REPORT.results[:2]).healthy


def test_step_has_its_worst_status() -> None:
    """A failure among warnings is a failure."""
    finding = Finding("much", (warning("a little", "later"), WRONG))
    assert finding.outcome is Outcome.FAILED


def test_screen_shows_cause_and_fix_of_each_step() -> None:
    """A step is one line, followed by cause and fix; skipped steps take one line per group."""
    assert "\n".join(Screen(colour=False, width=80).lines(REPORT)) == SCREEN


def test_colors_change_no_text() -> None:
    """The output with colors has the same text."""
    coloured = "\n".join(Screen(colour=True, width=80).lines(REPORT))
    assert "\033[31m" in coloured
    for code in ("1", "2", "31", "32", "33", "0"):
        coloured = coloured.replace(f"\033[{code}m", "")
    assert coloured == SCREEN


def test_only_commands_exceed_screen_width() -> None:
    """Text is wrapped; commands, which are copied, are not."""
    command = "kcadm.sh " + "x" * 200
    results = [Result(step("a.b"), Finding("seen " * 60, (Problem("caused " * 60, command),)))]
    lines = list(Screen(colour=False, width=72).lines(Report(results)))
    assert [line for line in lines if len(line) > 72] == [f"    → {command}"]


def test_step_codes_are_unique() -> None:
    """Programs identify steps by their code."""
    codes = [each.code for each in STEPS]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("each", STEPS, ids=lambda each: each.code)
def test_steps_depend_only_on_earlier_steps(each: Step) -> None:
    """A step depends on earlier steps only, and the steps of a group are consecutive."""
    codes = [other.code for other in STEPS]
    before = codes[: codes.index(each.code)]
    assert set(each.needs) <= set(before)
    groups = [code.partition(".")[0] for code in before]
    assert each.group not in groups or groups[-1] == each.group
