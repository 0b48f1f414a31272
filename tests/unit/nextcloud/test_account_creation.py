"""`nextcloud.account_creation`: of the first requests for an account one is sent, and the others wait for it."""

from collections.abc import Iterator

import anyio
import httpx
import pytest
import stamina

from nextcloud_mcp.errors import NextcloudUnavailableError, TokenNotAcceptedError
from nextcloud_mcp.nextcloud.account_cache import LIMIT, AccountCache
from nextcloud_mcp.nextcloud.account_creation import AccountCreation
from nextcloud_mcp.nextcloud.client import Nextcloud
from tests.support.issuer import answer
from tests.support.nextcloud import FILES, NOTES, USER_PATH, FakeNextcloud, ocs_user

BEING_MADE = answer(500, json={"ocs": {"meta": {"statuscode": 996}, "data": []}})
ALICE = ("https://issuer.test", "sub-of-alice", "alice")


class Asking:
    """Asks Nextcloud for the user, which answers when a test lets it, and as it says."""

    def __init__(self, *failures: Exception) -> None:
        self.times = 0
        self.may_answer = anyio.Event()
        self._failures = list(failures)

    async def __call__(self) -> None:
        """Ask once."""
        self.times += 1
        await self.may_answer.wait()
        if self._failures:
            raise self._failures.pop(0)


def unavailable(status: int | None) -> NextcloudUnavailableError:
    """Return the error for an answer with this status."""
    return NextcloudUnavailableError("It is out of order", "try again", status=status)


@pytest.fixture(autouse=True)
def no_pauses() -> Iterator[None]:
    """Repeat three times, at once."""
    with stamina.set_testing(True, attempts=3):
        yield


async def test_many_at_once_ask_once() -> None:
    """Nine callers who come together are one request, and all go on after it; later ones ask nothing."""
    creation, asking, arrived = AccountCreation(LIMIT), Asking(), []

    async def come() -> None:
        await creation.ensure(ALICE, asking)
        arrived.append(asking.may_answer.is_set())

    async with anyio.create_task_group() as group:
        for _ in range(9):
            group.start_soon(come)
        await anyio.wait_all_tasks_blocked()
        assert (asking.times, arrived) == (1, [])
        asking.may_answer.set()
    await come()
    assert (asking.times, arrived) == (1, [True] * 10)


async def test_people_do_not_wait_for_each_other() -> None:
    """Somebody else's new account holds up nobody."""
    creation, slow, quick = AccountCreation(LIMIT), Asking(), Asking()
    quick.may_answer.set()
    async with anyio.create_task_group() as group:
        group.start_soon(creation.ensure, ALICE, slow)
        await anyio.wait_all_tasks_blocked()
        await creation.ensure(("https://issuer.test", "sub-of-bob", "bob"), quick)
        assert (slow.times, quick.times) == (1, 1)
        slow.may_answer.set()


async def test_repeats_while_another_replica_makes_the_account() -> None:
    """HTTP 500 is what Nextcloud answers while a request of another process makes the account."""
    creation, asking = AccountCreation(LIMIT), Asking(unavailable(500), unavailable(500))
    asking.may_answer.set()
    await creation.ensure(ALICE, asking)
    assert asking.times == 3


@pytest.mark.parametrize("status", [None, 502, 503])
async def test_an_outage_is_told_to_all_who_wait(status: int | None) -> None:
    """An error that has nothing to do with new accounts is not repeated, nor by those who waited; later ones ask."""
    creation, asking, failures = AccountCreation(LIMIT), Asking(unavailable(status)), []

    async def come() -> None:
        try:
            await creation.ensure(ALICE, asking)
        except NextcloudUnavailableError as error:
            failures.append(str(error))

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(come)
        await anyio.wait_all_tasks_blocked()
        asking.may_answer.set()
    assert (asking.times, failures) == (1, ["It is out of order: try again."] * 3)
    await come()
    assert (asking.times, len(failures)) == (2, 3)


async def test_a_refused_token_is_the_callers_own() -> None:
    """Who waited for somebody with another token, which Nextcloud refuses, asks with their own."""
    creation, asking = AccountCreation(LIMIT), Asking(TokenNotAcceptedError("Nextcloud refuses it", "sign in"))
    refused = []

    async def come() -> None:
        try:
            await creation.ensure(ALICE, asking)
        except TokenNotAcceptedError:
            refused.append(1)

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(come)
        await anyio.wait_all_tasks_blocked()
        asking.may_answer.set()
    assert (asking.times, len(refused)) == (2, 1)


async def test_who_gives_up_leaves_it_to_the_next() -> None:
    """When the caller who asks is cancelled, one of those who wait asks."""
    creation, asking = AccountCreation(LIMIT), Asking()
    first = anyio.CancelScope()

    async def come_first() -> None:
        with first:
            await creation.ensure(ALICE, asking)

    async with anyio.create_task_group() as group:
        group.start_soon(come_first)
        await anyio.wait_all_tasks_blocked()
        group.start_soon(creation.ensure, ALICE, asking)
        await anyio.wait_all_tasks_blocked()
        first.cancel()
        await anyio.wait_all_tasks_blocked()
        assert asking.times == 2
        asking.may_answer.set()


async def test_memory_is_bounded() -> None:
    """The account not seen for longest is asked about again."""
    creation, asking = AccountCreation(LIMIT), Asking()
    asking.may_answer.set()
    for number in range(LIMIT + 1):
        await creation.ensure(number, asking)
    await creation.ensure(LIMIT, asking)
    assert asking.times == LIMIT + 1
    await creation.ensure(0, asking)
    assert asking.times == LIMIT + 2


async def test_first_request_of_every_kind_waits(http: httpx.AsyncClient, fake: FakeNextcloud) -> None:
    """Whatever the first calls are, nothing but the user is asked until the account is made, and then once each."""
    fake.on("GET", USER_PATH, BEING_MADE, BEING_MADE, ocs_user("alice"))
    fake.on("POST", NOTES, answer(json={}))
    fake.on("PUT", f"{FILES}/a.txt", answer(201))
    accounts = AccountCache()
    async with anyio.create_task_group() as group:
        for method, path in (("POST", NOTES), ("PUT", f"{FILES}/a.txt")) * 3:
            nextcloud = Nextcloud(http, accounts, account=ALICE, token="token-of-alice")

            async def send(nextcloud: Nextcloud = nextcloud, method: str = method, path: str = path) -> None:
                await nextcloud.request(method, path, about="it")

            group.start_soon(send)
    kinds = [(request.method, request.url.path == USER_PATH) for request in fake.requests]
    assert kinds[:3] == [("GET", True)] * 3
    assert sorted(kinds[3:]) == [("POST", False)] * 3 + [("PUT", False)] * 3
