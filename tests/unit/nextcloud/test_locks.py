"""`nextcloud.locks`: mutual exclusion by key."""

import gc
from weakref import ref

import anyio
import anyio.lowlevel

from nextcloud_mcp.nextcloud.locks import KeyedLocks


async def test_only_one_task_holds_a_lock() -> None:
    """Others wait for the same key, but not for another."""
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


def test_lock_is_removed_with_last_holder() -> None:
    """Unused locks do not accumulate."""
    locks = KeyedLocks()
    held = locks.of("note", 7)
    known = ref(held)
    assert locks.of("note", 7) is held
    del held
    gc.collect()
    assert known() is None
