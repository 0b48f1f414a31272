"""`memory`: what calls may take together, so that none of them ends the server."""

import anyio
import pytest

from nextcloud_mcp import memory
from nextcloud_mcp.errors import OverloadedError
from nextcloud_mcp.memory import ByteBudget

ALICE, BOB = ("issuer", "alice"), ("issuer", "bob")
AT_ONCE = 0.05
PATIENT = 30.0


async def test_one_person_leaves_half_of_the_memory() -> None:
    """One person holds at most half of the budget, so that another finds some at once."""
    budget = ByteBudget(100)
    async with budget.share(ALICE, 50, max_wait=AT_ONCE):
        with pytest.raises(OverloadedError):
            async with budget.share(ALICE, 1, max_wait=AT_ONCE):
                pass
        async with budget.share(BOB, 50, max_wait=AT_ONCE):
            pass
    async with budget.share(ALICE, 50, max_wait=AT_ONCE):
        pass


async def test_share_waits_until_enough_is_given_back() -> None:
    """Whoever finds too little waits for the others, and is served then."""
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


async def test_call_keeps_the_largest_of_its_answers() -> None:
    """What a call reads one after the other takes one share, which it gives back with its own answer."""
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


async def test_call_that_reads_a_larger_answer_after_a_smaller_one() -> None:
    """What a call holds itself is not held against it: alone it gets as much in two steps as in one."""
    budget = ByteBudget(100)
    async with budget.call(ALICE, 1, max_wait=AT_ONCE):
        await memory.take(20, max_wait=AT_ONCE)
        await memory.take(70, max_wait=AT_ONCE)


async def test_calls_of_one_person_do_not_wait_for_each_other() -> None:
    """However many of a person's calls want a large answer, one after the other gets it."""
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


async def test_one_answer_too_many_is_refused() -> None:
    """Two calls that both want what is left do not wait for each other for ever."""
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


async def test_without_a_call_nothing_is_counted() -> None:
    """What the server reads for itself, such as at a probe, is not held against anybody."""
    await memory.take(10**12, max_wait=AT_ONCE)
