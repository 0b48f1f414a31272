"""`boundary.declaration`: how tools are declared."""

from mcp_types import ToolAnnotations

from nextcloud_mcp.boundary.declaration import Result, reads, writes


async def tool() -> Result:
    """Do nothing."""
    return Result()


def test_what_reads_and_what_writes_is_told_apart() -> None:
    """Clients ask before a tool that changes something, and more so before one that destroys."""
    reading, writing = reads("t", scopes="")(tool), writes("t", scopes="", destructive=True, idempotent=False)(tool)
    assert reading.annotations == ToolAnnotations(read_only_hint=True, open_world_hint=False)
    assert writing.annotations == ToolAnnotations(
        read_only_hint=False, destructive_hint=True, idempotent_hint=False, open_world_hint=False
    )


def test_every_result_says_when() -> None:
    """The time of a result has a zone, so that it can be read anywhere."""
    assert Result().timestamp.tzinfo is not None
    assert Result().success is True
