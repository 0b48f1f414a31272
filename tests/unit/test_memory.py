"""`memory`: the memory budget for the calls of all users, which keeps them from exhausting the server."""

import anyio
import pytest

from nextcloud_mcp import memory
from nextcloud_mcp.errors import OverloadedError
from nextcloud_mcp.memory import ByteBudget

ALICE, BOB = ("issuer", "alice"), ("issuer", "bob")
AT_ONCE = 0.05
PATIENT = 30.0


async def test_one_user_gets_half_of_the_memory() -> None:
    """A user holds at most half of the budget, so that another finds some at once."""
    budget = ByteBudget(100)
    async with budget.share(ALICE, 50, max_wait=AT_ONCE):
        with pytest.raises(OverloadedError):
            async with budget.share(ALICE, 1, max_wait=AT_ONCE):
                pass
        async with budget.share(BOB, 50, max_wait=AT_ONCE):
            pass
    async with budget.share(ALICE, 50, max_wait=AT_ONCE):
        pass


async def test_reservation_waits_for_release() -> None:
    """A call that finds too little memory waits for others and is served then."""
    budget = ByteBudget(100)
    served = anyio.Event()

    async def wait() -> None:
        async with budget.share(BOB, 60, max_wait=PATIENT):
            served.set()

    async with anyio.create_task_group() as group, budget.share(ALICE, 50, max_wait=AT_ONCE):
        group.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        assert not served.is_set()
    assert served.is_set()


async def test_call_reserves_its_largest_response() -> None:
    """Consecutive reads of a call share one reservation, which ends with the call's own response."""
    budget = ByteBudget(100)
    async with budget.call(ALICE, 10, max_wait=AT_ONCE):
        await memory.take(20, max_wait=AT_ONCE)
        await memory.take(30, max_wait=AT_ONCE)
        await memory.take(30, max_wait=AT_ONCE)
        async with budget.share(BOB, 60 - 10, max_wait=AT_ONCE):
            pass
        with pytest.raises(OverloadedError):
            await memory.take(91, max_wait=AT_ONCE)  # with the 10 of its body more than there is
    async with budget.share(BOB, 100, max_wait=AT_ONCE):
        pass


async def test_larger_second_response_extends_reservation() -> None:
    """A call's own reservation does not count against it: alone it gets as much in two steps as in one."""
    budget = ByteBudget(100)
    async with budget.call(ALICE, 1, max_wait=AT_ONCE):
        await memory.take(20, max_wait=AT_ONCE)
        await memory.take(70, max_wait=AT_ONCE)


async def test_calls_of_one_user_do_not_deadlock() -> None:
    """If several calls of a user need large responses, they get them one after the other."""
    budget = ByteBudget(100)
    read: list[int] = []

    async def call(number: int) -> None:
        async with budget.call(ALICE, 1, max_wait=PATIENT):
            await memory.take(70, max_wait=PATIENT)
            read.append(number)

    async with anyio.create_task_group() as group:
        for number in range(6):
            group.start_soon(call, number)
    assert sorted(read) == [0, 1, 2, 3, 4, 5]


async def test_competing_extensions_are_refused() -> None:
    """Two calls that both need the remaining memory do not wait for each other forever."""
    budget = ByteBudget(100)
    refused: list[OverloadedError] = []

    async def read(owner: memory.Owner) -> None:
        async with budget.call(owner, 40, max_wait=AT_ONCE):
            try:
                await memory.take(30, max_wait=AT_ONCE)
            except OverloadedError as error:
                refused.append(error)
            await anyio.sleep(2 * AT_ONCE)

    async with anyio.create_task_group() as group:
        group.start_soon(read, ALICE)
        group.start_soon(read, BOB)
    assert refused


async def test_reads_outside_calls_are_not_counted() -> None:
    """Reads of the server itself, such as probes, count for no user."""
    await memory.take(10**12, max_wait=AT_ONCE)
