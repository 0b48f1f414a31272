"""`boundary.declaration`: how tools are declared."""

from mcp_types import ToolAnnotations

from nextcloud_mcp.boundary.declaration import Result, reads, writes


async def tool() -> Result:
    """Do nothing."""
    return Result()


def test_annotations_tell_reading_from_writing() -> None:
    """Clients ask the user before a writing tool runs, and warn before a destructive one."""
    reading, writing = reads("t", scopes="")(tool), writes("t", scopes="", destructive=True, idempotent=False)(tool)
    assert reading.annotations == ToolAnnotations(read_only_hint=True, open_world_hint=False)
    assert writing.annotations == ToolAnnotations(
        read_only_hint=False, destructive_hint=True, idempotent_hint=False, open_world_hint=False
    )


def test_every_result_has_a_timestamp_with_zone() -> None:
    """The time of a result can be read in every zone."""
    assert Result().timestamp.tzinfo is not None
    assert Result().success is True
