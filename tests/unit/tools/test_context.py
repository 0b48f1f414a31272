"""`tools.context`: what a tool is given besides its arguments."""

from nextcloud_mcp.tools.context import Result, admission_of, reads, writes


def tool() -> None:
    """Do nothing."""


def test_without_a_request_there_is_no_admission() -> None:
    """Calls that did not come over HTTP have none."""
    assert admission_of(None) is None


def test_what_reads_and_what_writes_is_told_apart() -> None:
    """Clients ask before a tool that changes something, and more so before one that destroys."""
    assert reads(tool, "t").annotations.read_only_hint is True
    annotations = writes(tool, "t", destructive=True, idempotent=False).annotations
    assert annotations.read_only_hint is False
    assert (annotations.destructive_hint, annotations.idempotent_hint) == (True, False)


def test_every_result_says_when() -> None:
    """The time of a result has a zone, so that it can be read anywhere."""
    assert Result().timestamp.tzinfo is not None
    assert Result().success is True
