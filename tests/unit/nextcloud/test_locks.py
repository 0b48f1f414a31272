"""`nextcloud.locks`: one at a time changes a thing."""

import gc
from weakref import ref

import anyio
import anyio.lowlevel

from nextcloud_mcp.nextcloud.locks import KeyedLocks


async def test_one_at_a_time_has_the_turn() -> None:
    """Others wait for the same thing, and not for another."""
    locks, seen = KeyedLocks(), []

    async def change(name: str, *thing: object) -> None:
        async with locks.of(*thing):
            seen.append(f"{name} begins")
            await anyio.lowlevel.checkpoint()
            await anyio.lowlevel.checkpoint()
            seen.append(f"{name} ends")

    async with anyio.create_task_group() as group:
        group.start_soon(change, "first", "note", 7)
        group.start_soon(change, "second", "note", 7)
        group.start_soon(change, "other", "note", 8)

    assert seen.index("second begins") > seen.index("first ends") > seen.index("other begins")


def test_a_lock_ends_with_its_last_holder() -> None:
    """A process that runs for years keeps none."""
    locks = KeyedLocks()
    held = locks.of("note", 7)
    known = ref(held)
    assert locks.of("note", 7) is held
    del held
    gc.collect()
    assert known() is None
